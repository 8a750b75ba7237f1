"""DKIM (RFC 6376, 8301, 8463) and ARC (RFC 8617): the arithmetic is dkimpy's, the rules it leaves out are here.

May not ask the DNS: `keys_of` says which records are needed. Everything is bounded: the mail is a stranger's.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import dkim
from dkim.crypto import ARC_HASH_ALGORITHMS, HASH_ALGORITHMS, UnparsableKeyError, parse_public_key
from dkim.util import InvalidTagValueList, parse_tag_value
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry

from channels.email import structure
from channels.email.auth.body import Body

SIGNATURES_MAX: Final = 5
"""Of one mail; those further down are not looked at."""
SETS_MAX: Final = 5
"""ARC sets of one mail; beyond that the chain is not looked at."""
HEAD_MAX: Final = 256 * 1024
FIELDS_MAX: Final = 500
FIELD_MAX: Final = 8 * 1024
"""Bytes of one signature field."""
SIGNED_MAX: Final = 200
"""Fields named by one signature."""
RECORD_MAX: Final = 4_096
KEY_BITS: Final = range(1024, 4096 + 1)
"""RFC 8301 3.2. Larger ones cost a stranger nothing and us seconds."""
EXPONENT_MAX: Final = 1 << 32
SKEW: Final = 3_600
"""Seconds that clocks may differ."""

_SINGLE: Final = (
    b"from sender reply-to to cc date subject message-id in-reply-to references mime-version content-type "
    b"content-transfer-encoding"
).split()
"""Fields that a mail has once (RFC 5322 3.6, RFC 2045)."""
_GAP: Final = re.compile(rb"\s{100}")
"""dkimpy's expression for b= is quadratic in blanks."""
_ALGORITHMS: Final[Mapping[bytes, bytes]] = {b"rsa-sha256": b"rsa", b"ed25519-sha256": b"ed25519"}
ARC_HASH_ALGORITHMS.setdefault(b"ed25519-sha256", HASH_ALGORITHMS[b"ed25519-sha256"])  # RFC 8617 4: what DKIM has
_ED25519: Final = JWSRegistry.algorithms["EdDSA"]
_SILENT: Final = logging.getLogger(f"{__name__}.dkimpy")
_SILENT.disabled = True  # it writes addresses and what was signed
_BEST: Final = ("pass", "temperror", "policy", "fail", "permerror", "neutral")

Keys = Mapping[str, tuple[str, ...] | None]
"""Name of a record -> its texts; None: they cannot be had now."""


class Refused(dkim.DKIMException):  # type: ignore[misc]
    """The signature cannot count, and as what that is reported (RFC 8601 2.7.1)."""

    def __init__(self, result: str, why: str) -> None:
        super().__init__(why)
        self.result = result


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed (the domain of d=), and what became of it."""

    domain: str
    result: str


class Letter:
    """A mail as signatures see it."""

    def __init__(self, content: bytes) -> None:
        """Raises:
        Rejected: a head of more than 2 MiB.
        """
        head, start = structure.split(content)
        self.body = Body(content, start)
        self._head = head

    @cached_property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """Name and value with its line end, from the top."""
        return [_pair(field) for field in structure.fields(self._head)]

    @property
    def too_long(self) -> bool:
        """Whether it would take too long: the cost grows with signatures times fields."""
        return len(self._head) > HEAD_MAX or len(self.fields) > FIELDS_MAX

    def values(self, name: bytes) -> list[bytes]:
        """The values of the fields of that name (lower case), from the top."""
        return [value for found, value in self.fields if found.lower() == name]


def may_be_signed(content: bytes) -> bool:
    """False when there is no signature in the head, found in a microsecond: most mails of our own server have none."""
    if content[:1] in (b"\r", b"\n"):
        return True
    end = content.find(b"\r\n\r\n", 0, HEAD_MAX)
    head = content[: end if end >= 0 else HEAD_MAX].lower()
    return b"dkim-signature" in head or b"arc-seal" in head


def _pair(field: bytes) -> tuple[bytes, bytes]:
    name, _, value = field.partition(b":")
    return name, value + b"\r\n"


def keys_of(letter: Letter) -> set[str]:
    """The names of the key records that `dkim_of` and `arc_of` will look for."""
    names = set()
    fields = letter.values(b"dkim-signature")[:SIGNATURES_MAX]
    if _sets(letter) <= SETS_MAX:
        fields += letter.values(b"arc-seal") + letter.values(b"arc-message-signature")
    for field in fields:
        try:
            names.add(_key_name(parse_tag_value(field[:FIELD_MAX])))
        except (InvalidTagValueList, Refused):
            continue
    return names


def dkim_of(letter: Letter, keys: Keys, now: float) -> tuple[Signed, ...]:
    """What became of each signature. `now`: seconds since the epoch."""
    found = []
    for field in letter.values(b"dkim-signature")[:SIGNATURES_MAX]:
        domain = ""
        try:
            tags = _tags(field, letter)
            domain = tags[b"d"].decode("utf-8", "replace").lower()
            found.append(Signed(domain, _verified(letter, field, tags, keys, now)))
        except Refused as refused:
            found.append(Signed(domain, refused.result))
        except dkim.DKIMException:
            found.append(Signed(domain, "permerror"))
    return tuple(found)


def best(signatures: tuple[Signed, ...]) -> str:
    """One word for all signatures: one that is good is enough (RFC 6376 6.1)."""
    results = {signed.result for signed in signatures}
    return next((word for word in _BEST if word in results), "none")


def arc_of(letter: Letter, keys: Keys) -> str:
    """The state of the chain (RFC 8617 5.2); `none` without one."""
    sets = _sets(letter)
    if not sets:
        return "none"
    if sets > SETS_MAX or letter.too_long:
        return "policy"
    chain = _Arc(logger=_SILENT)
    chain.headers, chain.letter, chain.keys = [_spaced(*field) for field in letter.fields], letter, keys
    state, _, _ = chain.verify()
    if chain.waits:
        return "temperror"
    return {dkim.CV_Pass: "pass", dkim.CV_None: "none"}.get(state, "fail")


def _spaced(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """dkimpy looks for its number behind a blank; the relaxed form, which chains have, does not see that blank."""
    bare = name.lower() == b"arc-message-signature" and not value.startswith(b" ")
    return name, b" " + value.lstrip() if bare else value


def _sets(letter: Letter) -> int:
    return max(len(letter.values(b"arc-seal")), len(letter.values(b"arc-message-signature")))


# One signature


def _tags(field: bytes, letter: Letter) -> dict[bytes, bytes]:
    if letter.too_long or len(field) > FIELD_MAX or _GAP.search(field):
        raise Refused("permerror", "too long")
    try:
        tags: dict[bytes, bytes] = parse_tag_value(field)
    except InvalidTagValueList:
        raise Refused("neutral", "no list of tags") from None
    if b"d" not in tags:
        raise Refused("neutral", "no domain")
    return tags


def _verified(letter: Letter, field: bytes, tags: dict[bytes, bytes], keys: Keys, now: float) -> str:
    try:
        dkim.validate_signature_fields({tag: value for tag, value in tags.items() if tag not in (b"t", b"x")})
    except dkim.ValidationError:
        # An algorithm that RFC 8301 forbids is known to the library, one that nobody knows is an error of syntax.
        raise Refused("neutral", "a tag is missing or wrong") from None
    _check_times(tags, now)
    names = [name.lower() for name in re.split(rb"\s*:\s*", tags[b"h"])]
    if b"from" not in names:
        raise Refused("permerror", "From is not signed (RFC 6376 5.4)")
    check = _Check(logger=_SILENT)
    check.headers, check.letter, check.keys = letter.fields, letter, keys
    if not check.verify_sig(tags, names, (b"DKIM-Signature", field), None):
        return "fail"
    _check_cover(letter, names)
    if not check.whole:
        raise Refused("policy", "l= leaves the end of the text unsigned (RFC 6376 8.2)")
    return "pass"


def _check_times(tags: Mapping[bytes, bytes], now: float) -> None:
    """t= and x= (RFC 6376 3.5). The library looks at its own clock."""
    times = {}
    for tag in (b"t", b"x"):
        if tag in tags:
            if not re.fullmatch(rb"[0-9]{1,12}", tags[tag]):
                raise Refused("neutral", "a time is no number")
            times[tag] = int(tags[tag])
    if times.get(b"t", now) > now + SKEW:
        raise Refused("policy", "signed in the future")
    if times.get(b"x", now) < now - SKEW:
        raise Refused("policy", "expired")
    if times.get(b"x", now) < times.get(b"t", 0):
        raise Refused("neutral", "expired before it was signed")


def _check_cover(letter: Letter, names: list[bytes]) -> None:
    """A field that a mail has once, signed, and there again: a reader shows the first, the signature covers the last
    (RFC 6376 8.15)."""
    there = Counter(name.lower() for name, _ in letter.fields)
    signed = Counter(names)
    if any(0 < signed[name] < there[name] for name in _SINGLE):
        raise Refused("policy", "a signed field stands there once more")


class _Check(dkim.DomainSigner):  # type: ignore[misc]
    """dkimpy's check of one signature, with our keys and our body hash."""

    letter: Letter
    keys: Keys
    whole = True
    waits = False

    def verify_sig(self, sig: dict[bytes, bytes], include_headers: list[bytes], sig_header: Any, dnsfunc: Any) -> bool:
        """The library calls this for each signature of a chain, too.

        Raises:
            Refused: it cannot count.
            dkim.DKIMException: the library says so.
        """
        if len(include_headers) > SIGNED_MAX or len(sig_header[1]) > FIELD_MAX or _GAP.search(sig_header[1]):
            raise Refused("permerror", "too long")
        if sig[b"a"] not in _ALGORITHMS:
            raise Refused("policy", "rsa-sha1 must not be trusted (RFC 8301 3.1)")
        self._use_key(sig)
        if b"bh" in sig and not self._fits(sig):
            return False
        rest = {tag: value for tag, value in sig.items() if tag != b"bh"}
        try:
            good = bool(self.verify_sig_process(rest, include_headers, sig_header, dnsfunc))
        except (ValueError, IndexError, UnparsableKeyError):
            raise Refused("permerror", "no signature of this key") from None
        return good and (not isinstance(self.pk, _Ed25519) or self.pk.good)

    def _fits(self, sig: Mapping[bytes, bytes]) -> bool:
        ways = sig.get(b"c", b"simple/simple").lower().split(b"/")
        relaxed = len(ways) > 1 and ways[1] == b"relaxed"
        digest, self.whole = self.letter.body.hashed(relaxed, int(sig[b"l"]) if sig.get(b"l") else None)
        try:
            return digest == base64.b64decode(re.sub(rb"\s+", b"", sig[b"bh"]), validate=True)
        except binascii.Error:
            raise Refused("neutral", "bh= is no base64") from None

    def _use_key(self, sig: Mapping[bytes, bytes]) -> None:
        texts = self.keys.get(_key_name(sig), ())
        if texts is None:
            self.waits = True
            raise Refused("temperror", "the key cannot be had now")
        record = _record(texts)
        kind = record.get(b"k", b"rsa").lower()
        if kind != _ALGORITHMS[sig[b"a"]]:
            raise Refused("permerror", "the key is for another algorithm")
        if b"s" in _words(record, b"t") and _is_below(sig):
            raise Refused("permerror", "the key is not for subdomains (RFC 6376 3.6.1)")
        try:
            data = base64.b64decode(re.sub(rb"\s+", b"", record[b"p"]), validate=True)
            self.pk: Any = _rsa(data) if kind == b"rsa" else _Ed25519(data)
        except (binascii.Error, ValueError, IndexError, TypeError, UnparsableKeyError, JoseError):
            raise Refused("permerror", "no key") from None
        self.ktag, self.keysize, self.seqtlsrpt = kind, self.minkey, False  # the size was looked at


class _Arc(_Check, dkim.ARC):  # type: ignore[misc]
    """The same for every signature of a chain."""


class _Ed25519:
    """What dkimpy takes for a key of PyNaCl, which would be one more binary for one algorithm. It asks for an
    exception of PyNaCl when a signature is wrong; we remember instead."""

    def __init__(self, data: bytes) -> None:
        text = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
        self._key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": text})
        self.good = False

    def verify(self, digest: bytes, signature: bytes) -> None:
        self.good = _ED25519.verify(digest, signature, self._key)


def _rsa(data: bytes) -> dict[str, int]:
    key: dict[str, int] = parse_public_key(data)
    bits = key["modulus"].bit_length()
    if bits not in KEY_BITS or not 2 < key["publicExponent"] <= EXPONENT_MAX:
        raise Refused("policy", "a key of a size that cannot be trusted (RFC 8301 3.2)")
    return key


def _key_name(sig: Mapping[bytes, bytes]) -> str:
    if not sig.get(b"s") or not sig.get(b"d"):
        raise Refused("neutral", "no selector or no domain")
    return f"{sig[b's'].decode('utf-8', 'replace')}._domainkey.{sig[b'd'].decode('utf-8', 'replace')}".lower()


def _record(texts: tuple[str, ...]) -> dict[bytes, bytes]:
    """The tags of a key record (RFC 6376 3.6.1) that is for mail and for SHA-256."""
    for text in texts:
        try:
            record: dict[bytes, bytes] = parse_tag_value(text[:RECORD_MAX].encode("latin-1", "replace"))
        except InvalidTagValueList:
            continue
        if record.get(b"p") and record.get(b"v", b"DKIM1") == b"DKIM1":
            if not ({b"*", b"email"} & _words(record, b"s", b"*") and b"sha256" in _words(record, b"h", b"sha256")):
                raise Refused("permerror", "the key is for something else")
            return record
    raise Refused("permerror", "no key, or it was revoked (RFC 6376 6.1.2)")


def _words(record: Mapping[bytes, bytes], tag: bytes, default: bytes = b"") -> set[bytes]:
    return {word.strip().lower() for word in record.get(tag, default).split(b":")}


def _is_below(sig: Mapping[bytes, bytes]) -> bool:
    """Whether i= names a subdomain of d=. In a chain i= is a number."""
    _, at, domain = sig.get(b"i", b"").strip().lower().rpartition(b"@")
    return bool(at) and domain != sig[b"d"].lower()
