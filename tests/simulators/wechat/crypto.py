"""WeChat's safe mode: AES-256-CBC, 16 random bytes + length + XML + appid, PKCS#7 to blocks of 32 (STANDARDS 5.3).

Written from the description, not from our channel: that both agree is the point. May not read XML.
"""

from __future__ import annotations

import base64
import os
import struct
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK: Final = 32


class Box:
    """Seals and opens with one EncodingAESKey."""

    def __init__(self, encoding_aes_key: str, appid: str) -> None:
        key = base64.b64decode(encoding_aes_key + "=")
        assert len(key) == 32, "an EncodingAESKey has 43 characters"
        self._cipher = Cipher(algorithms.AES(key), modes.CBC(key[:16]))
        self._appid = appid.encode()

    def seal(self, xml: bytes) -> str:
        plain = os.urandom(16) + struct.pack(">I", len(xml)) + xml + self._appid
        fill = BLOCK - len(plain) % BLOCK
        sealing = self._cipher.encryptor()
        return base64.b64encode(sealing.update(plain + bytes([fill]) * fill) + sealing.finalize()).decode()

    def open(self, sealed: str) -> bytes:
        """Raises ValueError."""
        opening = self._cipher.decryptor()
        plain = opening.update(base64.b64decode(sealed, validate=True)) + opening.finalize()
        fill = plain[-1] if plain else 0
        if not 1 <= fill <= BLOCK or plain[-fill:] != bytes([fill]) * fill:
            raise ValueError("padding")
        (size,) = struct.unpack(">I", plain[16:20])
        xml, appid = plain[20 : 20 + size], plain[20 + size : -fill]
        if appid != self._appid:
            raise ValueError("appid")
        return xml
