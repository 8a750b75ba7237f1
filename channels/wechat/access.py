"""Calls of WeChat's API: the access token (稳定版接口调用凭据) and JSON sent with it.

May not keep a token on disk or log one; every answer is limited. What a code means to a citizen is not known here.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import aiohttp
import structlog

from channels.guard import NotAllowedError, guarded
from channels.wechat.config import WechatConfig
from channels.wechat.keys import LATER
from normalizer.errors import TryAgain

log = structlog.get_logger(__name__)

CONNECT: Final = 5.0
"""Seconds for a connection: until it stands, nothing was sent."""
ANSWER_MAX: Final = 65_536
TOKEN_CODES: Final = frozenset({40001, 40014, 41001, 42001})
"""The access token is wrong, missing or expired: nothing was sent."""
_BUSY_STATUS: Final = frozenset({429, 503})
_EARLY: Final = 300.0  # WeChat changes a token five minutes before its end; both are good then
_SHORTEST: Final = 60.0
_FORCED_EVERY: Final = 1800.0  # WeChat allows 20 forced changes a day, 30 s apart


class Doubt(Exception):
    """It is unknown whether what was asked was done. `reason` is without personal data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Said:
    """WeChat's answer: 0 is yes. `document`: the JSON around the code."""

    code: int
    document: Mapping[str, Any]


class Access:
    """One account's API. The token is kept for this process; all processes get the same from WeChat."""

    def __init__(self, config: WechatConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._token = ""
        self._until = 0.0
        self._forced = float("-inf")

    async def post(self, path: str, document: Mapping[str, object]) -> Said:
        """Sends `document` with the access token; with another one when WeChat refuses it.

        Raises:
            TryAgain: nothing was done.
            Doubt: it may have been done.
        """
        token = await self._current()
        said = await self._call(path, document, token)
        if said.code not in TOKEN_CODES:
            return said
        said = await self._call(path, document, await self._another(token))
        if said.code in TOKEN_CODES:
            log.error("wechat_token_refused", code=said.code)
            raise TryAgain(LATER, "WeChat refuses the access token")
        return said

    async def _current(self) -> str:
        if self._clock() >= self._until:
            await self._renew(force=False)
        return self._token

    async def _another(self, refused: str) -> str:
        """The token that is valid now; when that is the one that was refused, a forced one."""
        await self._renew(force=False)
        if self._token == refused and self._clock() - self._forced > _FORCED_EVERY:
            self._forced = self._clock()
            await self._renew(force=True)
        return self._token

    async def _renew(self, *, force: bool) -> None:
        asked = {
            "grant_type": "client_credential",
            "appid": self._config.app_id,
            "secret": await self._secret(),
            "force_refresh": force,
        }
        try:
            said = await self._call("/cgi-bin/stable_token", asked, None)
        except Doubt:  # asking twice is harmless
            raise TryAgain(self._config.retry_after, "no access token came") from None
        token, lasts = said.document.get("access_token"), said.document.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(lasts, int):
            log.error("wechat_no_token", code=said.code)
            raise TryAgain(self._config.retry_after if said.code == -1 else LATER, "WeChat gives no access token")
        self._token = token
        self._until = self._clock() + max(lasts - _EARLY, _SHORTEST)

    async def _secret(self) -> str:
        """Read each time, so that it can be changed while we run. Raises TryAgain."""
        file = self._config.app_secret_file
        try:
            return (await asyncio.to_thread(file.read_text, "utf-8")).strip() if file is not None else ""
        except (OSError, UnicodeDecodeError) as error:
            log.error("wechat_secret_unreadable", file=str(file), error=type(error).__name__)
            raise TryAgain(LATER, "the AppSecret cannot be read") from None

    async def _call(self, path: str, document: Mapping[str, object], token: str | None) -> Said:
        """One request on a connection of its own. Not escaped: WeChat shows \\uXXXX as it stands (40033)."""
        config = self._config
        try:
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(socket_factory=guarded(config.allow_private), force_close=True),
                    timeout=aiohttp.ClientTimeout(total=config.timeout, connect=min(CONNECT, config.timeout / 2)),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    headers={"User-Agent": "jiesu", "Content-Type": "application/json; charset=utf-8"},
                    trust_env=False,
                ) as session,
                session.post(
                    str(config.api).rstrip("/") + path,
                    params=None if token is None else {"access_token": token},
                    data=json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"),
                    allow_redirects=False,
                ) as response,
            ):
                if response.status in _BUSY_STATUS:
                    raise TryAgain(config.retry_after, "WeChat takes nothing now")
                return _said(response.status, await _read(response))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            _no_connection(error, config.retry_after)
        except TimeoutError:
            raise Doubt("timeout") from None
        except (aiohttp.ClientError, OSError):
            raise Doubt("connection_lost") from None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body; of a longer one than WeChat writes nothing is believed."""
    found = bytearray()
    async for chunk in response.content.iter_any():
        found += chunk
        if len(found) > ANSWER_MAX:
            return b""
    return bytes(found)


def _said(status: int, body: bytes) -> Said:
    """Raises TryAgain: something before the API refused us. Raises Doubt: no answer of the API."""
    if 300 <= status < 500:
        log.error("wechat_api_refuses", status=status)
        raise TryAgain(LATER, "what answers is not WeChat's API")
    if status != 200:
        raise Doubt(f"status_{status}")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise Doubt("no_code") from None
    if not isinstance(document, dict):
        raise Doubt("no_code")
    code = document.get("errcode", 0 if "access_token" in document else None)
    if type(code) is not int:
        raise Doubt("no_code")
    return Said(code, document)


def _no_connection(error: Exception, after: float) -> NoReturn:
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, NotAllowedError):
        log.error("wechat_address_not_allowed")
        raise TryAgain(LATER, "the API's address is not public; allow_private must list its network") from None
    log.warning("wechat_unreachable", error=type(error).__name__)
    raise TryAgain(after, "WeChat cannot be reached") from None
