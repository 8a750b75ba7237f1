"""Authentication-Results (RFC 8601) of our own mail server, which saw the peer that we do not see. Pure.

A sender can write such a field, too. Believed is only what bears the name of our server and stands above the point
where the mail entered our network: fields are added on top (RFC 8601 4.1), so what came along is further down.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from channels.email.auth.marks import METHODS, RESULTS

Networks = Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]

FIELDS_MAX: Final = 50
FIELD_MAX: Final = 16 * 1024
INNER: Final[Networks] = tuple(
    ipaddress.ip_network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10")
)
"""Addresses that nobody has on the Internet: hops inside our server, or of the provider of our mailbox."""

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\\.|[();]|[^"\\();]+|.', re.DOTALL)
_RESULT: Final = re.compile(r"\s*([a-z][a-z0-9-]*)\s*(?:/\s*[0-9]+\s*)?=\s*([a-z]+)(?:\s|$)", re.IGNORECASE)
_NAME: Final = re.compile(r"\s*([^\s;=]+)(?:\s+[0-9]+)?\s*")
_BY: Final = re.compile(r" by ")
_IP: Final = re.compile(r"(?<![\w.:])(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})(?![\w:])")
_LITERAL: Final = re.compile(r"\[([^\[\]]*)\]")


def found(fields: Iterable[tuple[bytes, bytes]], server: str, trusted: Networks) -> dict[str, str]:
    """Method -> result, as `server` (its authserv-id) wrote them. Of several signatures the best counts, of anything
    else the first. `fields` from the top."""
    said: dict[str, str] = {}
    for value in _ours(fields, trusted):
        for method, result in _read(value, server):
            if method not in said or (method == "dkim" and result == "pass"):
                said[method] = result
    return said


def _ours(fields: Iterable[tuple[bytes, bytes]], trusted: Networks) -> Iterator[str]:
    """The fields above the second Received that does not speak of a hop inside: the first one is our server's own,
    and servers write their results below it as often as above."""
    entered = False
    count = 0
    for name, value in fields:
        name = name.lower()
        if name == b"received":
            if entered:
                return
            entered = not _is_inner(value[:FIELD_MAX].decode("latin-1"), trusted)
        elif name == b"authentication-results" and count < FIELDS_MAX:
            count += 1
            yield value[:FIELD_MAX].decode("latin-1")


def _is_inner(received: str, trusted: Networks) -> bool:
    """Whether the hop came from inside. A server names the peer's address there; a peer can make it name more
    addresses (in HELO), never fewer. Without a from part it was handed on within one server (RFC 5321 4.4)."""
    text = " ".join(received.split()).lower()
    if not text.startswith("from "):
        return True
    origin = _BY.split(text, maxsplit=1)[0].replace("ipv6:", "")
    places = {*_IP.findall(origin), *_LITERAL.findall(origin)}
    return bool(places) and all(_is_in(place, (*INNER, *trusted)) for place in places)


def _is_in(place: str, networks: Networks) -> bool:
    """False for what is no address."""
    try:
        address = ipaddress.ip_address(place)
    except ValueError:
        return False
    return any(address in network for network in networks)


def _read(value: str, server: str) -> Iterator[tuple[str, str]]:
    first, *rest = _clauses(value)
    name = _NAME.fullmatch(first)
    if name is None or name[1].strip('"').lower() != server.lower():
        return
    for clause in rest:
        said = _RESULT.match(clause)
        if said is not None and said[1].lower() in METHODS and said[2].lower() in RESULTS:
            yield said[1].lower(), said[2].lower()


def _clauses(value: str) -> list[str]:
    """The field at its semicolons, without comments (which nest); quoted strings stay whole."""
    clauses, depth = [""], 0
    for piece in _TOKEN.findall(value):
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(0, depth - 1)
        elif depth == 0 and piece == ";":
            clauses.append("")
        elif depth == 0:
            clauses[-1] += piece
    return clauses
