"""The channel `wechat`: messages to an official account become tickets, answers go back into the conversation.

May not know how a signature, a seal or an answer of WeChat looks: the modules beside it do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

import structlog
from pydantic import BaseModel

from channels.contract import Delivery, Host, Reply
from channels.wechat import documents
from channels.wechat.answer import Answering
from channels.wechat.callback import Callback
from channels.wechat.config import WechatConfig
from channels.wechat.message import message_of
from channels.wechat.parse import CHANNEL, parse
from normalizer.ticket import Inbound, Raw, ReplyAddress

log = structlog.get_logger(__name__)


class Wechat:
    """`repeatable` (`channels.contract.Repeating`): WeChat neither knows a repetition nor lets us read back what was
    sent."""

    name: ClassVar[str] = CHANNEL
    config_type: ClassVar[type[BaseModel]] = WechatConfig
    repeatable: Final = False

    def __init__(self, config: WechatConfig, /) -> None:
        self._config = config
        self._zone = ZoneInfo(config.timezone)
        self._answering = Answering(config)
        self.lacks = config.lacks

    def parse(self, raw: Raw) -> Inbound:
        """Pure. Raises Rejected: `event`, `encrypted`, `not_a_message`, or what is wrong with the XML."""
        return parse(raw, self._zone)

    def submissions(self, body: bytes) -> Iterable[bytes]:
        """The messages in a file (`channels.listing`)."""
        return documents.submissions(body)

    def source_id(self, body: bytes) -> str | None:
        """As a message that was pushed is named. Raises Rejected."""
        return message_of(documents.document_of(body).fields).source_id

    async def run(self, host: Host) -> None:
        """Adds the callback, when there is an account, and waits to be cancelled."""
        if self.lacks is None:
            Callback(host, self._config).register()
        else:
            log.warning("wechat_no_account", missing=self.lacks)
        await asyncio.Event().wait()

    async def reply(self, to: ReplyAddress, message: Reply) -> Delivery:
        """Into the open conversation, else as a template message, else `not_allowed`. Raises TryAgain: not sent."""
        return await self._answering.send(to, message)
