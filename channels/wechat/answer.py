"""A later answer: a customer-service message while the conversation is open, else a template message, else not allowed.

May not send anything twice: a customer-service message has no id and cannot be read back, so a doubtful one is left.
A template message has one (client_msg_id, good for ten minutes), so a doubtful one is asked for once more.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from channels.contract import Delivery, Reply
from channels.wechat.access import Access, Doubt, Said
from channels.wechat.compose import custom_of, template_of
from channels.wechat.config import WechatConfig
from channels.wechat.keys import LATER
from normalizer.errors import TryAgain
from normalizer.ticket import ReplyAddress

log = structlog.get_logger(__name__)

WINDOW: Final = timedelta(hours=48)
"""After a citizen's message (客服消息下发规则); a minute before its end WeChat is not asked."""
_MARGIN: Final = timedelta(minutes=1)
CUSTOM: Final = "/cgi-bin/message/custom/send"
TEMPLATE: Final = "/cgi-bin/message/template/send"
_OPENID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

LATER_CODES: Final = {-1: 1.0, 45009: 60.0, 45011: 1.0}
"""Busy, no calls left today, too many at once -> times `retry_after`. Nothing was sent."""
OPERATOR_CODES: Final = frozenset({40013, 40125, 40164, 40243, 50004, 50005, 61004})
"""AppID, AppSecret, IP whitelist, frozen: our account, no citizen is to blame."""
CLOSED_CODES: Final = frozenset({45015, 45047, 48001, 48003, 48004})
"""The conversation is over, five messages were sent since the citizen's last, or the account may not: templates may."""
UNWANTED_CODES: Final = frozenset({40003, 43004, 43019, 43101, 48002, 50002})
"""Unknown here, not a follower, on the blacklist, or refused: no way of WeChat reaches them."""
TEMPLATE_CODES: Final = frozenset({40036, 40037, 40039, 41028, 41029, 41030, 43116, 47003, 48001, 48003, 48004})
"""The template is gone, or its fields are not as configured."""


class Answering:
    """Sends replies for one account."""

    def __init__(
        self,
        config: WechatConfig,
        access: Access | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._config = config
        self._access = access or Access(config)
        self._now = now

    async def send(self, to: ReplyAddress, message: Reply) -> Delivery:
        """Reasons of `not_allowed`: `no_secret`, `window_closed`, `code_<WeChat's>`; of `failed`:
        `not_an_openid`, `code_<WeChat's>`; of `unknown`: `timeout`, `connection_lost`, `no_code`, `status_<HTTP>`.

        Raises:
            TryAgain: not sent.
        """
        if self._config.app_secret_file is None:
            return Delivery(outcome="not_allowed", reason="no_secret")
        if not _OPENID.fullmatch(to.address):
            return Delivery(outcome="failed", reason="not_an_openid")
        try:
            closed = "window_closed"
            if self._is_open(message):
                said = await self._access.post(CUSTOM, custom_of(to.address, message))
                if said.code not in CLOSED_CODES:
                    return self._judged(said, reference=None)
                closed = f"code_{said.code}"
            return await self._template(to.address, message, closed)
        except Doubt as doubt:
            log.warning("wechat_in_doubt", reason=doubt.reason)
            return Delivery(outcome="unknown", reason=doubt.reason)

    def _is_open(self, message: Reply) -> bool:
        return message.asked_at is None or self._now() - message.asked_at < WINDOW - _MARGIN

    async def _template(self, openid: str, message: Reply, closed: str) -> Delivery:
        template = self._config.template
        if template is None:
            return Delivery(outcome="not_allowed", reason=closed)
        asked = template_of(template, openid, message, id_of(message, openid), self._now(), self._config.timezone)
        said = await self._asked(asked)
        if said.code in TEMPLATE_CODES:
            log.error("wechat_template_refused", code=said.code)
            return Delivery(outcome="not_allowed", reason=f"code_{said.code}")
        return self._judged(said, reference=_reference(said))

    async def _asked(self, asked: Mapping[str, object]) -> Said:
        """Raises TryAgain: not sent. Raises Doubt: also when the second try is not taken, the first may have been."""
        try:
            return await self._access.post(TEMPLATE, asked)
        except Doubt as doubt:
            log.warning("wechat_template_asked_again", reason=doubt.reason)
            try:
                said = await self._access.post(TEMPLATE, asked)
            except TryAgain:
                raise doubt from None
            if said.code != 0:
                raise
            return said

    def _judged(self, said: Said, reference: str | None) -> Delivery:
        """Raises TryAgain: not sent."""
        if said.code == 0:
            return Delivery(outcome="sent", reference=reference)
        if said.code in LATER_CODES:
            raise TryAgain(self._config.retry_after * LATER_CODES[said.code], "WeChat takes nothing now")
        if said.code in OPERATOR_CODES:
            log.error("wechat_account_refused", code=said.code)
            raise TryAgain(LATER, "WeChat refuses the account")
        outcome = "not_allowed" if said.code in UNWANTED_CODES else "failed"
        return Delivery.model_validate({"outcome": outcome, "reason": f"code_{said.code}"})


def id_of(message: Reply, openid: str) -> str:
    """Names one sending to one citizen for ever (client_msg_id), and nobody can read them in it."""
    return hashlib.sha256(f"{message.number}\0{message.operation}\0{openid}".encode()).hexdigest()[:32]


def _reference(said: Said) -> str | None:
    job = said.document.get("msgid")
    return f"template:{job}" if type(job) is int else None
