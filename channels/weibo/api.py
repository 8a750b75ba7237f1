"""Weibo's HTTP interface as the poller and the answers use it: one call, its JSON, or what the refusal means.

May not repeat a call, count calls, or keep a token: it is read from its file each time, so that it can be renewed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from channels.addresses import Network
from channels.guard import guarded

ANSWER_MAX: Final = 8 * 1024 * 1024
"""200 posts with everything that hangs on them are about 2 MB."""
TIMEOUT: Final = 20.0
CONNECT: Final = 5.0

# open.weibo.com, "Error code" and "Rate-limiting".
BUSY: Final = frozenset({10001, 10002, 10003, 10009, 10010, 10011})
LIMITED: Final = frozenset({10004, 10022, 10023, 10024})
TOKEN: Final = frozenset({10006, *range(21314, 21320), *range(21322, 21328), 21330, 21332})
GONE: Final = frozenset({20101, 20201})
REPEATED: Final = frozenset({20016, 20017, 20019})
FORBIDDEN: Final = frozenset({10014, 20003, 20112, 20206, 20207, 20210})
LIMITED_FOR: Final = 3600.0
"""Seconds: Weibo's limits are of an hour or a day, and it does not say of which."""


class WeiboError(Exception):
    """Why a call came to nothing; `code`: Weibo's, or a word of ours. Never a word of what was sent."""

    def __init__(self, code: int | str) -> None:
        super().__init__(str(code))
        self.code = code


class TokenRefused(WeiboError):
    """Only a person can mend it: a new token in the file."""


class Limited(WeiboError):
    """Too many calls; later."""


class NotSent(WeiboError):
    """Weibo never got the call."""


class InDoubt(WeiboError):
    """No usable answer: whether it was carried out is unknown."""


class Refused(WeiboError):
    """Weibo's no to this call; the same again gets the same."""


class Api:
    """A session of calls. Every call raises the errors above, and nothing else."""

    def __init__(self, token_file: Path, allow_private: tuple[Network, ...], *, timeout: float = TIMEOUT) -> None:
        self._token_file = token_file
        self._token = ""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(socket_factory=guarded(allow_private)),
            timeout=aiohttp.ClientTimeout(total=timeout, connect=CONNECT),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "jiesu"},
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def has_refused_token(self) -> bool:
        """Whether the file still holds nothing but the token of the last call."""
        return await self._read_token() in ("", self._token)

    async def _access(self) -> dict[str, str]:
        self._token = await self._read_token()
        if not self._token:
            raise TokenRefused("token_unreadable")
        return {"access_token": self._token}

    async def _read_token(self) -> str:
        try:
            return (await asyncio.to_thread(self._token_file.read_text, "utf-8")).strip()
        except (OSError, UnicodeDecodeError):
            return ""

    async def get(self, url: str, **parameters: str | int) -> dict[str, Any]:
        """Read something."""
        return await self._call("GET", url, params=_texts(parameters) | await self._access())

    async def post(self, url: str, **form: str | int) -> dict[str, Any]:
        """Do something; InDoubt when nobody knows whether it was done."""
        return await self._call("POST", url, data=_texts(form) | await self._access())

    async def _call(self, method: str, url: str, **content: Mapping[str, str]) -> dict[str, Any]:
        try:
            async with self._session.request(method, url, allow_redirects=False, **content) as response:  # type: ignore[arg-type] # params and data
                status, body = response.status, await _body(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(type(error).__name__) from None
        except TimeoutError:
            raise InDoubt("timeout") from None
        except (aiohttp.ClientError, OSError) as error:
            raise InDoubt(type(error).__name__) from None
        return _read(status, body)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    found = bytearray()
    async for chunk in response.content.iter_any():
        found += chunk
        if len(found) > ANSWER_MAX:
            raise InDoubt("answer_too_large")
    return bytes(found)


def _read(status: int, body: bytes) -> dict[str, Any]:
    """Errors come with any status, and their code as a number or as text."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if answer == []:  # how an empty object leaves Weibo's servers
        answer = {}
    if not isinstance(answer, dict):
        raise InDoubt(f"status_{status}")
    if (code := answer.get("error_code")) is None:
        if status >= 400:
            raise InDoubt(f"status_{status}")
        return answer
    raise refusal(code)


def refusal(code: object) -> WeiboError:
    """What an error code means for the caller."""
    try:
        number = int(str(code))
    except ValueError:
        return InDoubt("strange_code")
    if number in TOKEN:
        return TokenRefused(number)
    if number in LIMITED:
        return Limited(number)
    return InDoubt(number) if number in BUSY else Refused(number)


def _texts(parameters: Mapping[str, str | int]) -> dict[str, str]:
    return {name: str(value) for name, value in parameters.items()}
