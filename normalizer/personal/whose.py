"""Whose number (or address) it is that a text names: the writer's, somebody else's, an office's. By words around it.

May not decide what is done with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from normalizer.personal.data import Datum
from normalizer.personal.names import signed_name
from normalizer.personal.words import WORDS, after, before, last, one_of

Owner = Literal["own", "other", "office", "unclear"]

ASKED: Final = "asks to call there"
"""Somebody's, whom the writer wants to be called: the writer's own where no other number is known."""
ONLY: Final = "the only one that may be the writer's"
"""Nothing says whose: the writer's own where no other number is known, for who writes a number wants to be called."""
_REACH: Final = 30  # characters
_AHEAD: Final = 14
_FAR: Final = 60  # characters before a number in which the one is named whom a pronoun means
_ALONE: Final = 3  # characters beside a number that stands for itself at the end of a text
_WORDS: Final = WORDS["whose"]
_OWN: Final = one_of(_WORDS["own"])
_WISH: Final = one_of(_WORDS["wish"])
_ASK: Final = one_of(_WORDS["ask"])
_DIAL: Final = one_of(_WORDS["dial"])
_LABEL: Final = one_of(_WORDS["label"])
_OTHER: Final = one_of(_WORDS["other"])
_PRONOUN: Final = one_of(_WORDS["pronoun"])
_CLIENT: Final = one_of(_WORDS["client"])
_OFFICE: Final = one_of(_WORDS["office"])
_QUOTED: Final = one_of(_WORDS["quoted"])
_CALLED: Final = one_of(_WORDS["called"])
_REFUSED: Final = one_of(_WORDS["refused"])
_AFTER_OWN: Final = one_of(_WORDS["after_own"])
_AFTER_OTHER: Final = one_of(_WORDS["after_other"])
_AFTER_REFUSED: Final = one_of(_WORDS["after_refused"])
_ACCUSED: Final = one_of(_WORDS["accused"])
_HARM: Final = one_of([*_WORDS["accused"], *_WORDS["harm"]])
_LEADS: Final = re.compile(_WORDS["leads"])
_GOES_ON: Final = re.compile(_WORDS["goes_on"])
_HAN: Final = re.compile(r"[\u4e00-\u9fff]")
_COMMA: Final = re.compile(r"[，,、]")
_AND: Final = re.compile(r"\s*(?:[，,、/]|或者?|和|及|，或)?\s*")
# （宅）, （办）, 座机: what a number is, right behind or before it; and the words that ask for one of them.
_MARK_NAMES: Final = "|".join(_WORDS["mark"])
_MARK: Final = re.compile(rf"\s?[（(](?P<mark>{_MARK_NAMES})(?:电话?)?[）)]")
_MARKED: Final = re.compile(rf"(?P<mark>{_MARK_NAMES})(?:电话?)?(?:号码?)?(?:是|为|[：:\s])*$")
_MARK_ASKED: Final = re.compile(rf"(?:[找打拨]|优先|首选|联系)(?P<mark>{_MARK_NAMES})(?:电话?|的|那个|[，,。]|$)")


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whose it is, why (a word of ours), and whether the writer asks to be called there."""

    owner: Owner
    why: str
    wished: bool = False


def whose(text: str, data: Sequence[Datum]) -> tuple[Judgement, ...]:
    """Of each of the data of a text, in its order. A single number of which nothing says whose is the writer's."""
    judged: list[Judgement] = []
    edges = [0, *(one.end for one in data)]
    nexts = [*(one.start for one in data[1:]), len(text)]
    for datum, begin, stop in zip(data, edges, nexts, strict=False):
        one = _Sight(text, datum, begin, stop).judgement()
        if one.owner == "unclear" and judged and _AND.fullmatch(text[begin : datum.start]):
            one = judged[-1]
        judged.append(one)
    return tuple(_asked_by_mark(text, data, _only(data, judged)))


def _only(data: Sequence[Datum], judged: list[Judgement]) -> list[Judgement]:
    """The writer wants to be called: where one number alone may be the writer's, it is."""
    phones = [one for datum, one in zip(data, judged, strict=True) if datum.kind == "phone"]
    if sum(one.owner == "unclear" for one in phones) != 1 or any(one.owner == "own" for one in phones):
        return judged
    return [
        Judgement("own", ONLY) if one.owner == "unclear" and datum.kind == "phone" else one
        for datum, one in zip(data, judged, strict=True)
    ]


def _asked_by_mark(text: str, data: Sequence[Datum], judged: list[Judgement]) -> list[Judgement]:
    """「…（办）…（宅），找宅电」."""
    asked = _MARK_ASKED.search(text) if len(data) > 1 else None
    if asked is None:
        return judged
    marks = [_MARK.match(text, one.end) or _MARKED.search(before(text, one.start, _AHEAD)) for one in data]
    return [
        Judgement("own", "asked for by its mark", wished=True) if mark and mark["mark"][0] == asked["mark"][0] else one
        for mark, one in zip(marks, judged, strict=True)
    ]


class _Sight:
    """One datum with the words around it that are not about another one."""

    def __init__(self, text: str, datum: Datum, begin: int, stop: int) -> None:
        self.text, self.datum = text, datum
        self.said = before(text, datum.start, min(_REACH, datum.start - begin))
        self.clause = _COMMA.split(self.said)[-1]
        following = after(text, datum.end, min(_AHEAD, stop - datum.end))
        if stop < len(text) and datum.end + len(following) == stop:  # the last clause leads to the next number
            following = "，".join(_COMMA.split(following)[:-1])
        self.following = following

    @property
    def earlier(self) -> str:
        """What stands before, over the ends of sentences."""
        return self.text[max(0, self.datum.start - _FAR) : self.datum.start]

    def judgement(self) -> Judgement:
        """By what follows, then the clause before, then where it stands."""
        if _REFUSED.search(self.clause) or _AFTER_REFUSED.search(self.following):
            return Judgement("other", "not to be called")
        if _AFTER_OWN.search(self.following):
            return Judgement("own", "what follows says so", wished=True)
        if self.datum.shape == "service":
            wished = _WISH.search(self.clause)
            return Judgement("own", ASKED, wished=True) if wished else Judgement("office", "a service number")
        near = self._near()
        if near is not None and near.owner == "own":
            return near
        if _AFTER_OTHER.search(self.following):
            return Judgement("other", "what follows says so")
        return near or self._by_place()

    def _near(self) -> Judgement | None:
        """The nearest word of the same clause that says whose."""
        clause = self.clause
        own, pronoun = max(last(_OWN, clause), last(_WISH, clause)), last(_PRONOUN, clause)
        other, office, called = last(_OTHER, clause), last(_OFFICE, clause), last(_CALLED, clause)
        if own >= 0 and own >= max(other, office, called, pronoun):
            if _QUOTED.search(self.earlier):
                return Judgement("office", "an office's words are quoted")
            return Judgement("own", "the words before say so", wished=bool(_WISH.search(clause)))
        if pronoun > max(other, office, called):
            return self._meant()
        if max(other, office, called) < 0:
            return None
        if other >= office and other >= 0:
            return Judgement("other", "the words before name somebody else")
        return (
            Judgement("office", "the words before name an office") if office >= 0 else Judgement("other", "was called")
        )

    def _meant(self) -> Judgement:
        """Whom 他, 她, 其 mean: somebody for whom the writer speaks or whom the writer names to be called, 其 in an
        operator's note the caller; else somebody else."""
        if _HARM.search(self.earlier):
            return Judgement("other", "the one complained of")
        client, other = last(_CLIENT, self.earlier), max(last(_OTHER, self.earlier), last(_OFFICE, self.earlier))
        if client > other:
            return Judgement("own", "somebody for whom the writer speaks", wished=True)
        if "其" in self.clause and other < 0:
            return Judgement("own", "the caller's, by the operator's words")
        return Judgement("other", "the words before name somebody else")

    def _by_place(self) -> Judgement:
        """Nobody is named in the clause: a plain label, a signature, or nothing."""
        text, datum = self.text, self.datum
        if _ASK.search(self.clause):
            return Judgement("own", ASKED)
        if _ACCUSED.search(self.said):
            return Judgement("other", "the one complained of")
        if _QUOTED.search(self.earlier):
            return Judgement("office", "an office's words are quoted")
        if signed_name(text, datum.start):
            return Judgement("own", "stands by a name")
        if _LABEL.search(self.clause):
            return (
                Judgement("other", "follows somebody else's name")
                if _follows_other(self.said)
                else Judgement("own", "a plain label")
            )
        if _DIAL.search(self.clause):
            return Judgement("own", ASKED)
        if self._is_subject():
            return Judgement("other", "something is said of whom it belongs to")
        alone = not text[: datum.start].strip(" ，,。.\n") or len(text) - datum.end <= _ALONE
        return Judgement("own", "stands alone") if alone else Judgement("unclear", "nothing says whose")

    def _is_subject(self) -> bool:
        """Whether it stands between two words, without a mark: 派件员…把件扔门口."""
        glued = _HAN.search(self.clause[-1:]) and _HAN.search(self.following[:1])
        return bool(glued) and not _LEADS.search(self.clause) and not _GOES_ON.search(self.following)


def _follows_other(said: str) -> bool:
    """Whether the clause before the last one ends with a word for somebody else (「…的房东，电话」)."""
    clauses = _COMMA.split(said)
    return len(clauses) > 1 and last(_OTHER, clauses[-2]) == len(clauses[-2]) > 0
