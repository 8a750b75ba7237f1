"""The real resolver against a name server of our own: records, none, and failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from channels.email.auth.resolver import LOOKUPS_MAX, RECORDS_MAX, DnsFailed, Kind, Lookups, SystemResolver, TooMany
from tests.channels.email.zones import Zone
from tests.waiting import HANGS

RECORDS = {
    ("long.example.", "TXT"): ['"v=DKIM1; " "p=AAAA"', '"second\\200"'],
    ("a.example.", "A"): ["192.0.2.1", "192.0.2.2"],
    ("a.example.", "AAAA"): ["2001:db8::1"],
    ("a.example.", "MX"): ["10 mail.a.example."],
    ("1.2.0.192.in-addr.arpa.", "PTR"): ["a.example."],
}


class NameServer(asyncio.DatagramProtocol):
    """Answers from RECORDS; SERVFAIL below `broken.`, silence below `silent.`."""

    def __init__(self) -> None:
        self.asked = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        asked = dns.message.from_wire(data)
        (question,) = asked.question
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        if name.endswith("silent."):
            return
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.RA
        if (name, kind) in RECORDS:
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *RECORDS[name, kind]))
        elif name.endswith("broken."):
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif not any(known == name for known, _ in RECORDS):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), addr)


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        NameServer, local_addr=("127.0.0.1", 0)
    )
    yield server
    transport.close()


@pytest.fixture
def resolver(server: NameServer) -> SystemResolver:
    return asking(server, HANGS)


def asking(server: NameServer, timeout: float) -> SystemResolver:
    made = dns.asyncresolver.Resolver(configure=False)
    made.nameservers, made.port = ["127.0.0.1"], server.transport.get_extra_info("sockname")[1]
    made.cache = dns.resolver.LRUCache(8)
    made.timeout = timeout  # of one question: on a busy machine the second one is not to be asked
    return SystemResolver(timeout, made)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("long.example", "TXT", ("v=DKIM1; p=AAAA", "second\xc8")),
        ("a.example", "A", ("192.0.2.1", "192.0.2.2")),
        ("a.example", "AAAA", ("2001:db8::1",)),
        ("a.example", "MX", ("10 mail.a.example",)),
        ("1.2.0.192.in-addr.arpa", "PTR", ("a.example",)),
        ("a.example", "TXT", ()),
        ("nobody.example", "TXT", ()),
        ("a..example", "TXT", ()),
        ("x" * 64 + ".example", "TXT", ()),
        ("", "TXT", ()),
    ],
)
async def test_records_and_none(resolver: SystemResolver, name: str, kind: Kind, expected: tuple[str, ...]) -> None:
    assert set(await resolver.lookup(name, kind)) == set(expected)


@pytest.mark.parametrize("name", ["x.broken", "x.silent"])
async def test_no_answer_is_a_failure_that_may_pass(server: NameServer, name: str) -> None:
    with pytest.raises(DnsFailed):
        await asking(server, 0.3).lookup(name, "TXT")


async def test_an_answer_is_kept_while_it_is_valid(resolver: SystemResolver, server: NameServer) -> None:
    for _ in range(3):
        await resolver.lookup("a.example", "A")
    assert server.asked == 1


async def test_one_mail_asks_nothing_twice_and_not_without_end() -> None:
    zone = Zone({("a.example", "A"): tuple(f"10.0.0.{n}" for n in range(100))})
    lookups = Lookups(zone)
    for name in ("a.example", "A.Example", "a.example."):
        await lookups.fetch(name, "A")
    assert len(zone.asked) == 1
    assert len(lookups.known["a.example", "A"] or ()) == RECORDS_MAX
    for n in range(LOOKUPS_MAX - 1):
        await lookups.fetch(f"{n}.example", "A")
    with pytest.raises(TooMany):
        await lookups.fetch("one.more.example", "A")
