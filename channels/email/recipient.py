"""The address a letter goes to: how it is spelled on the wire, how it is compared, and whether it is one of our own.

Pure. May not guess: an address that cannot be written exactly as given is no address.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

import idna

_LOCAL_MAX: Final = 64  # octets, RFC 5321 section 4.5.3.1.1
_PATH_MAX: Final = 254  # octets of an address, RFC 5321 section 4.5.3.1.3 less its brackets
_ATEXT: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]"
_DOT_ATOM: Final = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_ATOMS: Final = re.compile(rf"(?:{_ATEXT}|\.)+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


class Unwritable(ValueError):
    """No mail can be made of it. `code`: `bad_address`, `bad_number`; it never holds what was given."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def spelled(address: str) -> str:
    """`address` as it stands in an envelope and in a field: its local part quoted where it must be (RFC 5321 4.1.2;
    some providers have given out names with two dots or a last one), its domain in lower-case ASCII (RFC 5891). A
    local part that is not ASCII stays so and needs SMTPUTF8 (RFC 6531). An IP address for a domain is not written to.

    Raises:
        Unwritable: `bad_address`.
    """
    local, at, domain = address.strip().rpartition("@")
    bare = _bare(local)
    if not at or not bare or not bare.isprintable() or (bare == local and not _ATOMS.fullmatch(bare)):
        raise Unwritable("bad_address")
    written = bare if _DOT_ATOM.fullmatch(bare) else '"' + re.sub(r'(["\\])', r"\\\1", bare) + '"'
    whole = f"{written}@{_ascii(domain)}"
    if len(written.encode()) > _LOCAL_MAX or len(whole.encode()) > _PATH_MAX:
        raise Unwritable("bad_address")
    return whole


def canonical(address: str) -> str:
    """An address as two spellings of it are compared: in one case, the domain in ASCII (RFC 5891). Total: what is no
    address stays what it is, and equals nothing else."""
    local, at, domain = address.strip().strip("<>").casefold().rpartition("@")
    try:
        return f"{local}{at}{idna.encode(domain, uts46=True).decode()}" if not domain.isascii() else local + at + domain
    except (idna.IDNAError, UnicodeError):
        return local + at + domain


def is_own(address: str, own: Collection[str]) -> bool:
    """Whether a spelled address is among `own`, in any case, with any +tag."""
    return _base(address) in {_base(one) for one in own}


def _base(address: str) -> str:
    local, _, domain = address.casefold().rpartition("@")
    return f"{_bare(local).partition('+')[0]}@{domain}"


def _bare(local: str) -> str:
    quoted = _QUOTED.fullmatch(local)
    return _ESCAPED.sub(r"\1", quoted[1]) if quoted else local


def _ascii(domain: str) -> str:
    domain = domain.removesuffix(".").lower()
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            raise Unwritable("bad_address") from None
    if not _DOMAIN.fullmatch(domain):
        raise Unwritable("bad_address")
    return domain
