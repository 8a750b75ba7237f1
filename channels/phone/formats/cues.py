"""What SubRip and WebVTT share: a cue's lines to utterances, without their markup.

May not join cues: each is an utterance with its own times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from channels.phone.call import Utterance
from channels.phone.formats.labels import role_of, voiced
from channels.phone.formats.words import join_words

# Elements and WebVTT's times of karaoke; `{\an8}` is where SubRip players put the line on the screen.
_MARKUP: Final = re.compile(r"</?[A-Za-z][^<>]{0,200}>|<\d[\d:.]{0,20}>|\{\\[^{}]{0,200}\}", re.ASCII)
ARROW: Final = "-->"
_DASHES: Final = ("-", "\u2013", "\u2014")


def lines_of(text: str) -> list[str]:
    """The lines, whatever ends them; without a byte order mark."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def plain(line: str) -> str:
    """The line without markup."""
    return _MARKUP.sub("", line)


def utterances(lines: Sequence[str], start: float | None, end: float | None, voice: str = "") -> Iterator[Utterance]:
    """The cue's utterances: one, or one for each line that begins with a dash or names its own voice."""
    clean = [line.strip() for line in lines if line.strip()]
    if len(clean) > 1 and all(line.startswith(_DASHES) for line in clean):
        parts = [[line.lstrip("".join(_DASHES)).lstrip()] for line in clean]
    else:
        parts = _by_name(clean)
    for part in parts:
        speaker, first = (voice, part[0]) if voice else voiced(part[0])
        yield Utterance(
            text=join_words([first, *part[1:]]),
            speaker=speaker,
            role=role_of(speaker),
            start=start,
            end=end,
        )


def _by_name(lines: Sequence[str]) -> list[list[str]]:
    parts: list[list[str]] = []
    for line in lines:
        if not parts or voiced(line)[0]:
            parts.append([line])
        else:
            parts[-1].append(line)
    return parts
