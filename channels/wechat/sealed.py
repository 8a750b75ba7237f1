"""Sealed messages (安全模式): AES-256-CBC with the EncodingAESKey around 16 random bytes, a length, the XML, the AppID.

No I/O, no clock. May not decide whether a message is genuine: its signature does.
"""

from __future__ import annotations

import binascii
import hmac
import re
import struct
from base64 import b64decode, b64encode
from typing import Final

from normalizer.errors import Rejected

BLOCK: Final = 32
"""PKCS#7 pads to 32 bytes here, not to AES's 16."""
_RANDOM: Final = 16
_KEY: Final = re.compile(r"[A-Za-z0-9+/]{43}")


def key_of(text: str) -> bytes:
    """The 32 bytes of an EncodingAESKey. Raises ValueError."""
    if not _KEY.fullmatch(text):
        raise ValueError("an EncodingAESKey is 43 letters and digits")
    return b64decode(text + "=")


def opened(encrypted: str, key: bytes, app_id: str) -> bytes:
    """The XML inside. Raises Rejected `sealed_unreadable`, or `sealed_for_another`: the AppID is another."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # only an account with a key needs it

    try:
        content = b64decode(encrypted.encode("ascii"), validate=True)
        decryptor = Cipher(algorithms.AES256(key), modes.CBC(key[:16])).decryptor()
        padded = decryptor.update(content) + decryptor.finalize()
    except (ValueError, binascii.Error):
        raise _unreadable() from None
    plain = _unpadded(padded)
    if len(plain) < _RANDOM + 4:
        raise _unreadable()
    (length,) = struct.unpack_from(">I", plain, _RANDOM)
    begin = _RANDOM + 4
    if length > len(plain) - begin:
        raise _unreadable()
    if not hmac.compare_digest(plain[begin + length :], app_id.encode()):
        raise Rejected("sealed_for_another", "The message is sealed for another AppID.")
    return plain[begin : begin + length]


def closed(xml: bytes, key: bytes, app_id: str, random: bytes) -> str:
    """The XML sealed; `random`: 16 bytes that nobody can foresee."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    if len(random) != _RANDOM:
        raise ValueError(f"{_RANDOM} random bytes")
    plain = random + struct.pack(">I", len(xml)) + xml + app_id.encode()
    pad = BLOCK - len(plain) % BLOCK
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(key[:16])).encryptor()
    return b64encode(encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()).decode()


def _unpadded(padded: bytes) -> bytes:
    pad = padded[-1] if padded else 0
    if not 1 <= pad <= BLOCK or padded[-pad:] != bytes([pad]) * pad:
        raise _unreadable()
    return padded[:-pad]


def _unreadable() -> Rejected:
    return Rejected("sealed_unreadable", "The message is sealed with another key, or damaged.")
