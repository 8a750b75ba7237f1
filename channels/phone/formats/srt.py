"""SubRip subtitles (`.srt`): a number, `00:00:01,200 --> 00:00:02,000`, lines of text.

May not refuse a file for its numbers: players ignore them, and editors leave holes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from channels.phone.call import Call, Utterance
from channels.phone.formats.clock import CLOCK, seconds
from channels.phone.formats.cues import ARROW, lines_of, plain, utterances
from channels.phone.formats.words import in_time

NAME: Final = "srt"
_TIMES: Final = re.compile(rf"\s*({CLOCK})\s*-->\s*({CLOCK})(?:\s.*)?", re.ASCII)
_BEGINNING: Final = re.compile(rf"(?:\d{{1,9}}\s+)?{CLOCK}[ \t]*-->[ \t]*{CLOCK}", re.ASCII)
_HEAD: Final = 512


def recognise(document: object) -> bool:
    """Text that begins with a cue."""
    return isinstance(document, str) and _BEGINNING.match(document[:_HEAD].lstrip("\ufeff \t\r\n")) is not None


def read(document: object) -> Call:
    """One utterance for each cue."""
    text = document if isinstance(document, str) else ""
    return Call(format=NAME, utterances=in_time(_utterances(lines_of(text))))


def _utterances(lines: list[str]) -> Iterator[Utterance]:
    found = [(place, match) for place, line in enumerate(lines) if ARROW in line and (match := _TIMES.fullmatch(line))]
    for number, (place, match) in enumerate(found):
        last = number + 1 == len(found)
        until = len(lines) if last else _before_number(lines, found[number + 1][0])
        text = [plain(line) for line in lines[place + 1 : until]]
        yield from utterances(text, seconds(match[1]), seconds(match[2]))


def _before_number(lines: list[str], place: int) -> int:
    """Where the text before the cue at `place` ends: its number is a line of digits after an empty one."""
    numbered = place >= 2 and lines[place - 1].strip().isdecimal() and not lines[place - 2].strip()
    return place - 1 if numbered else place
