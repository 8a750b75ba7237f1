"""WebVTT (W3C): cues with voice tags `<v Name>`, cue settings, NOTE, STYLE and REGION blocks.

May not follow a style or a position: only who says what and when.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import Final

from channels.phone.call import Call, Utterance
from channels.phone.formats.clock import CLOCK, seconds
from channels.phone.formats.cues import ARROW, lines_of, plain, utterances
from channels.phone.formats.losses import notes
from channels.phone.formats.words import in_time

NAME: Final = "webvtt"
SIGNATURE: Final = "WEBVTT"
_TIMES: Final = re.compile(rf"\s*({CLOCK})\s*-->\s*({CLOCK})(?:\s.*)?", re.ASCII)
_ASIDE: Final = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s.*)?")
_VOICE: Final = re.compile(r"<v(?:\.[^\s<>]{1,80})?[ \t\n]([^<>]{0,200})>")
_LANGUAGE: Final = re.compile(r"Language:\s*([A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4})\s*")


def recognise(document: object) -> bool:
    """Text that begins with the signature and a blank, or holds nothing else (W3C WebVTT 4.1)."""
    if not isinstance(document, str):
        return False
    start = document.removeprefix("\ufeff")
    return start.startswith(SIGNATURE) and start[len(SIGNATURE) : len(SIGNATURE) + 1] in ("", " ", "\t", "\n", "\r")


def read(document: object) -> Call:
    """One utterance for each voice of each cue."""
    blocks = _blocks(lines_of(document if isinstance(document, str) else ""))
    header, cues = (blocks[0], blocks[1:]) if blocks and blocks[0][0].startswith(SIGNATURE) else ((), blocks)
    languages = [match[1] for line in header if (match := _LANGUAGE.fullmatch(line))]
    remarks = sum(block[0].split()[0] == "NOTE" for block in cues if _is_aside(block))
    return Call(
        format=NAME,
        language=next(iter(languages), None),
        utterances=in_time(said for block in cues if not _is_aside(block) for said in _cue(block)),
        lost=notes({"remarks": remarks}),
    )


def _blocks(lines: Sequence[str]) -> list[list[str]]:
    """Runs of lines between empty ones; a line with an arrow begins a cue also without an empty one before it."""
    blocks: list[list[str]] = []
    inside = False
    for line in lines:
        if not line.strip():
            inside = False
            continue
        times = ARROW in line
        if not inside or (times and _complete(blocks[-1])):
            blocks.append([])
        blocks[-1].append(line)
        inside = True
    return blocks


def _complete(block: Sequence[str]) -> bool:
    """Whether a further arrow cannot belong to this block: the header, or a cue that has its times."""
    return block[0].startswith(SIGNATURE) or any(ARROW in line for line in block[:2])


def _is_aside(block: Sequence[str]) -> bool:
    return _ASIDE.fullmatch(block[0]) is not None and not any(ARROW in line for line in block[:2])


def _cue(block: Sequence[str]) -> Iterator[Utterance]:
    for place, line in enumerate(block[:2]):
        match = _TIMES.fullmatch(line)
        if match is not None:
            yield from _voices("\n".join(block[place + 1 :]), seconds(match[1]), seconds(match[2]))
            return


def _voices(payload: str, start: float | None, end: float | None) -> Iterator[Utterance]:
    """What stands before the first voice tag is nobody's; each tag holds until the next one."""
    before, *rest = _VOICE.split(payload)
    yield from utterances(_lines(before), start, end)
    for name, text in zip(rest[::2], rest[1::2], strict=True):
        yield from utterances(_lines(text), start, end, voice=_unescaped(name).strip())


def _lines(payload: str) -> list[str]:
    return [_unescaped(plain(line)) for line in payload.split("\n")]


def _unescaped(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:  # a character reference of thousands of digits
        return text
