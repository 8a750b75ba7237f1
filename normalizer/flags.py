"""Flags by words: the rules of data/urgency/flags.toml. They are for who handles the ticket, not for the sender.

May not hold a rule; may not raise an emergency: `normalizer.urgency` does.
"""

from __future__ import annotations

from typing import Final

from normalizer.rulebook import Book, Finding, load
from normalizer.ticket import Inbound
from normalizer.urgency import fold, matter

BOOK: Final = load("contexts", "flags")
_FLAGS: Final = Book(BOOK.rule, BOOK.context)


def marks(inbound: Inbound) -> tuple[Finding, ...]:
    """Every rule whose words are there, each with what rules it out."""
    return tuple(_FLAGS.scan(fold(matter(inbound))))
