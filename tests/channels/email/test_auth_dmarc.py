"""DMARC: whether what was verified speaks for the domain that a reader sees (RFC 7489)."""

from __future__ import annotations

import pytest

from channels.email.auth import dmarc
from channels.email.auth.dmarc import Policy
from channels.email.auth.resolver import Lookups
from tests.channels.email.zones import Zone


@pytest.mark.parametrize(
    ("fields", "domain"),
    [
        ([b" Li <li@Citizen.Example>\r\n"], "citizen.example"),
        ([b" li@citizen.example, wang@citizen.example"], "citizen.example"),
        (["李 <li@例子.中国>".encode()], "xn--fsqu00a.xn--fiqs8s"),
        ([b' "boss@gov.example" <li@evil.example>'], "evil.example"),
        ([b" li@citizen.example, wang@another.example"], None),
        ([b" li@citizen.example", b" li@citizen.example"], None),
        ([b" undisclosed:;"], None),
        ([b" <>"], None),
        ([b" li@"], None),
        ([b" li@a..b"], None),
        ([b""], None),
        ([], None),
    ],
)
def test_there_is_one_domain_in_from_or_none(fields: list[bytes], domain: str | None) -> None:
    assert dmarc.author_domain(fields) == domain


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"_dmarc.a.city.gov.cn": "v=DMARC1; p=none; adkim=s"}, Policy(adkim="s")),
        ({"_dmarc.city.gov.cn": "v=DMARC1;p=reject;aspf=s"}, Policy(aspf="s")),
        ({"_dmarc.city.gov.cn": "v=DMARC1; rua=mailto:x@city.gov.cn"}, Policy()),
        ({"_dmarc.city.gov.cn": "v=DMARC1"}, "permerror"),
        ({"_dmarc.city.gov.cn": "v=DMARC1; p=often"}, "permerror"),
        ({"_dmarc.city.gov.cn": "v=spf1 -all"}, "none"),
        ({"_dmarc.gov.cn": "v=DMARC1; p=reject"}, "none"),  # a public suffix is nobody's organization
        ({}, "none"),
    ],
)
async def test_the_policy_is_the_domains_or_its_organizations(texts: dict[str, str], expected: object) -> None:
    assert await dmarc.discover("a.city.gov.cn", Lookups(Zone.of_texts(texts))) == expected


async def test_two_policies_are_none_and_a_failing_name_server_is_temporary() -> None:
    zone = Zone({("_dmarc.a.example", "TXT"): ("v=DMARC1; p=none", "v=DMARC1; p=reject")})
    assert await dmarc.discover("a.example", Lookups(zone)) == "none"
    zone.down = {"_dmarc.a.example"}
    assert await dmarc.discover("a.example", Lookups(zone)) == "temperror"


@pytest.mark.parametrize(
    ("policy", "spf", "signers", "waits", "expected"),
    [
        (Policy(), ("a.example", "pass"), [], False, "pass"),
        (Policy(), ("bounce.a.example", "pass"), [], False, "pass"),
        (Policy(aspf="s"), ("bounce.a.example", "pass"), [], False, "fail"),
        (Policy(), ("a.example", "softfail"), [], False, "fail"),
        (Policy(), ("other.example", "pass"), [], False, "fail"),
        (Policy(), ("other.example", "fail"), ["mail.a.example"], False, "pass"),
        (Policy(adkim="s"), ("other.example", "fail"), ["mail.a.example"], False, "fail"),
        (Policy(adkim="s"), ("other.example", "fail"), ["mail.a.example", "a.example"], False, "pass"),
        (Policy(), ("other.example", "pass"), ["other.example"], False, "fail"),
        (Policy(), ("a.example", "temperror"), [], False, "temperror"),
        (Policy(), ("a.example", "fail"), [], True, "temperror"),
        (Policy(), ("a.example", "pass"), [], True, "pass"),
        ("none", ("a.example", "pass"), ["a.example"], False, "none"),
        ("permerror", ("a.example", "pass"), ["a.example"], False, "permerror"),
    ],
)
def test_alignment(policy: Policy | str, spf: tuple[str, str], signers: list[str], waits: bool, expected: str) -> None:
    assert dmarc.judge("a.example", policy, spf, signers, waits) == expected


def test_two_cities_below_one_public_suffix_are_not_one_organization() -> None:
    assert dmarc.judge("a.gov.cn", Policy(), ("b.gov.cn", "pass"), ["b.gov.cn"], False) == "fail"
