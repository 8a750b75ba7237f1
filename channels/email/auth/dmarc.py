"""DMARC (RFC 7489): do SPF or DKIM speak for the domain that From shows to the reader. What its owner wishes to be
done with the mail is nobody's business here: a citizen's mail is taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

from publicsuffixlist import PublicSuffixList

from channels.email import addresses
from channels.email.auth.resolver import DnsFailed, Lookups, TooMany
from channels.email.auth.sender import ascii_domain, is_name

VERSION: Final = "v=dmarc1"


@dataclass(frozen=True, slots=True)
class Policy:
    """How closely the domains must agree: `s` strictly, `r` up to the organizational domain (RFC 7489 6.3)."""

    adkim: str = "r"
    aspf: str = "r"


def author_domain(fields: Iterable[bytes]) -> str | None:
    """The one domain of the From field; None when there is no such field, more than one, or several domains in it
    (RFC 7489 6.6.1)."""
    fields = list(fields)
    if len(fields) != 1:
        return None
    found = addresses.read(fields[0].decode("latin-1"))
    domains = {ascii_domain(one.address.rpartition("@")[2]) for one in found if "@" in one.address}
    domain = domains.pop() if len(domains) == 1 else ""
    return domain if is_name(domain) else None


async def discover(domain: str, lookups: Lookups) -> Policy | str:
    """The policy of the domain or of its organization (RFC 7489 6.6.3), or the word that ends it: `none`,
    `temperror`, `permerror`."""
    try:
        for name in dict.fromkeys((domain, organization(domain))):
            records = [text for text in await lookups.texts(f"_dmarc.{name}") if _is_policy(text)]
            if records:
                return _policy(records[0]) if len(records) == 1 else "none"
    except DnsFailed:
        return "temperror"
    except TooMany:
        return "permerror"
    return "none"


def judge(domain: str, policy: Policy | str, spf: tuple[str, str], signers: Iterable[str], waits: bool) -> str:
    """The result word (RFC 7489 11.2). `spf`: its domain and result; `signers`: the domains of good signatures;
    `waits`: DKIM could not be settled now."""
    if isinstance(policy, str):
        return policy
    sender, result = spf
    if any(_agree(domain, signer, policy.adkim) for signer in signers):
        return "pass"
    if result == "pass" and _agree(domain, sender, policy.aspf):
        return "pass"
    return "temperror" if waits or result == "temperror" else "fail"


def organization(domain: str) -> str:
    """The organizational domain (RFC 7489 3.2); a public suffix is its own."""
    return _suffixes().privatesuffix(domain) or domain


@cache
def _suffixes() -> PublicSuffixList:
    """Read when first needed: 40 ms."""
    return PublicSuffixList()


def _agree(domain: str, other: str, how: str) -> bool:
    other = ascii_domain(other)
    return domain == other or (how != "s" and organization(domain) == organization(other))


def _is_policy(text: str) -> bool:
    return text.partition(";")[0].replace(" ", "").lower() == VERSION


def _policy(text: str) -> Policy | str:
    """A record without a policy that also wants no reports is in error (RFC 7489 6.6.3)."""
    pairs = [part.partition("=") for part in text.split(";")]
    tags = {name.strip().lower(): value.strip().lower() for name, _, value in pairs}
    if tags.get("p") not in ("none", "quarantine", "reject") and "rua" not in tags:
        return "permerror"
    return Policy(tags.get("adkim", "r"), tags.get("aspf", "r"))
