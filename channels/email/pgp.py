"""PGP inside a text (RFC 9580 6.2 and 7): what was signed is read without its frame, what is sealed becomes a file.

Pure, linear, total. May not open or check anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_FRAME: Final = re.compile(r"-----(BEGIN|END) PGP (MESSAGE|SIGNED MESSAGE|SIGNATURE)-----")
_HEAD: Final = re.compile(r"(?:Hash|SaltedHash|NotDashEscaped|Charset|Version|Comment): ?[^\n]*")


@dataclass(frozen=True, slots=True)
class Unframed:
    """`text` without frames; `sealed`: each encrypted message, frame and all. `encrypted`, `signed`: a frame of that
    kind begins in the text, whole or not."""

    text: str
    sealed: tuple[str, ...] = ()
    encrypted: bool = False
    signed: bool = False


def unframe(text: str) -> Unframed:
    """Take the frames out of `text` (line feeds only). One that is not closed stays: nobody knows where it ends."""
    kept: list[str] = []
    sealed: list[str] = []
    begun: dict[str, int] = {}
    seen: set[str] = set()
    for line in text.split("\n") if "-----BEGIN PGP " in text else ():
        kept.append(line)
        frame = _FRAME.fullmatch(line.rstrip())
        if frame is None:
            continue
        edge, kind = frame.groups()
        if edge == "BEGIN":
            begun[kind] = len(kept) - 1
            seen.add(kind)
        elif kind == "MESSAGE" and "MESSAGE" in begun:
            start = begun["MESSAGE"]
            sealed.append("\n".join([*kept[start:], ""]))
            del kept[start:]
            begun = _before(start, begun)
        elif kind == "SIGNATURE" and begun.get("SIGNED MESSAGE", len(kept)) < begun.get("SIGNATURE", -1):
            start = begun["SIGNED MESSAGE"]
            kept[start:] = _signed(kept[start + 1 : begun["SIGNATURE"]])
            begun = _before(start, begun)
    if not seen:
        return Unframed(text)
    return Unframed("\n".join(kept), tuple(sealed), "MESSAGE" in seen, "SIGNED MESSAGE" in seen)


def _before(start: int, begun: dict[str, int]) -> dict[str, int]:
    return {kind: at for kind, at in begun.items() if at < start}


def _signed(lines: list[str]) -> list[str]:
    """What was signed: without the lines that say how, and with its own dashes again (RFC 9580 7.1, 7.2)."""
    start = 0
    while start < len(lines) and _HEAD.fullmatch(lines[start]):
        start += 1
    start += start < len(lines) and not lines[start].strip()
    return [line.removeprefix("- ") for line in lines[start:]]
