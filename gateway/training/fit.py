"""From examples to a linear model: n-grams kept, a support vector machine fitted, its scores made probabilities and a
threshold chosen on answers that the fitted model had not seen. May not look at a test row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gateway.training.bayes import mixed
from gateway.training.examples import BadExamples, Example
from gateway.training.leaning import leaning
from gateway.training.levels import sureties, threshold
from normalizer.models.linear import Linear
from normalizer.models.ngrams import hashes
from normalizer.simplified import simplified

Fold = tuple[Sequence[int], Sequence[int]]
Weights = NDArray[np.float64]

SEED: Final = 20_261_123
_LONGEST_STEPS: Final = 20_000
_TEMPERATURES: Final = np.geomspace(0.25, 32, 141)
_PARTS: Final = 5  # of the unseen answers, to see how good a confidence is on answers it was not made of
_TRUST: Final = 0.5  # C of the confidences: few answers say little about a class


@dataclass(frozen=True, slots=True)
class Recipe:
    """`bits`: of a hash that choose its slot; the fewer slots, the more n-grams that nobody saw pass for one that was
    seen. `seldom`: n-grams in fewer texts are left out. `cost`: C of the support vector machine. `bayes`: how much
    naive Bayes, which learns less by heart, says beside it. `unread`: characters that are not looked at. `lately`: how
    much answers that have become frequent are preferred. `goal`: the share that must be right above the threshold, on
    the unseen part of the training data; above the promised 0.95, because it is chosen there."""

    bits: int = 20
    seldom: int = 1
    cost: float = 1.0
    bayes: float = 0.0
    unread: str = ""
    lately: float = 0.0
    goal: float = 0.97


def train(
    examples: Sequence[Example],
    folds: Iterable[Fold],
    recipe: Recipe,
    about: Mapping[str, Any],
    weights: Weights | None = None,
) -> Linear:
    """The model of all examples, calibrated by models that did not see the example they answer."""
    weights = np.ones(len(examples)) if weights is None else weights
    answers = [answer for fold in folds for answer in _unseen(examples, fold, recipe, weights)]
    model = fit(examples, recipe, weights)
    found = calibrate(answers, model.labels, recipe.goal)
    facts = {"examples": len(examples), "answered": round(found.answered, 4), "right": round(found.right, 4)}
    facts |= {"unseen": len(answers), "cost": recipe.cost, "seldom": recipe.seldom, "goal": recipe.goal, "seed": SEED}
    return replace(
        model,
        temperature=found.temperature,
        lead=found.lead,
        height=found.height,
        trust=found.trust,
        threshold=found.threshold,
        about={**facts, **about},
    )


def fit(examples: Sequence[Example], recipe: Recipe, weights: Weights | None = None) -> Linear:
    """A model that is not calibrated."""
    if len({example.label for example in examples}) < 2:
        raise BadExamples("fewer than two different answers: there is nothing to learn")
    empty = blank([example.text for example in examples], recipe)
    return _machine(empty, examples, np.ones(len(examples)) if weights is None else weights, recipe)


def blank(texts: Sequence[str], recipe: Recipe) -> Linear:
    """A model that knows the n-grams of the texts, and no class yet."""
    slots, idf = _vocabulary(texts, recipe)
    none, nothing = np.zeros(1, dtype=np.float32), np.zeros((1, 1), dtype=np.int8)
    return Linear((), slots, idf, nothing, none, none, none, 1.0, 1.0, 0.0, 1.0, recipe.unread, {})


def matrix_of(empty: Linear, texts: Sequence[str]) -> Any:
    """A row a text, sparse: what `empty` sees in it."""
    from scipy.sparse import csr_matrix

    vectors = [empty.vector(simplified(text)) for text in texts]
    starts = np.cumsum([0, *(len(rows) for rows, _ in vectors)])
    data, at = np.concatenate([values for _, values in vectors]), np.concatenate([rows for rows, _ in vectors])
    return csr_matrix((data.astype(np.float64), at, starts), shape=(len(vectors), len(empty.idf)))


def weighted(empty: Linear, labels: Sequence[str], weights: Weights, bias: Weights) -> Linear:
    """`empty` with the classes, a row of weights each, in a byte each."""
    scale = np.maximum(np.abs(weights).max(axis=1), 1e-9) / 127
    return replace(
        empty,
        labels=tuple(labels),
        weights=np.ascontiguousarray(np.rint(weights / scale[:, None]).T.astype(np.int8)),
        scale=scale.astype(np.float32),
        bias=bias.astype(np.float32),
        trust=np.zeros(len(labels), dtype=np.float32),
    )


def score_all(model: Linear, texts: Iterable[str]) -> NDArray[np.float64]:
    """A row of scores a text; zeros where nothing is known."""
    nothing = np.zeros(len(model.labels), dtype=np.float32)
    found = [nothing if (scores := model.scores(simplified(text))) is None else scores for text in texts]
    return np.array(found, dtype=np.float64)


def _vocabulary(said: Sequence[str], recipe: Recipe) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    shift, size = np.uint32(32 - recipe.bits), 1 << recipe.bits
    texts = np.zeros(size, dtype=np.int64)
    for one in said:
        texts[np.unique(hashes(simplified(one), recipe.unread) >> shift)] += 1
    kept = np.flatnonzero(texts >= recipe.seldom)
    if not len(kept):
        raise BadExamples("too few texts: no n-gram is common enough")
    slots = np.full(size, -1, dtype=np.int32)
    slots[kept] = np.arange(len(kept), dtype=np.int32)
    return slots, (np.log((1 + len(said)) / (1 + texts[kept])) + 1).astype(np.float32)


def _machine(empty: Linear, examples: Sequence[Example], weights: Weights, recipe: Recipe) -> Linear:
    from sklearn.svm import LinearSVC

    labels = sorted({example.label for example in examples})
    matrix = matrix_of(empty, [example.text for example in examples])
    machine = LinearSVC(C=recipe.cost, class_weight="balanced", random_state=SEED, max_iter=_LONGEST_STEPS)
    answers = [labels.index(example.label) for example in examples]
    machine.fit(matrix, answers, sample_weight=weights)
    found, bias = machine.coef_, machine.intercept_
    if len(labels) == 2:
        found, bias = np.vstack((-found, found)), np.concatenate((-bias, bias))
    bias = bias + recipe.lately * leaning(examples, labels)
    return weighted(empty, labels, mixed(found, matrix, answers, recipe.bayes), bias)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said of an example it had not seen: its scores by class, and the class that is right."""

    scores: Mapping[str, float]
    right: str

    @property
    def top(self) -> tuple[str, float, float]:
        """The best class, its lead and its score."""
        (first, best), (_, second) = sorted(self.scores.items(), key=lambda one: (-one[1], one[0]))[:2]
        return first, best - second, best


@dataclass(frozen=True, slots=True)
class Calibration:
    """`answered`: the part of the unseen answers above the threshold; `right`: the share of that part."""

    temperature: float
    lead: float
    height: float
    trust: NDArray[np.float32]
    threshold: float
    answered: float
    right: float


def _unseen(examples: Sequence[Example], fold: Fold, recipe: Recipe, weights: Weights) -> list[Answer]:
    seen, asked = fold
    model = fit([examples[at] for at in seen], recipe, weights[np.array(seen)])
    scores = score_all(model, (examples[at].text for at in asked))
    return [
        Answer(dict(zip(model.labels, row.tolist(), strict=True)), examples[at].label)
        for row, at in zip(scores, asked, strict=True)
    ]


def calibrate(answers: Sequence[Answer], labels: Sequence[str], goal: float) -> Calibration:
    """The temperature makes the right answers likeliest; the confidence is a logistic regression on lead, height and
    class; the threshold lets through as many as it can so that `goal` of them are right, by confidences
    that did not see them. Where that is never so, it is 1: nothing is concluded."""
    from sklearn.linear_model import LogisticRegression

    hit = np.array([answer.top[0] == answer.right for answer in answers])
    facts = np.zeros((len(answers), 2 + len(labels)))
    for row, answer in zip(facts, answers, strict=True):
        label, row[0], row[1] = answer.top
        row[2 + labels.index(label)] = 1
    if hit.all() or not hit.any():
        raise BadExamples("too few examples: how sure a guess is cannot be found out")
    temperature = float(min(_TEMPERATURES, key=lambda one: _surprise(answers, float(one))))
    sure = np.zeros(len(answers))
    parts = np.arange(len(answers)) % _PARTS
    for part in range(_PARTS):
        others = parts != part
        if len(set(hit[others])) < 2:
            raise BadExamples("too few examples: how sure a guess is cannot be found out")
        judge = LogisticRegression(C=_TRUST, max_iter=_LONGEST_STEPS).fit(facts[others], hit[others])
        sure[~others] = judge.predict_proba(facts[~others])[:, 1]
    judge = LogisticRegression(C=_TRUST, max_iter=_LONGEST_STEPS).fit(facts, hit)
    lead, height, *trust = judge.coef_[0].tolist()
    told = [
        [*sureties(answer.scores, float(first), temperature, answer.right)]
        for answer, first in zip(answers, sure, strict=True)
    ]
    cut, answered, right = threshold(told, goal)
    trusted = np.array(trust, dtype=np.float32) + np.float32(judge.intercept_[0])
    return Calibration(temperature, lead, height, trusted, cut, answered, right)


def _surprise(answers: Sequence[Answer], temperature: float) -> float:
    spent = []
    for answer in answers:
        if answer.right in answer.scores:
            raised = np.exp(temperature * (np.array([*answer.scores.values()]) - answer.top[2]))
            spent.append(np.log(raised.sum()) - temperature * (answer.scores[answer.right] - answer.top[2]))
    return float(np.mean(spent))
