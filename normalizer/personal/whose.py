"""Whose number (or address) it is that a text names: the writer's, somebody else's, an office's. By words around it.

May not decide what is done with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from normalizer.personal.data import Datum
from normalizer.personal.names import signed_name
from normalizer.personal.words import WORDS, after, before, last, one_of

Owner = Literal["own", "other", "office", "unclear"]

ASKED: Final = "asks to call there"
"""Somebody's, whom the writer wants to be called: the writer's own where no other number is known."""
_REACH: Final = 30  # characters
_AHEAD: Final = 14
_ALONE: Final = 3  # characters beside a number that stands for itself at the end of a text
_WORDS: Final = WORDS["whose"]
_OWN: Final = one_of(_WORDS["own"])
_WISH: Final = one_of(_WORDS["wish"])
_ASK: Final = one_of(_WORDS["ask"])
_LABEL: Final = one_of(_WORDS["label"])
_OTHER: Final = one_of(_WORDS["other"])
_OFFICE: Final = one_of(_WORDS["office"])
_CALLED: Final = one_of(_WORDS["called"])
_AFTER_OWN: Final = one_of(_WORDS["after_own"])
_AFTER_OTHER: Final = one_of(_WORDS["after_other"])
_ACCUSED: Final = re.compile(r"被(?:投诉|举报|反映)|(?:投诉|举报)对象")
_COMMA: Final = re.compile(r"[，,、]")


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whose it is, why (a word of ours), and whether the writer asks to be called there."""

    owner: Owner
    why: str
    wished: bool = False


def whose(text: str, datum: Datum) -> Judgement:
    """Judged by what follows, then the clause before, then where it stands."""
    if datum.shape == "service":
        return Judgement("office", "a service number")
    following = after(text, datum.end, _AHEAD)
    if _AFTER_OWN.search(following):
        return Judgement("own", "what follows says so", wished=True)
    said = before(text, datum.start, _REACH)
    clause = _COMMA.split(said)[-1]
    near = _near(clause)
    if near is not None and near.owner == "own":
        return near
    if _AFTER_OTHER.search(following):
        return Judgement("other", "what follows says so")
    return near or _by_place(text, datum, said, clause)


def _near(clause: str) -> Judgement | None:
    """The nearest word of the same clause that says whose."""
    own = last(_OWN, clause)
    other, office, called = last(_OTHER, clause), last(_OFFICE, clause), last(_CALLED, clause)
    if own >= 0 and own > max(other, office, called):
        return Judgement("own", "the words before say so", wished=bool(_WISH.search(clause)))
    if max(other, office, called) < 0:
        return None
    if other >= office and other >= 0:
        return Judgement("other", "the words before name somebody else")
    return Judgement("office", "the words before name an office") if office >= 0 else Judgement("other", "was called")


def _by_place(text: str, datum: Datum, said: str, clause: str) -> Judgement:
    """Nobody is named in the clause: a plain label, a signature, or nothing."""
    if _ACCUSED.search(said):
        return Judgement("other", "the one complained of")
    if signed_name(text, datum.start):
        return Judgement("own", "stands by a name")
    if _LABEL.search(clause):
        return (
            Judgement("other", "follows somebody else's name")
            if _follows_other(said)
            else Judgement("own", "a plain label")
        )
    if _ASK.search(clause):
        return Judgement("own", ASKED)
    alone = not text[: datum.start].strip(" ，,。.\n") or len(text) - datum.end <= _ALONE
    return Judgement("own", "stands alone") if alone else Judgement("unclear", "nothing says whose")


def _follows_other(said: str) -> bool:
    """Whether the clause before the last one ends with a word for somebody else (「…的房东，电话」)."""
    clauses = _COMMA.split(said)
    return len(clauses) > 1 and last(_OTHER, clauses[-2]) == len(clauses[-2]) > 0
