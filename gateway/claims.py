"""A gateway's id (00 to 99): claimed once in Redis against the spool's UUID, then kept in the spool.

May not be needed for a number: with the id in the spool, numbers are given without Redis.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.spool import Spool
from gateway.writer import Writer
from normalizer.identity import GATEWAY_IDS
from workers import keys

log = structlog.get_logger()

WAIT: Final = 0.2


class NoGatewayIdError(RuntimeError):
    """All hundred ids are taken: drain and retire an old spool first."""


async def claim_gateway(spool: Spool, writer: Writer, client: Redis) -> None:
    """Take the lowest free id; waits while Redis is away.

    Raises:
        NoGatewayIdError: none is free.
    """
    uuid = spool.fact("uuid") or ""
    while True:
        try:
            gateway = await _claim(client, uuid)
            break
        except (RedisError, OSError) as error:
            log.warning("queue_server_away", error=type(error).__name__)
            await asyncio.sleep(WAIT)
    await writer.insist(lambda db: spool.remember(db, "gateway", f"{gateway:02d}"))


async def _claim(client: Redis, uuid: str) -> int:
    for gateway in range(GATEWAY_IDS):
        field = f"{gateway:02d}"
        if await client.hsetnx(keys.GATEWAYS, field, uuid):
            return gateway
        if await client.hget(keys.GATEWAYS, field) == uuid.encode():
            return gateway
    raise NoGatewayIdError("all gateway ids from 00 to 99 are taken")
