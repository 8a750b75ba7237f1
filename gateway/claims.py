"""A gateway's id (00 to 99): claimed in Redis against the spool's UUID, kept in the spool, asserted to new servers.

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
    """Keep this spool's id, else take the lowest free one; waits while Redis is away.

    To be called again for every server not seen before: a restored copy may have forgotten the claim, and given the
    id to another gateway since.

    Raises:
        NoGatewayIdError: none is free.
    """
    uuid, held = spool.fact("uuid") or "", spool.fact("gateway")
    while True:
        try:
            gateway = await _claim(client, uuid, held)
            break
        except (RedisError, OSError) as error:
            log.warning("queue_server_away", error=type(error).__name__)
            await asyncio.sleep(WAIT)
    if gateway == held:
        return
    if held is not None:
        log.error("gateway_id_taken", gateway=held, taken=gateway)
    await writer.insist(lambda db: spool.remember(db, "gateway", gateway))


async def _claim(client: Redis, uuid: str, held: str | None) -> str:
    every = [f"{number:02d}" for number in range(GATEWAY_IDS)]
    for gateway in every if held is None else [held, *every]:
        if await client.hsetnx(keys.GATEWAYS, gateway, uuid):
            return gateway
        if await client.hget(keys.GATEWAYS, gateway) == uuid.encode():
            return gateway
    raise NoGatewayIdError("all gateway ids from 00 to 99 are taken")
