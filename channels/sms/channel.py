"""The channel `sms`: a citizen who called gets the answer as a text message. It carries answers only.

May not send anything twice where the vendor cannot tell a repetition, nor keep or log a number or a text.
"""

from __future__ import annotations

import asyncio
import time
from typing import ClassVar, Final, NoReturn

import aiohttp
import phonenumbers
import structlog
from phonenumbers import NumberParseException, PhoneNumberType
from pydantic import BaseModel

from channels.contract import Delivery, Host, Reply
from channels.guard import NotAllowedError, guarded
from channels.sms.answer import LATER, Answer, Doubt, judge
from channels.sms.config import SmsConfig
from channels.sms.request import Request, fitted, id_of, request_of
from normalizer.errors import Rejected, TryAgain
from normalizer.ticket import Inbound, Raw, ReplyAddress

log = structlog.get_logger(__name__)

CHANNEL: Final = "sms"
CONNECT: Final = 5.0
"""Seconds for a connection: until it stands, nothing was sent."""
ANSWER_MAX: Final = 65_536
RETRY_MAX: Final = 86_400.0
_MOBILE: Final = frozenset(
    {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE, PhoneNumberType.PERSONAL_NUMBER}
)


class Sms:
    """Sends short forms. `repeatable`: whether a doubtful sending may be repeated (`channels.contract.Repeating`)."""

    name: ClassVar[str] = CHANNEL
    config_type: ClassVar[type[BaseModel]] = SmsConfig

    def __init__(self, config: SmsConfig, /) -> None:
        self._config = config
        self.repeatable = config.repeatable

    def parse(self, raw: Raw) -> Inbound:
        """Nothing comes in by this channel. Raises Rejected."""
        raise Rejected("replies_only", "The channel sms carries answers only.")

    async def run(self, host: Host) -> None:
        """Nothing to listen for; waits to be cancelled."""
        await asyncio.Event().wait()

    async def reply(self, to: ReplyAddress, message: Reply) -> Delivery:
        """Send its short form. Reasons: `not_a_number`, `no_mobile`, `code_<the vendor's>`, `status_<HTTP>`; of
        `unknown`: `timeout`, `connection_lost`, `no_code`, `status_<HTTP>`.

        Raises:
            TryAgain: not sent; or in doubt, and the vendor knows a repetition.
        """
        if (refused := _refused(to.address)) is not None:
            return refused
        config = self._config
        try:
            secret = await self._secret()
            request = request_of(
                config,
                to=to.address,
                text=fitted(message.short or message.text, config),
                number=message.number,
                id=id_of(message.number, message.operation, to.address),
                secret=secret,
                time=int(time.time()),
            )
            return judge(await self._send(request), config)
        except Doubt as doubt:
            log.warning("sms_in_doubt", reason=doubt.reason)
            if config.repeatable:
                raise TryAgain(
                    config.retry_after, "whether it was sent is unknown; the vendor knows a repetition"
                ) from None
            return Delivery(outcome="unknown", reason=doubt.reason)

    async def _secret(self) -> str:
        """Read each time, so that it can be changed while we run. Raises TryAgain."""
        file = self._config.secret_file
        if file is None:
            return ""
        try:
            return (await asyncio.to_thread(file.read_text, "utf-8")).strip()
        except (OSError, UnicodeDecodeError) as error:
            log.error("sms_secret_unreadable", file=file, error=type(error).__name__)
            raise TryAgain(LATER, "the secret of the vendor cannot be read") from None

    async def _send(self, request: Request) -> Answer:
        """A connection of its own for each message: of an old one nobody knows whether it still stands.

        Raises:
            TryAgain: no connection: nothing was sent.
            Doubt: it broke off, or took too long.
        """
        config = self._config
        try:
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(socket_factory=guarded(config.allow_private), force_close=True),
                    timeout=aiohttp.ClientTimeout(total=config.timeout, connect=min(CONNECT, config.timeout / 2)),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    headers={"User-Agent": "jiesu"},
                    trust_env=False,
                ) as session,
                session.request(
                    config.method,
                    str(config.url),
                    data=request.body,
                    headers=dict(request.headers),
                    allow_redirects=False,
                ) as response,
            ):
                return Answer(response.status, await _body(response), _seconds(response.headers.get("Retry-After")))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            _no_connection(error, config.retry_after)
        except TimeoutError:
            raise Doubt("timeout") from None
        except (aiohttp.ClientError, OSError):
            raise Doubt("connection_lost") from None


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The beginning of the body: a vendor's answer is short, and of a longer one nothing is believed."""
    found = b""
    async for chunk in response.content.iter_any():
        found += chunk
        if len(found) > ANSWER_MAX:
            return b""
    return found


def _refused(number: str) -> Delivery | None:
    """What no vendor can deliver is not paid for: a number that is none, or of a fixed line."""
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException:
        return Delivery(outcome="failed", reason="not_a_number")
    if phonenumbers.number_type(parsed) not in _MOBILE:
        return Delivery(outcome="not_allowed", reason="no_mobile")
    return None


def _no_connection(error: Exception, after: float) -> NoReturn:
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, NotAllowedError):
        log.error("sms_address_not_allowed")
        raise TryAgain(LATER, "the vendor's address is not public; allow_private must list its network") from None
    log.warning("sms_vendor_unreachable", error=type(error).__name__)
    raise TryAgain(after, "the vendor cannot be reached") from None


def _seconds(text: str | None) -> float | None:
    """Retry-After as a number of seconds (RFC 9110, 10.2.3); a date is left to our own waiting."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 10):
        return None
    return min(float(text), RETRY_MAX)
