"""Fetches the pictures of a post before it is accepted, from hosts that the operator lists, into files of an envelope.

May not raise for a picture, follow a redirect, or connect to an address that is not public: what cannot be had is
counted, the post is taken without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import aiohttp
import structlog
from yarl import URL

from channels.addresses import Network
from channels.guard import guarded
from channels.social.envelope import File
from normalizer.attachment import sniff

log = structlog.get_logger(__name__)

SIZE_MAX: Final = 10 * 1024 * 1024
TOTAL_MAX: Final = 40 * 1024 * 1024
COUNT_MAX: Final = 18
"""Pictures of one post: Weibo's most."""
SECONDS: Final = 15.0
TOTAL_SECONDS: Final = 40.0
_CONNECT: Final = 5.0
_TOGETHER: Final = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """What one post may cost: bytes of one picture and of all, pictures, seconds of one and of all."""

    size: int = SIZE_MAX
    total: int = TOTAL_MAX
    count: int = COUNT_MAX
    seconds: float = SECONDS
    total_seconds: float = TOTAL_SECONDS


@dataclass(frozen=True, slots=True)
class Fetched:
    """The files in the order of their addresses, and how many could not be had."""

    files: tuple[File, ...] = ()
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Pictures:
    """`hosts`: names that pictures may come from; `*.example.com` is every name below it. Nothing listed: nothing is
    fetched."""

    hosts: Iterable[str]
    allow_private: tuple[Network, ...] = ()
    limits: Limits = field(default_factory=Limits)

    async def fetch(self, urls: Sequence[str]) -> Fetched:
        """Every picture that can be had within the limits. Raises nothing but CancelledError."""
        wanted = [url for url in urls[: self.limits.count] if self.allows(url)]
        if not wanted:
            return Fetched(missing=len(urls))
        found = await self._all(wanted)
        files, total = [], 0
        for url in wanted:
            content = found.get(url)
            if content is None or total + len(content) > self.limits.total:
                continue
            total += len(content)
            files.append(File(url=url, media_type=sniff(content), content=content))
        return Fetched(tuple(files), len(urls) - len(files))

    def allows(self, url: str) -> bool:
        """Whether the address is http(s) on its own port, without a user, on a listed host."""
        try:
            parsed = URL(url)
            host, secret = (parsed.host or "").lower().rstrip("."), parsed.user or parsed.password
        except (ValueError, TypeError):
            return False
        if parsed.scheme not in ("http", "https") or secret or not host:
            return False
        return any(_covers(listed.lower(), host, parsed) for listed in self.hosts)

    async def _all(self, urls: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        turn = asyncio.Semaphore(_TOGETHER)
        timeout = aiohttp.ClientTimeout(total=self.limits.seconds, connect=min(_CONNECT, self.limits.seconds))
        connector = aiohttp.TCPConnector(socket_factory=guarded(self.allow_private), limit=_TOGETHER)
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "jiesu", "Accept": "image/*"},
            trust_env=False,
        ) as session:

            async def one(url: str) -> None:
                async with turn:
                    content = await self._one(session, url)
                if content is not None:
                    found[url] = content

            try:
                async with asyncio.timeout(self.limits.total_seconds):
                    await asyncio.gather(*(one(url) for url in dict.fromkeys(urls)))
            except TimeoutError:
                log.warning("pictures_took_too_long", count=len(found), total=len(urls))
        return found

    async def _one(self, session: aiohttp.ClientSession, url: str) -> bytes | None:
        """The bytes of a picture; None: no answer of 200, too large, or no picture by its bytes."""
        try:
            async with session.get(url, allow_redirects=False) as response:
                if response.status != 200:
                    raise _LostError(f"status_{response.status}")
                content = await self._body(response)
        except _LostError as error:
            log.info("picture_not_fetched", reason=str(error))
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            log.info("picture_not_fetched", reason=type(error).__name__)
        else:
            return content
        return None

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        content = bytearray()
        async for chunk in response.content.iter_any():
            content += chunk
            if len(content) > self.limits.size:
                raise _LostError("too_large")
        found = bytes(content)
        if not sniff(found).startswith("image/"):
            raise _LostError("no_picture")
        return found


class _LostError(Exception):
    """Why a picture is left out."""


def _covers(listed: str, host: str, url: URL) -> bool:
    """`name`, `*.name`, either with `:port` when it is not the scheme's own."""
    name, colon, port = listed.partition(":")
    if (port if colon else None) != (None if url.is_default_port() else str(url.port)):
        return False
    return host == name or (name.startswith("*.") and host.endswith(name[1:]))
