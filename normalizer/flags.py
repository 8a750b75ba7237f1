"""Flags by words: the rules of data/urgency/flags.toml, and beside them the model of `normalizer.marks`. They are for
who handles the ticket, not for the sender. May not hold a rule, nor raise an emergency: `normalizer.urgency` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from normalizer import marks
from normalizer.rulebook import Book, Finding, load
from normalizer.ticket import Flag, Inbound
from normalizer.urgency import fold, matter

BOOK: Final = load("contexts", "flags")
_FLAGS: Final = Book(BOOK.rule, BOOK.context)


@dataclass(frozen=True, slots=True)
class Flagged:
    """`findings`: every rule whose words are there, each with what rules it out. `sounds`: flags that no rule finds but
    the text sounds like."""

    findings: tuple[Finding, ...]
    sounds: tuple[Flag, ...]

    @property
    def flags(self) -> tuple[Flag, ...]:
        """All that are to be added, those of rules first."""
        return (*named(self.findings), *self.sounds)


def read(inbound: Inbound) -> Flagged:
    """What rules and model say of a submission."""
    text = fold(matter(inbound))
    findings = by_rules(text)
    found = frozenset(named(findings))
    return Flagged(findings, tuple(flag for flag in marks.flags(text) if flag not in found))


def by_rules(text: str) -> tuple[Finding, ...]:
    """Every flag rule whose words are in a folded text, each with what rules it out."""
    return tuple(_FLAGS.scan(text))


def named(findings: tuple[Finding, ...]) -> tuple[Flag, ...]:
    """The flags of the rules that apply."""
    return tuple(flag for finding in findings if finding.ruled_out_by is None for flag in finding.rule.flags)
