"""Whether two texts are one matter, on the labelled pairs that were kept, beside a cosine of characters alone.

May not fit: tests/linking_model.py does, on the other pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from normalizer.matter.likeness import contradict, shipped
from normalizer.matter.reading import read
from tests.accuracy import measures
from tests.accuracy.result import Result
from tests.linking_pairs import Pair, labelled, matter_of, rows, split, text_of
from tests.linking_told import sets, told

RECALL: Final = 0.8
"""What is asked."""


def measure() -> Iterator[Result]:
    """The shipped model at the shipped threshold; then invented pairs, which nothing was fitted on."""
    known, kept = split(labelled())
    cosine = _cosine([*known, *kept])
    level = _level([cosine[pair] for pair in known], [pair.same for pair in known])
    yield _result("Same matter (repeat or same incident)", kept, cosine, level)
    yield _result("Same matter, where another reader would decide alike", [p for p in kept if p.sure], cosine, level)
    for name in sets():
        yield _invented(name)


def _result(name: str, pairs: Sequence[Pair], cosine: dict[Pair, float], level: float) -> Result:
    same, scores, base = [pair.same for pair in pairs], [pair.score() for pair in pairs], [cosine[p] for p in pairs]
    given = [score >= shipped().threshold for score in scores]
    based = [score >= level for score in base]
    texts = [text_of(key) for pair in pairs for key in pair.keys]
    return Result(
        name,
        f"tests/labels/pairs.csv, {len(pairs)} pairs of petitions and Haikou rows, most of the different ones alike",
        "the pairs kept from development (groups of pairs that share rows, fixed seed)",
        (
            measures.figure("precision", _precision(same, given), _precision(same, based), 0.95),
            measures.figure("recall", _recall(same, given), _recall(same, based), 0.8),
            measures.figure("precision where recall is 0.8", _at(same, scores), _at(same, base), 0.95),
        ),
        baseline="character 1–3-gram TF-IDF cosine with the same gates (quoted numbers, contradictions), at the "
        f"threshold with a recall of {RECALL} on the development pairs: no threshold has the precision that is asked",
        milliseconds=measures.milliseconds(lambda text: read("", text), [one.text for one in texts]),
        confusions=measures.confusions(
            [pair.label for pair in pairs],
            [
                pair.label if is_one == pair.same else "linked" if is_one else "not linked"
                for pair, is_one in zip(pairs, given, strict=True)
            ],
        ),
        more=("`docs/explanation/same-matter.md` says how often the kept part was looked at.",),
    )


def _invented(name: str) -> Result:
    pairs = told(name)
    same, given = [pair.same for pair in pairs], [pair.score() >= shipped().threshold for pair in pairs]
    wrong = [pair.why for pair, is_one in zip(pairs, given, strict=True) if is_one and not pair.same]
    return Result(
        f"Same matter, invented short pairs (`{name}`)",
        f"tests/labels/second/{name}.jsonl, {len(pairs)} pairs through the whole of `normalize()`",
        "none was fitted on; tests/labels/second/pairs.md has the first figures, before anything was mended by them",
        (
            measures.figure("precision", _precision(same, given)),
            measures.figure("recall", _recall(same, given)),
        ),
        more=(f"Linked wrongly: {', '.join(wrong) or 'none'}.",),
    )


def _precision(same: Sequence[bool], given: Sequence[bool]) -> tuple[float, float, float]:
    return measures.share([is_same for is_same, is_one in zip(same, given, strict=True) if is_one])


def _recall(same: Sequence[bool], given: Sequence[bool]) -> tuple[float, float, float]:
    return measures.share([is_one for is_same, is_one in zip(same, given, strict=True) if is_same])


def _at(same: Sequence[bool], scores: Sequence[float]) -> tuple[float, float, float]:
    """Precision where the recall of these very pairs is that: says how well they are ranked, whatever the threshold."""
    level = _level(scores, same)
    return _precision(same, [score >= level for score in scores])


def _cosine(pairs: Sequence[Pair]) -> dict[Pair, float]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    found: dict[Pair, float] = {}
    for name in {pair.set for pair in pairs}:
        every = [text_of((name, at)) for at in range(len(rows(name)))]
        table = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=2).fit_transform(
            [f"{one.title}\n{one.text}" for one in every]
        )
        for pair in pairs:
            if pair.set == name:
                alike = float(table[pair.rows[0]].multiply(table[pair.rows[1]]).sum())
                apart = not pair.quotes() and contradict(*map(matter_of, pair.keys))
                found[pair] = 1.0 if pair.quotes() else -1.0 if apart else alike
    return found


def _level(scores: Sequence[float], same: Sequence[bool]) -> float:
    """The highest level that has the recall."""
    right = sorted((score for score, is_same in zip(scores, same, strict=True) if is_same), reverse=True)
    return right[math.ceil(RECALL * len(right)) - 1]
