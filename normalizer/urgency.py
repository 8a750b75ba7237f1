"""What makes a request urgent: the rules of data/urgency, and where they say nothing the model of `normalizer.marks`,
applied to what came in, so that a receipt can warn.

May not hold a rule; may not read what an agent said as the citizen's words.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from typing import Final

from normalizer import marks
from normalizer.rulebook import Book, Finding, Rule, load
from normalizer.simplified import simplified
from normalizer.ticket import Flag, Inbound, Speaker, Tier

_LONGEST: Final = 20_000  # characters looked at: hostile input must not hold the server up
_OURS: Final = (Speaker.AGENT, Speaker.SYSTEM)

BOOK: Final = load("contexts", "fire", "rescue", "harm", "medical", "hazards", "supply", "slow")
_DANGERS: Final = Book((rule for rule in BOOK.rule if rule.tier is Tier.IMMEDIATE), BOOK.context)
_OTHERS: Final = Book((rule for rule in BOOK.rule if rule.tier is not Tier.IMMEDIATE), BOOK.context)

_HIDDEN: Final = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_FOLD: Final[dict[str, str]] = {
    **dict.fromkeys(_HIDDEN, ""),
    "’": "'",
    **{chr(code): chr(code + 0x20) for code in range(0x41, 0x5B)},
    **{chr(code): chr(code - 0xFEE0) for code in (*range(0xFF10, 0xFF1A), *range(0xFF41, 0xFF5B))},
    **{chr(code): chr(code - 0xFEE0 + 0x20) for code in range(0xFF21, 0xFF3B)},
}
_FOLDABLE: Final = re.compile(f"[{''.join(_FOLD)}]")
_SPREAD: Final = re.compile("[ \t\r\n\u00a0\u3000]{1,8}(?=[\u4e00-\u9fff])")  # bounded: runs stay linear


def alarms(inbound: Inbound) -> tuple[Flag, ...]:
    """The flags that must reach the sender at once: those of every danger the words name now, and `emergency` when
    the channel set it or the words sound like it. Empty for an ordinary request."""
    told = tuple(flag for flag in inbound.flags if flag is Flag.EMERGENCY)
    text = fold(matter(inbound))
    named = tuple(flag for rule in _hits(text) for flag in rule.flags)
    return tuple(dict.fromkeys((*told, *named))) or ((Flag.EMERGENCY,) if marks.is_danger(text) else ())


def emergency_numbers(said: Inbound | str) -> tuple[str, ...]:
    """The numbers to call for the dangers named, the first to call first; all of them where the words only sound like
    danger; empty when there is none."""
    text = fold(said if isinstance(said, str) else matter(said))
    named = tuple(dict.fromkeys(number for rule in _hits(text) for number in rule.call))
    return named or (marks.CALL if marks.is_danger(text) else ())


@dataclass(frozen=True, slots=True)
class Assessed:
    """`findings`: every rule whose words are there, dangers first, each with what rules it out. `sounds`: the tier that
    the text sounds like where no rule says as much."""

    findings: tuple[Finding, ...]
    sounds: Tier | None


def assess(inbound: Inbound) -> Assessed:
    """What rules and model say of a submission."""
    text = fold(matter(inbound))
    findings = (*_DANGERS.scan(text), *_OTHERS.scan(text))
    ruled = {finding.rule.tier for finding in findings if finding.ruled_out_by is None}
    return Assessed(findings, _sounds(text, ruled))


def names_danger(text: str) -> bool:
    """Whether a rule finds a danger in a folded text; the model is not asked."""
    return bool(_hits(text))


def _sounds(text: str, ruled: Set[Tier | None]) -> Tier | None:
    if Tier.IMMEDIATE in ruled:
        return None
    if marks.is_danger(text):
        return Tier.IMMEDIATE
    return None if ruled - {None} else marks.tier(text)


def _hits(text: str) -> list[Rule]:
    return [finding.rule for finding in _DANGERS.scan(text) if finding.ruled_out_by is None]


def matter(inbound: Inbound) -> str:
    """What the citizen said; an agent who names an emergency number must not raise an alarm."""
    spoken = (turn.text for turn in inbound.conversation if turn.speaker not in _OURS)
    # Joined by a sentence end, so that one does not explain the other.
    return "。".join(filter(None, (inbound.title, inbound.text, *spoken)))[:_LONGEST]


def fold(text: str) -> str:
    """Lower case, half width, simplified, without hidden characters or blanks between Han characters."""
    return _SPREAD.sub(_close, _FOLDABLE.sub(_plain, simplified(text)))


def _plain(found: re.Match[str]) -> str:
    return _FOLD[found[0]]


def _close(gap: re.Match[str]) -> str:
    before = gap.string[gap.start() - 1 : gap.start()]
    return "" if "\u4e00" <= before <= "\u9fff" else gap[0]
