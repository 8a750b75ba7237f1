"""SPF (RFC 7208), by pyspf: may this peer send for the domain of MAIL FROM, or of HELO when that is empty.

May not ask the DNS: pyspf runs over the answers that are there and starts again when one was missing, so that it
needs no thread that waits, and no resolver of its own.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

import idna

from channels.email.auth.resolver import Kind, Lookups, TooMany, named

with warnings.catch_warnings():
    warnings.simplefilter("ignore", SyntaxWarning)
    warnings.simplefilter("ignore", DeprecationWarning)  # what the same is called before Python 3.12
    import spf  # a file of 2020, with escapes that Python warns of when it compiles it

Answers = Mapping[tuple[str, Kind], tuple[str, ...] | None]
TERMS_MAX: Final = 500
"""Of one policy with all that it includes."""
TERM_MAX: Final = 300
_LABEL: Final = re.compile(r"[^.\s@\[\]]{1,63}")


class _Missing(Exception):
    def __init__(self, name: str, kind: Kind) -> None:
        super().__init__(name, kind)
        self.name, self.kind = name, kind


class _Query(spf.query):  # type: ignore[misc]
    """A query that knows some answers."""

    def __init__(self, peer: str, local: str, domain: str, helo: str, known: Answers, read: dict[Any, Any]) -> None:
        super().__init__(i=peer, s=f"{local}@{domain}", h=helo)
        self.l, self.o, self.d = local, domain, domain  # the library splits at the first @, which may be quoted
        self._known, self._read = known, read
        self._terms = 0

    def dns(self, name: str, qtype: Kind, cnames: object = None, ignore_void: object = False) -> list[Any]:
        """pyspf asks here. Names that cannot exist have no records (RFC 7208 4.8)."""
        name = named(str(name))
        if not is_name(name):
            return []
        if (name, qtype) not in self._known:
            raise _Missing(name, qtype)
        records = self._known[name, qtype]
        if records is None:
            raise spf.TempError("DNS")
        if not records and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError("Too many void lookups (RFC 7208 4.6.4)")
        return [_record(record, qtype) for record in records]

    def dns_spf(self, domain: str) -> str | None:
        """Nobody needs as many terms, or as long ones, as would keep us busy."""
        text: str | None = super().dns_spf(domain)
        terms = text.split(" ") if text else []
        self._terms += len(terms)
        if self._terms > TERMS_MAX or any(len(term) > TERM_MAX for term in terms):
            raise spf.PermError("More than anybody needs")
        return text

    def validate_mechanism(self, mech: str) -> Any:
        """Once for all runs: most of the time goes here."""
        key = mech, self.d
        if key not in self._read:
            self._read[key] = super().validate_mechanism(mech)
        return self._read[key]

    def dns_mx(self, domainname: str) -> Iterator[str]:
        """The limit ends it where it is reached: an address that matches before it does (RFC 7208 4.6.4)."""
        for at, (_, host) in enumerate(sorted(self.dns(domainname, "MX"))):
            if at == spf.MAX_MX:
                raise spf.PermError("More than 10 MX names")
            yield from self.dns(host, self.A)

    def validated_ptrs(self) -> list[str]:
        """Names that cannot be had are left out (RFC 7208 5.5), and are no void lookups of a term."""
        return [name for name in self._tried(self.dns_ptr, self.i)[: spf.MAX_PTR] if self._is_of_peer(name)]

    def _is_of_peer(self, name: str) -> bool:
        addresses = self._tried(partial(self.dns, ignore_void=True), name, self.A)
        return bool(self.cidrmatch(addresses, self.cidrmax))

    def _tried(self, ask: Callable[..., list[str]], *what: str) -> list[str]:
        try:
            return ask(*what)
        except spf.TempError:
            return []

    def cidrmatch(self, ipaddrs: Iterable[str], n: int) -> bool:
        """Address by address: the next name is asked for only when those before did not match."""
        return any(self.ipaddr in _network(address, n) for address in ipaddrs)

    def get_explanation(self, spec: str) -> None:
        """Nobody is told: no lookup for it (RFC 7208 6.2 leaves it to us)."""


@lru_cache(4096)
def _network(address: str, length: int) -> IPv4Network | IPv6Network:
    return ip_network((address, length), strict=False)


def _record(record: str, kind: Kind) -> Any:
    if kind == "TXT":
        return (record.encode("latin-1", "replace"),)
    if kind == "MX":
        preference, _, host = record.partition(" ")
        return int(preference), host
    return record


async def check(peer: str, sender: str, helo: str, lookups: Lookups) -> str:
    """The result word of RFC 8601 2.7.2.

    `sender` may be empty or lack its local part; `peer` is an IP address.
    """
    domain = identity(sender, helo)
    if "." not in domain or not is_name(domain):
        return "none"  # RFC 7208 4.3
    local = sender.rpartition("@")[0] or "postmaster"
    read: dict[Any, Any] = {}
    while True:
        try:
            return str(_Query(peer, local, domain, helo, lookups.known, read).check()[0])
        except _Missing as missing:
            try:
                await lookups.fetch(missing.name, missing.kind)
            except TooMany:
                return "permerror"


def identity(sender: str, helo: str) -> str:
    """The domain that is checked (RFC 7208 2.3, 2.4), in ASCII."""
    return ascii_domain((sender.rpartition("@")[2] if sender else "") or helo)


def ascii_domain(domain: str) -> str:
    """Lower case, in A-labels (RFC 5891) where there are others, no dot at the end."""
    domain = named(domain.strip())
    try:
        return domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return domain


def is_name(name: str) -> bool:
    """Whether the DNS could hold it (RFC 1035 2.3.4)."""
    return 0 < len(name) <= 253 and all(map(_LABEL.fullmatch, name.split(".")))
