"""The three models, each as data and a recipe: category and kind ship with us, units are a site's own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from gateway.training import splits
from gateway.training.examples import BadExamples, Example, read
from gateway.training.fit import Recipe, train
from gateway.training.succession import retired, succeeded
from normalizer.models.linear import Linear
from normalizer.ticket import Kind

_UNREAD: Final = "的了们和没就都也还么但而如他与并将被什且让是我，。！？；：、,.!?;:（）()“”\"'《》【】[]-—…·～~*"
"""Words and signs that the petitions to learn from have lost; what people write has them."""
CATEGORY: Final = Recipe(bits=20, seldom=8, cost=2.0, bayes=0.8, unread=_UNREAD, goal=0.98)
"""Its goal lies higher than the usual: the raw petitions at hand are harder than those it learned from."""
KIND: Final = Recipe(bits=17, seldom=3, goal=0.9)
"""A kind is asked of nobody else, and a wrong one keeps nobody from help: told more often than a unit is."""
UNITS: Final = Recipe(bits=20, seldom=2, lately=0.07, goal=0.98)

WRITTEN: Final = Path(__file__).parent / "texts/kinds.jsonl"
"""Texts written to learn from, most without the word that names their kind."""
SEGMENTED: Final = "petitions_labelled_segmented.jsonl"
APPEALS: Final = "fuzhou12345.jsonl"
CALLS: Final = "haikou12345.jsonl"

KINDS: Final[Mapping[str, Kind]] = {
    "投诉": Kind.COMPLAINT,
    "反映": Kind.COMPLAINT,
    "咨询": Kind.CONSULTATION,
    "建议": Kind.SUGGESTION,
}
_OPENING: Final = re.compile(r"^.{0,16}?(咨询|反映|投诉|建议)[：:]?\s*")
"""With what a clerk begins a note; it says the kind, so it is the answer and must not be the question."""


def category(examples: Sequence[Example], about: Mapping[str, Any], goal: float = CATEGORY.goal) -> Linear:
    """What a matter is about."""
    recipe = replace(CATEGORY, goal=goal)
    return train(examples, splits.by_group(examples), recipe, {"task": "category", **about})


def kind(own: Sequence[Example], notes: Sequence[Example], about: Mapping[str, Any]) -> Linear:
    """What a citizen wants. `notes` help to learn; only `own` words calibrate."""
    both = [*own, *notes]
    beside = range(len(own), len(both))
    folds = [([*seen, *beside], asked) for seen, asked in splits.by_group(own)]
    return train(both, folds, KIND, {"task": "kind", **about})


def units(examples: Sequence[Example], about: Mapping[str, Any]) -> Linear:
    """Who should take a ticket, learned from who took those before, and from the units' names, which callers say;
    `examples` in order of time."""
    gone = sorted(retired([example.label for example in examples]))
    moved, weights = succeeded(examples, UNITS)
    about = {"task": "units", "examples": len(examples), **about, **({"retired": gone} if gone else {})}
    names = [Example(label, label) for label in sorted({one.label for one in moved})]
    beside = range(len(moved), len(moved) + len(names))
    folds = [([*seen, *beside], asked) for seen, asked in splits.by_group(moved)]
    return train([*moved, *names], folds, UNITS, about, np.append(weights, np.ones(len(names))))


def petitions(data: Path) -> list[Example]:
    """The segmented petitions with the blanks between their words taken out, as people write."""
    found = read(data / SEGMENTED, text=("text",), label="label")
    return [Example("".join(one.text.split()), one.label, one.group) for one in found]


def appeals(data: Path) -> list[Example]:
    """Appeals of one city whose kind a clerk gave."""
    found = read(data / APPEALS, text=("标题", "投诉件内容"), label="性质")
    bodies = read(data / APPEALS, text=("投诉件内容",), label="性质")
    if len(found) != len(bodies):
        raise BadExamples(f"{APPEALS}: an appeal without a text")
    return [
        Example(one.text, str(KINDS[one.label]), body.group)
        for one, body in zip(found, bodies, strict=True)
        if one.label in KINDS
    ]


def written() -> list[Example]:
    """How people ask, report, praise … who do not say that they do."""
    return read(WRITTEN, text=("text",), label="kind")


def notes(data: Path) -> list[Example]:
    """Notes of another city's clerks, each without the opening that says its kind."""
    opened = (
        (one, opening)
        for one in read(data / CALLS, text=("诉求内容",), label="工单编号")
        if (opening := _OPENING.match(one.text))
    )
    found = (Example(one.text[opening.end() :], str(KINDS[opening[1]])) for one, opening in opened)
    return [one for one in found if one.text]


__all__ = ["CATEGORY", "KIND", "UNITS", "appeals", "category", "kind", "notes", "petitions", "units", "written"]
