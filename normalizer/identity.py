"""Names of things: ticket ids, numbers with their check digit, receipt codes, content digests.

Pure functions of their arguments; may not read a clock, a counter or a secret of its own.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import date

from stdnum import damm

CODE_LENGTH = 8
ID_LENGTH = 26
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
GATEWAY_IDS = 100


def ticket_id(channel: str, source_id: str) -> str:
    """The id of the submission `source_id` of `channel`: `t` + 26 base32 characters of SHA-256 over both.

    The same submission always gets the same id, on every gateway. Lower-case letters and digits only, so it is a
    valid RQ job id and a safe file name.
    """
    digest = hashlib.sha256(f"{channel}\0{source_id}".encode("utf-8", "surrogatepass")).digest()
    return "t" + _base32(digest, ID_LENGTH).lower()


def number(day: date, gateway: int, sequence: int) -> str:
    """The number people read aloud: YYYYMMDD + gateway (2) + sequence of the day (5, grows) + Damm check digit.

    Raises:
        ValueError: `gateway` outside 0..99 or `sequence` negative.
    """
    if not 0 <= gateway < GATEWAY_IDS or sequence < 0:
        raise ValueError(f"gateway {gateway} or sequence {sequence} out of range")
    digits = f"{day:%Y%m%d}{gateway:02d}{sequence:05d}"
    return digits + str(damm.calc_check_digit(digits))


def is_number(text: str) -> bool:
    """Whether `text` has the shape and the check digit of a ticket number (Damm finds every single wrong digit and
    every swap of neighbours)."""
    return 16 <= len(text) <= 24 and text.isascii() and text.isdigit() and bool(damm.is_valid(text))


def receipt_code(ticket_id: str, secret: bytes) -> str:
    """8 base32 characters of HMAC-SHA-256 over the ticket id with the site's secret: proof of having the receipt."""
    mac = hmac.digest(secret, ticket_id.encode(), "sha256")
    return _base32(mac, CODE_LENGTH)


def same_code(given: str, expected: str) -> bool:
    """Constant-time comparison of receipt codes, forgiving case and surrounding blanks."""
    return hmac.compare_digest(given.strip().upper().encode("utf-8", "replace"), expected.encode())


def content_digest(*parts: bytes) -> str:
    """SHA-256 (hex) over the parts, each preceded by its length, so that no two lists of parts collide."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _base32(data: bytes, length: int) -> str:
    """The first `length` (even) characters of the base32 of `data` (RFC 4648 6). Two at a time: the standard library
    encodes byte by byte in Python, which was the dearest step of an accept."""
    size = (length * 5 + 7) // 8
    bits = int.from_bytes(data[:size], "big") >> (size * 8 - length * 5)
    return "".join([_PAIRS[bits >> shift & 1023] for shift in range(length * 5 - 10, -1, -10)])
