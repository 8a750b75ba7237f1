"""All checks of one mail, in a limited time, before it is accepted.

May not raise, and may not say more than a mark: what fails here is `temperror`, and the mail is taken.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import Final, TypeVar

import structlog

from channels.email.auth import dmarc, results, sender
from channels.email.auth.marks import encode, verifications
from channels.email.auth.resolver import Lookups, Resolver, SystemResolver, named
from channels.email.auth.signatures import Letter, Signed, arc_of, best, dkim_of, keys_of, may_be_signed
from channels.email.config import EmailConfig
from normalizer.ticket import Verification

log = structlog.get_logger(__name__)

T = TypeVar("T")
LARGE: Final = 256 * 1024
"""Bytes from which a mail is hashed in a thread: the loop serves others meanwhile."""
TIMEOUT: Final = 3.0


async def verify(
    content: bytes,
    *,
    peer: str | None,
    helo: str,
    envelope_from: str,
    dns: Resolver,
    now: float | None = None,
    timeout: float = TIMEOUT,
) -> tuple[Verification, ...]:
    """What can be found out of who wrote the mail.

    `peer` is the IP address that sent it, None for our own mail server: then SPF has nothing to look at, and DMARC is
    said only when a signature passes it. `envelope_from` is empty for the null sender. `now`: seconds since the
    epoch; `timeout`: seconds for all of it, after which what is missing is `temperror`.

    Raises:
        Rejected: the head is longer than any mail's.
    """
    if peer is None and not may_be_signed(content):
        return ()
    mail = _Mail(Letter(content), len(content), dns, time.time() if now is None else now, timeout)
    if peer is None:
        return verifications(await mail.from_our_server())
    return verifications(await mail.from_stranger(peer, helo, envelope_from))


class Verifier:
    """The checks as configured, for every way mail comes in."""

    def __init__(self, config: EmailConfig, dns: Resolver | None = None) -> None:
        self._config = config
        self._dns = dns or SystemResolver(config.verify_timeout)
        self._stranger = lru_cache(1024)(self._looked_at)

    async def marks(self, content: bytes, transport: Mapping[str, str]) -> str:
        """What goes into `Raw.meta` under `marks.META`; empty for nothing. Never raises.

        `transport` is what `Raw.meta` holds of it: without an IP address as `peer` it came from our own server (a
        unix socket, a mailbox).
        """
        if self._config.verify == "none":
            return ""
        try:
            peer = self._stranger(transport.get("peer", ""))
            if peer is None and (said := self._said(content)):
                return encode(said)
            found = await verify(
                content,
                peer=peer,
                helo=transport.get("helo", ""),
                envelope_from=transport.get("envelope_from", ""),
                dns=self._dns,
                timeout=self._config.verify_timeout,
            )
        except Exception as error:
            _failed("all", error)
            return ""
        return encode({mark.method: mark.result for mark in found})

    def _said(self, content: bytes) -> dict[str, str]:
        """What our own server found (RFC 8601 7.1)."""
        server = self._config.authserv_id
        return {} if server is None else results.found(Letter(content).fields, server, self._config.trusted)

    def _looked_at(self, peer: str) -> str | None:
        """The peer's address; None when it is our own server."""
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return None
        return None if any(address in network for network in self._config.trusted) else peer


class _Mail:
    """One mail under check."""

    def __init__(self, letter: Letter, size: int, dns: Resolver, now: float, timeout: float) -> None:
        self.letter = letter
        self._size = size
        self._lookups = Lookups(dns)
        self._now = now
        self._until = asyncio.get_running_loop().time() + timeout

    async def from_our_server(self) -> dict[str, str]:
        signed, arc = await self._signatures()
        domain = dmarc.author_domain(self.letter.values(b"from"))
        found = {"dkim": best(signed)} if signed else {}
        found |= {} if arc == "none" else {"arc": arc}
        if domain is not None and signed:
            policy = await self._policy(domain)
            if dmarc.judge(domain, policy, ("", "none"), _good(signed), waits=False) == "pass":
                found["dmarc"] = "pass"
        return found

    async def from_stranger(self, peer: str, helo: str, envelope_from: str) -> dict[str, str]:
        domain = dmarc.author_domain(self.letter.values(b"from"))
        spf, policy, (signed, arc) = await asyncio.gather(
            self._in_time("spf", sender.check(peer, envelope_from, helo, self._lookups), "temperror"),
            self._policy(domain),
            self._signatures(),
        )
        found = {"spf": spf, "dkim": best(signed)} | ({} if arc == "none" else {"arc": arc})
        by = sender.identity(envelope_from, helo), spf
        waits = any(one.result == "temperror" for one in signed)
        found["dmarc"] = dmarc.judge(domain or "", policy, by, _good(signed), waits)
        return found

    async def _policy(self, domain: str | None) -> dmarc.Policy | str:
        if domain is None:
            return "permerror"
        late: dmarc.Policy | str = "temperror"
        return await self._in_time("dmarc", dmarc.discover(domain, self._lookups), late)

    async def _signatures(self) -> tuple[tuple[Signed, ...], str]:
        """DKIM's and ARC's results."""
        none: set[str] = set()
        names = await self._in_time("dkim", self._off_loop(partial(keys_of, self.letter)), none)
        await self._in_time("dkim", self._fetch(names), None)
        keys = {name: self._lookups.known.get((named(name), "TXT")) for name in names}
        lost = (Signed("", "temperror"),) if self.letter.values(b"dkim-signature") else ()
        signed = await self._in_time("dkim", self._off_loop(partial(dkim_of, self.letter, keys, self._now)), lost)
        chained = "temperror" if self.letter.values(b"arc-seal") else "none"
        return signed, await self._in_time("arc", self._off_loop(partial(arc_of, self.letter, keys)), chained)

    async def _fetch(self, names: Iterable[str]) -> None:
        await asyncio.gather(*(self._lookups.fetch(name, "TXT") for name in names))

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.to_thread(work) if self._size > LARGE else work()

    async def _in_time(self, method: str, work: Awaitable[T], otherwise: T) -> T:
        try:
            async with asyncio.timeout_at(self._until):
                return await work
        except Exception as error:
            _failed(method, error)
            return otherwise


def _good(signed: Iterable[Signed]) -> list[str]:
    return [one.domain for one in signed if one.result == "pass"]


def _failed(method: str, error: Exception) -> None:
    """The message of the error may hold what the mail says."""
    log.warning("mail_not_verified", method=method, error=type(error).__name__)
