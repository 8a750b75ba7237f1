"""The model of `normalizer.marks`: one table of n-grams, a support vector machine for each mark on the texts of which
it is known, and a height above which hardly any text of others came. May not look at a test case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gateway.training.examples import BadExamples, Example, read, rows
from gateway.training.fit import SEED, Recipe, blank, matrix_of, weighted
from gateway.training.splits import by_group
from normalizer.flags import BOOK as FLAG_RULES
from normalizer.flags import by_rules, named
from normalizer.marks import is_chinese
from normalizer.models.linear import Linear
from normalizer.models.spotting import WINDOW, heights
from normalizer.ticket import Flag, Tier
from normalizer.urgency import BOOK, fold, names_danger

WRITTEN: Final = Path(__file__).parent / "texts"
RECIPE: Final = Recipe(bits=18, seldom=3, cost=2.0)
DANGER: Final = Tier.IMMEDIATE.value
FLAGS: Final = (Flag.GROUP_EVENT, Flag.VIOLENCE, Flag.LEGAL, Flag.AGAINST_OFFICIAL, Flag.MINOR, Flag.CONFIDENTIAL)
MARKS: Final = (DANGER, Tier.HOURS_2.value, Tier.HOURS_24.value, *(flag.value for flag in FLAGS))
MOST_WRONG: Final[Mapping[str, float]] = dict.fromkeys(MARKS, 0.02) | {DANGER: 0.05}
"""The part of the written texts without a mark that may get it: they were written to look like those with it."""
MOST_REAL: Final[Mapping[str, float]] = dict.fromkeys(MARKS, 0.01) | {DANGER: 0.004}
"""The part of real texts, in which no rule sees a mark, that may sound like it."""
REAL: Final = ("haikou12345.jsonl", ("诉求内容",)), ("petitions_messages.jsonl", ("留言详情",))
FIRST: Final = 3_785
"""Rows of a file that are learned from; those behind are kept to measure on."""
FOURTH: Final = 4
"""One real text in so many is learned from: more would teach that dangers are not told in the voice of a clerk."""


@dataclass(frozen=True, slots=True)
class Case:
    """A text, and which marks it has; a mark that is in neither is not known of it."""

    text: str
    has: frozenset[str]
    known: frozenset[str]
    real: bool = False


def written(folder: Path = WRITTEN) -> list[Case]:
    """The cases written to learn from, and those of the rules."""
    found = {case.text: case for case in (*_of_rules(), *_dangers(folder / "danger"), *_marked(folder / "marks"))}
    if not found:
        raise BadExamples("no written cases")
    return [case for case in found.values() if is_chinese(case.text)]


def real(data: Path) -> list[Case]:
    """A part of each real text in which no rule sees a danger: how people speak who are in none."""
    chance = Random(SEED)  # noqa: S311 — a choice that can be repeated, no secret
    found = []
    for name, fields in REAL:
        for one in read(data / name, text=fields, label=fields[0])[:FIRST:FOURTH]:
            start = chance.randrange(max(1, len(one.text) - WINDOW + 1))
            part = fold(one.text[start : start + WINDOW])
            if not names_danger(part):
                flags = frozenset(flag.value for flag in named(by_rules(part)))
                found.append(Case(part, flags, frozenset({DANGER}), real=True))
    return found


def train(cases: Sequence[Case], about: Mapping[str, Any], recipe: Recipe = RECIPE) -> Linear:
    """The model of all cases; what it calls a mark was set by models that had not seen the case."""
    unseen = np.zeros((len(cases), len(MARKS)))
    examples = [Example(case.text, DANGER if DANGER in case.has else "", case.text) for case in cases]
    for seen, asked in by_group(examples):
        model = fit([cases[at] for at in seen], recipe)
        for at in asked:
            unseen[at] = heights(model, cases[at].text)
    model = fit(cases, recipe)
    bars = [_bar(mark, cases, unseen[:, at]) for at, mark in enumerate(MARKS)]
    facts = {
        mark: _facts(mark, cases, unseen[:, at], bar) for at, (mark, bar) in enumerate(zip(MARKS, bars, strict=True))
    }
    return replace(
        model,
        bias=(model.bias - np.array(bars)).astype(np.float32),
        about={**about, "task": "marks", "examples": len(cases), "marks": facts, "cost": recipe.cost, "seed": SEED},
    )


def fit(cases: Sequence[Case], recipe: Recipe) -> Linear:
    """A model whose heights are not compared with anything yet."""
    from sklearn.svm import LinearSVC

    texts = [case.text for case in cases]
    empty = blank(texts, recipe)
    matrix = matrix_of(empty, texts)
    found, bias = [], []
    for mark in MARKS:
        known = [at for at, case in enumerate(cases) if mark in case.known]
        right = np.array([mark in cases[at].has for at in known])
        if right.all() or not right.any():
            raise BadExamples(f"no written case with {mark}, or none without")
        machine = LinearSVC(C=recipe.cost, class_weight="balanced", random_state=SEED)
        machine.fit(matrix[known], right)
        found.append(machine.coef_[0])
        bias.append(float(machine.intercept_[0]))
    return weighted(empty, MARKS, np.array(found), np.array(bias))


def _bar(mark: str, cases: Sequence[Case], found: NDArray[np.float64]) -> float:
    """The height that no more of the texts without the mark reach than may."""
    bars = []
    for is_real, most in ((False, MOST_WRONG[mark]), (True, MOST_REAL[mark])):
        reached = sorted(
            (
                height
                for case, height in zip(cases, found.tolist(), strict=True)
                if case.real is is_real and mark not in case.has and (is_real or mark in case.known)
            ),
            reverse=True,
        )
        bars += reached[int(most * len(reached)) :][:1]
    return float(np.nextafter(max(bars), np.inf))


def _facts(mark: str, cases: Sequence[Case], found: NDArray[np.float64], bar: float) -> dict[str, float]:
    """What of the unseen cases it found, and what else."""
    known = [
        (mark in case.has, height > bar)
        for case, height in zip(cases, found.tolist(), strict=True)
        if mark in case.known
    ]
    having = [told for has, told in known if has]
    lacking = [told for has, told in known if not has]
    return {
        "with": len(having),
        "found": round(sum(having) / len(having), 4),
        "without": len(lacking),
        "wrong": round(sum(lacking) / len(lacking), 4),
    }


def _dangers(folder: Path) -> Iterator[Case]:
    for path in sorted(folder.glob("*.jsonl")):
        for row in rows(path):
            yield Case(fold(row["text"]), frozenset({DANGER} if row["danger"] else ()), frozenset({DANGER}))


def _marked(folder: Path) -> Iterator[Case]:
    for path in sorted(folder.glob("*.jsonl")):
        for row in rows(path):
            yield Case(fold(row["text"]), frozenset({row["tier"], *row["flags"]}) & frozenset(MARKS), frozenset(MARKS))


def _of_rules() -> Iterator[Case]:
    """What the rules' authors wrote for each: none of a danger's near misses is one."""
    for rule in (*BOOK.rule, *FLAG_RULES.rule):
        own = frozenset(filter(None, (rule.tier and rule.tier.value, *rule.flags))) & frozenset(MARKS)
        for text in rule.examples:
            yield Case(fold(text), own, own)
        for text in rule.near_misses:
            yield Case(fold(text), frozenset(), own)
