"""The body hash of a signature (RFC 6376 3.4), piece by piece: dkimpy's own is quadratic in runs of blanks, holds the
interpreter while it replaces in 25 MB, and repeats all of it for every signature. Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from typing import Final

PIECE: Final = 64 * 1024
_BLANKS: Final = re.compile(rb"[ \t]+")


class Body:
    """A mail's body. `hashed` remembers: signatures mostly agree in how to read it."""

    def __init__(self, content: bytes, start: int) -> None:
        self._content, self._start = content, start
        self.hashed = cache(self._hashed)

    def _hashed(self, relaxed: bool, limit: int | None) -> tuple[bytes, bool]:
        """The SHA-256 of the first `limit` bytes in canonical form, and whether that was all of it."""
        digest, left = hashlib.sha256(), limit
        whole = True
        for piece in self._canonical(relaxed):
            if left is not None:
                whole = whole and len(piece) <= left
                piece = piece[:left]
                left -= len(piece)
            digest.update(piece)
        return digest.digest(), whole

    def _canonical(self, relaxed: bool) -> Iterator[bytes]:
        empty, waiting = True, 0  # line ends that count only when more follows them
        for piece in self._pieces():
            piece = piece.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            if relaxed:
                piece = _BLANKS.sub(b" ", piece).replace(b" \r\n", b"\r\n")
            end = _end(piece)
            if end:
                yield b"\r\n" * waiting + piece[:end]
                empty, waiting = False, 0
            waiting += (len(piece) - end) // 2
        if not (empty and relaxed):
            yield b"\r\n"

    def _pieces(self) -> Iterator[bytes]:
        """Whole lines; the last one is given its end."""
        at, size = self._start, len(self._content)
        while at < size:
            end = self._content.find(b"\n", at + PIECE) + 1 or size
            piece = self._content[at:end]
            yield piece if piece.endswith(b"\n") else piece + b"\r\n"
            at = end


def _end(piece: bytes) -> int:
    """Where the line ends at its end begin: a CR without LF among them is text."""
    end = len(piece.rstrip(b"\r\n"))
    bare = piece.rfind(b"\r\r", end)
    return end if bare < 0 else bare + 1
