"""SPF: the suite that Stalwart's mail-auth is tested with, where it agrees with RFC 7208; and our own limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import pytest

from channels.email.auth import sender
from channels.email.auth.resolver import LOOKUPS_MAX, Kind, Lookups
from tests.channels.email.zones import SHARED, Zone, shared

# Where the suite and the RFC differ: (scenario, HELO, peer) -> what it expects, what we say.
DIFFERENCES = {
    # `ip:` is no mechanism, and errors count anywhere in a record, behind `all` too (4.6).
    ("All test", "test.org", "10.0.0.1"): ("fail", "permerror"),
    # Ten names without records: more than two void lookups (4.6.4), which the suite does not count.
    ("DNS Lookup Limits", "ok.test.org", "172.168.0.1"): ("softfail", "permerror"),
    # `exists` asks for A records whatever the peer's address is (5.7); there are only AAAA records.
    ("Exists", "ip6.test.org", "167.1.2.3"): ("pass", "fail"),
    ("Macro expansion 2", "mx.example.org", "2001:db8::cb01"): ("pass", "fail"),
    # `ip6` does not match a peer with an IPv4 address (5.6), not even written as ::ffff:10.1.2.3.
    ("IPv6 match", "test.org", "10.1.2.3"): ("pass", "fail"),
}
CASES = 163


class Case(NamedTuple):
    name: str
    helo: str
    sender: str
    peer: str
    expected: str
    zone: Zone


async def verdict(case: Case) -> str:
    """As the suite means it: MAIL FROM counts when HELO has passed."""
    said = await sender.check(case.peer, "", case.helo, Lookups(case.zone))
    return await sender.check(case.peer, case.sender, case.helo, Lookups(case.zone)) if said == "pass" else said


def cases(path: Path) -> Iterator[Case]:
    """The files look like YAML, but repeat keys: a line sets a value, `expect` makes a case of the values."""
    for scenario in path.read_text().split("\n---\n"):
        zone, now = Zone(), dict.fromkeys(("name", "domain", "sender", "ip"), "")
        zone.down = {"_dns_error.org", "_dns_error.test.org"}
        for key, value in re.findall(r"^[ -]*([a-z]+):[ ]*(.*?) *$", scenario, re.MULTILINE):
            if key == "expect":
                copy = Zone(zone.records)
                copy.down = zone.down
                yield Case(now["name"], now["domain"], now["sender"], now["ip"], value.split()[0], copy)
            elif key in now:
                now[key] = value
            elif value:
                add(zone, key, *value.split(" ", 1))


def add(zone: Zone, key: str, name: str, text: str = "") -> None:
    name, words = name.lower(), tuple(word.strip() for word in text.split(",") if word.strip())
    if key in ("spf", "exp"):
        zone.records[name, "TXT"] = (text,)
    elif key == "ptr":
        zone.records[ip_address(name).reverse_pointer, "PTR"] = words
    elif key == "mx":
        zone.records[name, "MX"] = tuple(f"{at} mx{at}.{name}" for at in range(len(words)))
        zone.records.update({(f"mx{at}.{name}", kind(word)): (word,) for at, word in enumerate(words)})
    else:
        zone.records[name, kind(words[0])] = words


def kind(address: str) -> Kind:
    return "AAAA" if ":" in address else "A"


FILES = sorted(path.name for path in (SHARED / "auth_stalwart/spf").glob("*.yml"))


@pytest.mark.parametrize("name", FILES)
async def test_the_suite_has_its_verdicts(name: str) -> None:
    for case in cases(shared("auth_stalwart/spf") / name):
        _, ours = DIFFERENCES.get((case.name, case.helo, case.peer), (None, case.expected))
        assert await verdict(case) == ours, case


def test_the_whole_suite_is_run() -> None:
    found = [case for path in shared("auth_stalwart/spf").glob("*.yml") for case in cases(path)]
    assert len(found) == CASES
    said = {(case.name, case.helo, case.peer): case.expected for case in found}
    assert {key: said[key] for key in DIFFERENCES} == {key: suite for key, (suite, _) in DIFFERENCES.items()}


async def test_the_null_sender_is_checked_by_its_helo() -> None:
    zone = Zone.of_texts({"mta.example.net": "v=spf1 ip4:192.0.2.1 -all", "example.net": "v=spf1 -all"})
    assert await sender.check("192.0.2.1", "", "mta.example.net", Lookups(zone)) == "pass"
    assert await sender.check("192.0.2.9", "", "mta.example.net", Lookups(zone)) == "fail"
    assert await sender.check("192.0.2.1", "li@example.net", "mta.example.net", Lookups(zone)) == "fail"


@pytest.mark.parametrize("helo", ["", "[192.0.2.1]", "localhost", "a..b", "x" * 64 + ".net", "bad name.net", "."])
async def test_a_helo_that_is_no_domain_gives_none_and_asks_nobody(helo: str) -> None:
    zone = Zone()
    assert await sender.check("192.0.2.1", "", helo, Lookups(zone)) == "none"
    assert zone.asked == []


async def test_a_name_server_that_fails_is_temporary() -> None:
    zone = Zone.of_texts({"a.example": "v=spf1 include:b.example -all"})
    zone.down = {"b.example"}
    assert await sender.check("192.0.2.1", "x@a.example", "h.example", Lookups(zone)) == "temperror"


async def test_a_quoted_local_part_with_an_at_does_not_move_the_domain() -> None:
    zone = Zone.of_texts({"a.example": "v=spf1 ip4:192.0.2.1 -all"})
    assert await sender.check("192.0.2.1", '"x@evil.example"@a.example', "h", Lookups(zone)) == "pass"


async def test_a_chinese_domain_is_asked_for_in_ascii() -> None:
    zone = Zone.of_texts({"xn--fsqu00a.xn--fiqs8s": "v=spf1 ip4:192.0.2.1 -all"})
    assert await sender.check("192.0.2.1", "x@例子.中国", "h", Lookups(zone)) == "pass"


async def test_a_policy_that_asks_without_end_is_an_error() -> None:
    zone = Zone.of_texts({"a.example": "v=spf1 " + " ".join(f"mx:m{n}.example" for n in range(10)) + " -all"})
    for n in range(10):
        hosts = [f"h{at}.m{n}.example" for at in range(10)]
        zone.records[f"m{n}.example", "MX"] = tuple(f"{at} {host}" for at, host in enumerate(hosts))
        zone.records.update({(host, "A"): ("198.51.100.1",) for host in hosts})
    assert await sender.check("192.0.2.1", "x@a.example", "h", Lookups(zone)) == "permerror"
    assert len(zone.asked) == LOOKUPS_MAX


@pytest.mark.parametrize("text", ["ip4:10.0.0.0/8 " * sender.TERMS_MAX, "a:" + "x." * sender.TERM_MAX + "example"])
async def test_a_policy_that_would_keep_us_busy_is_an_error(text: str) -> None:
    zone = Zone.of_texts({"a.example": f"v=spf1 {text} -all"})
    assert await sender.check("192.0.2.1", "x@a.example", "h", Lookups(zone)) == "permerror"
