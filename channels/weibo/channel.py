"""The channel `weibo`: mentions and comments that are polled, messages that are pushed, answers in private or public.

May not look into a post or speak Weibo's protocol itself: the modules beside it do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import ClassVar, Final

import structlog
from pydantic import BaseModel

from channels.contract import Delivery, Host, Reply
from channels.reply import Allowance
from channels.weibo import documents
from channels.weibo.answer import Answers
from channels.weibo.api import Api
from channels.weibo.callback import Callback
from channels.weibo.config import CALLS_OF_A_REPLY, WeiboConfig
from channels.weibo.documents import CHANNEL
from channels.weibo.parse import parse, source_id
from channels.weibo.poll import Poller
from channels.weibo.post import Account
from normalizer.ticket import Inbound, Raw, ReplyAddress

log = structlog.get_logger(__name__)

NO_ACCOUNT: Final = "no_account"


class Weibo:
    """One account. `allowance`: what Weibo lets its answers use (`channels.reply.Metered`)."""

    name: ClassVar[str] = CHANNEL
    config_type: ClassVar[type[BaseModel]] = WeiboConfig

    def __init__(self, config: WeiboConfig, /) -> None:
        self._config = config
        self._ours = Account(config.uid, config.names)
        self._answers = Answers(config, self._api, lambda: datetime.now(UTC))
        self.allowance = Allowance(calls=CALLS_OF_A_REPLY, per_day=max(config.replies_per_day, 1) * CALLS_OF_A_REPLY)
        self.lacks = "token_file" if config.token_file is None and config.app_secret_file is None else None

    def parse(self, raw: Raw) -> Inbound:
        """Pure. Raises Rejected with the reason."""
        return parse(raw, self._ours)

    def submissions(self, body: bytes) -> Iterable[bytes]:
        """The posts of a list (`channels.listing`)."""
        return documents.submissions(body)

    def source_id(self, body: bytes) -> str | None:
        """As a polled post or a pushed message is named."""
        return source_id(body)

    async def run(self, host: Host) -> None:
        """Polls with a token, takes pushes with an App Secret; with neither it waits to be cancelled."""
        if self.lacks is not None:
            log.warning("weibo_no_account", missing=self.lacks)
        if self._config.app_secret_file is not None:
            Callback(host, self._config.app_secret_file, self.parse).register()
        if self._config.token_file is None:
            await asyncio.Event().wait()
        async with self._api() as api:
            await Poller(self._config, host, self.parse, api).run()

    async def reply(self, to: ReplyAddress, message: Reply) -> Delivery:
        """In private where Weibo lets us, else below the post. Raises TryAgain: nothing was written."""
        if self._config.token_file is None or not self._config.replies_per_day:
            return Delivery(outcome="not_allowed", reason=NO_ACCOUNT)
        return await self._answers.reply(to, message)

    def _api(self) -> Api:
        assert self._config.token_file is not None
        return Api(self._config.token_file, self._config.allow_private, timeout=self._config.timeout)
