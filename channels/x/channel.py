"""The channel `x`: mentions of the line's account are fetched, answers are public replies to them.

May not look into a post: `parse` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar

import structlog
from pydantic import BaseModel

from channels.contract import Delivery, Host, Reply
from channels.reply import Allowance
from channels.x import documents
from channels.x.answer import Answers
from channels.x.config import XConfig
from channels.x.parse import CHANNEL, parse, understand
from channels.x.poll import Poller
from normalizer.ticket import Inbound, Raw, ReplyAddress

log = structlog.get_logger(__name__)


class X:
    """`allowance`: one call writes one reply; calls that read are not counted by the day."""

    name: ClassVar[str] = CHANNEL
    config_type: ClassVar[type[BaseModel]] = XConfig

    def __init__(self, config: XConfig, /) -> None:
        self._config = config
        self._answers = Answers(config)
        self.lacks = "bearer_token_file" if config.bearer_token_file is None else None
        self.allowance = Allowance(calls=1, per_day=config.replies_per_day)

    def parse(self, raw: Raw) -> Inbound:
        """Pure. Raises Rejected with the reason."""
        return parse(raw, self._config)

    def submissions(self, body: bytes) -> Iterable[bytes]:
        """The posts of a list (`channels.listing`)."""
        return documents.submissions(body)

    def source_id(self, body: bytes) -> str | None:
        """As a polled post is named."""
        return understand(body).source_id

    async def run(self, host: Host) -> None:
        """Polls until cancelled."""
        if self._config.bearer_token_file is None:
            log.warning("x_no_account")
            await asyncio.Event().wait()
        await Poller(self._config, host).run()

    async def reply(self, to: ReplyAddress, message: Reply) -> Delivery:
        """`channels.x.answer.Answers.reply`."""
        return await self._answers.reply(to, message)
