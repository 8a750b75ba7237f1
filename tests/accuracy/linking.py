"""Whether two texts are one matter, on the labelled pairs that were kept, beside a cosine of characters alone.

May not fit: tests/linking_model.py does, on the other pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from normalizer.matter.likeness import shipped
from normalizer.matter.reading import read
from tests.accuracy import measures
from tests.accuracy.result import Result
from tests.linking_pairs import Pair, labelled, rows, split, text_of


def measure() -> Iterator[Result]:
    """The shipped model at the shipped threshold."""
    known, kept = split(labelled())
    cosine = _cosine([*known, *kept])
    level = _best([cosine[pair] for pair in known], [pair.same for pair in known])
    yield _result("Same matter (repeat or same incident)", kept, cosine, level)
    yield _result("Same matter, where another reader would decide alike", [p for p in kept if p.sure], cosine, level)


def _result(name: str, pairs: Sequence[Pair], cosine: dict[Pair, float], level: float) -> Result:
    given = [pair.score() >= shipped().threshold for pair in pairs]
    base = [cosine[pair] >= level for pair in pairs]
    texts = [text_of(key) for pair in pairs for key in pair.keys]
    return Result(
        name,
        f"tests/labels/pairs.csv, {len(pairs)} pairs of petitions and Haikou rows, most of the different ones alike",
        "the pairs kept from development (groups of pairs that share rows, fixed seed)",
        (
            measures.figure("precision", _precision(pairs, given), _precision(pairs, base), 0.95),
            measures.figure("recall", _recall(pairs, given), _recall(pairs, base), 0.8),
        ),
        baseline="character 1–3-gram TF-IDF cosine, threshold of the best F1 on the development pairs",
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


def _precision(pairs: Sequence[Pair], given: Sequence[bool]) -> tuple[float, float, float]:
    return measures.share([pair.same for pair, is_one in zip(pairs, given, strict=True) if is_one])


def _recall(pairs: Sequence[Pair], given: Sequence[bool]) -> tuple[float, float, float]:
    return measures.share([is_one for pair, is_one in zip(pairs, given, strict=True) if pair.same])


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
                found[pair] = float(table[pair.rows[0]].multiply(table[pair.rows[1]]).sum())
    return found


def _best(cosines: Sequence[float], same: Sequence[bool]) -> float:
    """The level of the best F1."""
    levels, truth = np.array(cosines), np.array(same)
    return float(
        max(levels, key=lambda level: 2 * truth[levels >= level].sum() / ((levels >= level).sum() + truth.sum()))
    )


if __name__ == "__main__":
    for result in measure():
        print(result)
