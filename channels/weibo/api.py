"""Weibo's HTTP interface as the poller and the answers use it: one call, its JSON, or what the refusal means.

May not repeat a call, count calls, or keep a token: it is read from its file each time, so that it can be renewed.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import aiohttp

from channels.addresses import Network
from channels.guard import guarded
from channels.social.once import once

ANSWER_MAX: Final = 8 * 1024 * 1024
"""200 posts with everything that hangs on them are about 2 MB."""
TIMEOUT: Final = 20.0
CONNECT: Final = 5.0
TOKEN_MAX: Final = 4096

# open.weibo.com, "Error code" and "Rate-limiting".
BUSY: Final = frozenset({10001, 10002, 10003, 10009, 10010, 10011, 20014, 20032})
"""20032: it was written, and is shown in a minute or two."""
LIMITED: Final = frozenset({10004, 10022, 10023, 10024, 20015, 20016, 20022, 20031})
"""20016: too many posts in an hour. 20015, 20022, 20031: Weibo mistrusts our account or address for a while."""
TOKEN: Final = frozenset({10006, *range(21314, 21320), *range(21322, 21328), 21330, 21332})
GONE: Final = frozenset({20101, 20201})
REPEATED: Final = frozenset({20017, 20019, 20306})
FORBIDDEN: Final = frozenset({10014, 20003, 20112, 20206, 20207, 20210, 20301})
"""20301: whom we may not write to in private: no follower, nothing written within 48 hours, answered already."""
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


class _Token(NamedTuple):
    """What the file held, and when it was written."""

    text: str
    written: int


_NO_TOKEN: Final = _Token("", 0)


class Api:
    """A session of calls. Every call raises the errors above, and nothing else."""

    def __init__(self, token_file: Path, allow_private: tuple[Network, ...], *, timeout: float = TIMEOUT) -> None:
        self._token_file = token_file
        self._used = _NO_TOKEN
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
        """Whether the file is still the one of the last call, or holds nothing. Weibo may renew a token and not change
        it, so a file that was written anew counts."""
        found = await asyncio.to_thread(self._read_token)
        return not found.text or found == self._used

    async def _access(self) -> dict[str, str]:
        self._used = await asyncio.to_thread(self._read_token)
        if not self._used.text:
            raise TokenRefused("token_unreadable")
        return {"access_token": self._used.text}

    def _read_token(self) -> _Token:
        try:
            with self._token_file.open("rb") as file:
                return _Token(file.read(TOKEN_MAX).decode().strip(), os.fstat(file.fileno()).st_mtime_ns)
        except (OSError, UnicodeDecodeError):
            return _NO_TOKEN

    async def get(self, url: str, **parameters: str | int) -> dict[str, Any]:
        """Read something."""
        return await self._call("GET", url, params=_texts(parameters) | await self._access())

    async def post(self, url: str, **form: str | int) -> dict[str, Any]:
        """Do something; InDoubt when nobody knows whether it was done."""
        return await self._call("POST", url, data=_texts(form) | await self._access())

    async def _call(self, method: str, url: str, **content: Any) -> dict[str, Any]:
        try:
            async with self._session.request(
                method, url, allow_redirects=False, middlewares=(once(),), **content
            ) as response:
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
