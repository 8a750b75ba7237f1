"""DNS as the checks need it: who answers is injected; what is asked for one mail is remembered and limited.

May not decide anything: there is an answer, or none, or a failure that may pass.
"""

from __future__ import annotations

import asyncio
from typing import Final, Literal, Protocol

import dns.asyncresolver
import dns.exception
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.PTR import PTR
from dns.rdtypes.ANY.TXT import TXT

Kind = Literal["TXT", "A", "AAAA", "MX", "PTR"]

LOOKUPS_MAX: Final = 60
"""Questions asked for one mail: SPF may need 10 terms and their names, five signatures one key each."""
RECORDS_MAX: Final = 50
"""Records of one answer; those behind are not looked at."""
CACHED: Final = 512
"""Answers kept while they are valid."""
AT_ONCE: Final = 64
"""Questions under way at once, of all mails: each is a socket."""


class DnsFailed(Exception):
    """No answer now (a time-out, SERVFAIL); there may be one later."""


class TooMany(Exception):
    """The mail asks more than `LOOKUPS_MAX` questions."""


class Resolver(Protocol):
    """Who answers."""

    async def lookup(self, name: str, kind: Kind) -> tuple[str, ...]:
        """The records of that kind, CNAMEs followed; none: the name or the kind does not exist there.

        A TXT record is its strings in one, each byte a character (Latin-1); MX is `preference host`.

        Raises:
            DnsFailed: it cannot be known now.
        """


class SystemResolver:
    """The name servers of the system, with a small cache that obeys the records' time to live."""

    def __init__(self, timeout: float, resolver: dns.asyncresolver.Resolver | None = None) -> None:
        self._timeout = timeout
        self._limit = asyncio.Semaphore(AT_ONCE)
        self._resolver = resolver

    async def lookup(self, name: str, kind: Kind) -> tuple[str, ...]:
        """As `Resolver` says."""
        try:
            async with self._limit:
                answer = await self._made().resolve(name, kind, search=False, lifetime=self._timeout)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.YXDOMAIN):
            return ()
        except (dns.resolver.NoNameservers, dns.resolver.NoResolverConfiguration, dns.exception.Timeout, OSError):
            raise DnsFailed from None
        except (dns.exception.DNSException, UnicodeError):
            return ()  # no name that could exist
        return tuple(_text(record) for record in answer)

    def _made(self) -> dns.asyncresolver.Resolver:
        """Made when first needed: it reads the system's configuration, which may be missing."""
        if self._resolver is None:
            self._resolver = dns.asyncresolver.Resolver()
            self._resolver.cache = dns.resolver.LRUCache(CACHED)
        return self._resolver


def _text(record: object) -> str:
    if isinstance(record, TXT):
        return b"".join(record.strings).decode("latin-1")
    if isinstance(record, MX):
        return f"{record.preference} {record.exchange.to_text(omit_final_dot=True)}"
    if isinstance(record, PTR):
        return record.target.to_text(omit_final_dot=True)
    return str(record)


class Lookups:
    """What was asked for one mail: nothing twice, and not without end."""

    def __init__(self, dns: Resolver) -> None:
        self.known: dict[tuple[str, Kind], tuple[str, ...] | None] = {}
        self._dns = dns
        self._asked = 0

    async def fetch(self, name: str, kind: Kind) -> None:
        """Have `known` hold the answer, None for a failure.

        Raises:
            TooMany: this mail has asked enough.
        """
        key = named(name), kind
        if key in self.known:
            return
        self._asked += 1
        if self._asked > LOOKUPS_MAX:
            raise TooMany
        try:
            self.known[key] = (await self._dns.lookup(*key))[:RECORDS_MAX]
        except DnsFailed:
            self.known[key] = None

    async def texts(self, name: str) -> tuple[str, ...]:
        """The TXT records of `name`.

        Raises:
            DnsFailed, TooMany
        """
        await self.fetch(name, "TXT")
        found = self.known[named(name), "TXT"]
        if found is None:
            raise DnsFailed
        return found


def named(name: str) -> str:
    """The name as it is asked for: lower case, no dot at the end."""
    return name.lower().removesuffix(".")
