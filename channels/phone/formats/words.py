"""Recognised words to text and to utterances, for every reader whose source gives words.

May not change a word: it decides about blanks between words, and about where one utterance ends.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from channels.phone.call import Utterance, Word
from normalizer.ticket import Speaker

PAUSE_S: Final = 1.0
"""Silence after which a new utterance begins, where the source itself marks no segments."""
ROUNDING_S: Final = 0.005
"""Two clocks round differently: a word may begin a moment before the segment it belongs to."""

# Scripts written without blanks between words (Chinese, Japanese, Yi, Thai, Lao, Tibetan, Burmese, Khmer), full-width
# forms, and the dash that Chinese doubles. Korean, Mongolian and Uyghur are written with blanks.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u109f\u1780-\u17ff\u2014\u2e80-\u312f\u31a0-\u4dbf\u4e00-\ua4cf\uf900-\ufaff\ufe30-\ufe4f"
    "\uff00-\uff9f\uffe0-\uffe6\U00020000-\U0003ffff]"
)
_FIRST_UNSPACED: Final = "\u0e00"
_CLOSING: Final = frozenset(",.!?;:%)]}\u2026\u2019\u201d\u00bb\u00b0")
_OPENING: Final = frozenset("([{\u2018\u201c\u00ab$\u00a5\u20ac\u00a3")
_CONTRACTION: Final = re.compile("(?:['\u2019](?:s|t|m|d|re|ve|ll)|n['\u2019]t)", re.IGNORECASE)


class Spoken(NamedTuple):
    """A word or a punctuation mark as recognised. Seconds; `confidence` 0..1; `speaker` the voice's label."""

    text: str
    start: float | None = None
    end: float | None = None
    confidence: float | None = None
    speaker: str = ""


def join_words(words: Sequence[str]) -> str:
    """The words as their language writes them, in linear time.

    No blank beside Chinese (also not between Chinese and Latin), one blank between Latin words, punctuation attached to
    the word it belongs to, digits that were said one by one put together.
    """
    pieces: list[str] = []
    before = ""
    for word in map(str.strip, words):
        if not word:
            continue
        if before and _apart(before, word):
            pieces.append(" ")
        pieces.append(word)
        before = word
    return "".join(pieces)


def _apart(left: str, right: str) -> bool:
    """Whether a blank belongs between two words that follow each other."""
    tail, head = left[-1], right[0]
    if _unspaced(tail) or _unspaced(head) or tail in _OPENING:
        return False
    if head in _CLOSING and not right[1:2].isalnum():
        return False
    if tail.isdecimal() and head.isdecimal() and len(left) == 1 == len(right):
        return False
    return head not in "'\u2019nN" or _CONTRACTION.fullmatch(right) is None


def _unspaced(character: str) -> bool:
    return character >= _FIRST_UNSPACED and _UNSPACED.match(character) is not None


def utterance(
    spoken: Sequence[Spoken],
    *,
    text: str = "",
    speaker: str | None = None,
    role: Speaker | None = None,
    start: float | None = None,
    end: float | None = None,
    confidence: float | None = None,
) -> Utterance:
    """One utterance of these words. What the source says of the whole segment wins over what its words say."""
    spoken = [word for word in spoken if word.text]
    starts = (word.start for word in spoken if word.start is not None)
    ends = (word.end for word in reversed(spoken) if word.end is not None)
    return Utterance(
        text=text or join_words([word.text for word in spoken]),
        speaker=spoken[0].speaker if speaker is None and spoken else speaker or "",
        role=role,
        start=next(starts, None) if start is None else start,
        end=next(ends, None) if end is None else end,
        confidence=confidence,
        words=tuple(Word(word.text, word.confidence) for word in spoken if word.confidence is not None),
    )


def by_voice(spoken: Iterable[Spoken], pause: float = PAUSE_S) -> Iterator[Utterance]:
    """Utterances that end where another voice begins, or where nobody speaks for `pause` seconds.

    What has neither time nor voice of its own (punctuation) stays with the word before it.
    """
    run: list[Spoken] = []
    last_end: float | None = None
    for word in spoken:
        silent = word.start is not None and last_end is not None and word.start - last_end >= pause
        other = word.speaker != run[0].speaker and not _unplaced(word) if run else False
        if run and (silent or other):
            yield utterance(run)
            run = []
        run.append(word)
        last_end = last_end if word.end is None else word.end
    if run:
        yield utterance(run)


def _unplaced(word: Spoken) -> bool:
    return word.start is None and not word.speaker


class Segments:
    """A source's own division of the call, given apart from the words: where each segment begins, and whose it is."""

    def __init__(self, begins: Iterable[tuple[float, str]]) -> None:
        ordered = sorted(begins)
        self._begins = [begin - ROUNDING_S for begin, _ in ordered]
        self._speakers = [speaker for _, speaker in ordered]

    def divide(self, spoken: Iterable[Spoken]) -> Iterator[Utterance]:
        """Utterances of the words that begin in the same segment; before the first one, those between pauses."""
        own: list[Spoken] = []
        place = -1
        for word in spoken:
            now = place if word.start is None else bisect_right(self._begins, word.start) - 1
            if now != place:
                yield from self._undivided(own, place)
                own = []
            place = now
            known = word.speaker or _unplaced(word) or now < 0
            own.append(word if known else word._replace(speaker=self._speakers[now]))
        yield from self._undivided(own, place)

    @staticmethod
    def _undivided(own: Sequence[Spoken], place: int) -> Iterator[Utterance]:
        """What the source holds together is divided by voices only."""
        return by_voice(own, PAUSE_S if place < 0 else math.inf)


def in_time(utterances: Iterable[Utterance]) -> tuple[Utterance, ...]:
    """The utterances that hold text, by their start; as the source has them when one of them has no start."""
    kept = [said for said in utterances if said.text]
    timed = [said.start for said in kept if said.start is not None]
    if len(timed) == len(kept):
        kept.sort(key=lambda said: said.start or 0.0)
    return tuple(kept)


class Voices:
    """Labels of voices: with the channel when the recording has more than one, since each counts its own speakers."""

    def __init__(self, channels: Iterable[str]) -> None:
        self._by_channel = len(set(channels) - {""}) > 1

    def label(self, channel: str, speaker: str) -> str:
        """What tells this voice from the others; "" when the source says nothing of voices."""
        return "/".join(filter(None, (channel, speaker))) if self._by_channel else speaker
