"""Writes what two matters are compared with: `python -m tests.linking_model`, from the project's root, with the shared
data beside it. normalizer/data/matter_weights.z (how rare runs of characters are) and matter_model.toml (weights).

Fitted on the development part of labels/pairs.csv and on labels/pairs_train.csv. No row of either is counted in the
table, so that a name in them is as new to it as a name of tomorrow. The same data give the same files.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from normalizer.matter import words
from normalizer.matter.likeness import CONTRADICTED, FEATURES, contradict
from normalizer.matter.reading import runs_of, search_key
from tests import linking_invented
from tests.linking_pairs import for_training, labelled, matter_of, rows, split, text_of

DATA: Final = Path(__file__).parents[1] / "normalizer/data"
SETS: Final = ("petitions_messages", "haikou12345")
RIDGE: Final = 8.0
"""How strongly weights are kept small, in units of one standard deviation of their feature."""
FOLDS: Final = 8
REPEATS: Final = 8
INVENTED: Final = 1.0
"""What all invented pairs count together, beside the real ones."""
PRECISION: Final = 0.95
"""At the threshold, the lowest that has it on pairs that the folds did not see: a link that is wrong costs more than
one that is missing."""

Floats = NDArray[np.float64]


def texts() -> list[tuple[str, str]]:
    """Title and text of every row that no pair names."""
    named = {key for pair in (*labelled(), *for_training()) for key in pair.keys}
    found = [text_of((name, at)) for name in SETS for at in range(len(rows(name))) if (name, at) not in named]
    fuzhou = [(row["标题"], row["投诉件内容"]) for row in rows("fuzhou12345")]
    return [(text.title, text.text) for text in found] + fuzhou


def weigh() -> dict[str, float]:
    """Write the table of weights; how much each kind of matter is worth."""
    said, group = words.said_by_kind()
    counts, first = np.zeros(1 << words.BITS, np.int64), np.zeros(len(words.kinds()))
    sample = texts()
    for title, text in sample:
        runs = runs_of(*search_key(title.lower(), text.lower()))
        counts[np.unique(runs.hashes)] += 1
        first[np.unique(group[np.isin(said, runs.hashes[runs.head])])] += 1
    rare = np.log((len(sample) + 1) / (counts + 0.5))
    table = np.clip(np.round(rare / rare.max() * words.MOST), 0, words.MOST).astype(np.uint8)
    (DATA / "matter_weights.z").write_bytes(zlib.compress((table[0::2] << 4 | table[1::2]).tobytes(), 9))
    worth = np.log(len(sample) / (first + 5))
    return dict(zip(words.kinds(), worth.round(2).tolist(), strict=True))


def fit(values: Floats, same: Floats, count: Floats) -> Floats:
    """Logistic regression by Newton's method; the first weight is the bias, and is free. `count`: what each row
    counts."""
    weights = np.zeros(values.shape[1])
    keep = np.diag([0.0] + [RIDGE] * (values.shape[1] - 1))
    for _ in range(50):
        sure = 1 / (1 + np.exp(-values @ weights))
        slope = values.T @ (count * (sure - same)) + keep @ weights
        curve = (values.T * (count * sure * (1 - sure))) @ values + keep
        weights -= np.linalg.solve(curve, slope)
    return weights


def unseen(values: Floats, same: Floats, count: Floats, few: NDArray[np.bool_]) -> Floats:
    """How sure models are of the `few` that they were not fitted on."""
    found = np.zeros(len(same))
    for seed in range(REPEATS):
        fold = np.random.default_rng(seed).permutation(len(same)) % FOLDS
        for part in range(FOLDS):
            asked = (fold == part) & few
            weights = fit(values[~asked], same[~asked], count[~asked])
            found[asked] += 1 / (1 + np.exp(-values[asked] @ weights)) / REPEATS
    return found[few]


def main() -> None:
    worth = weigh()
    # What the features need is read from the files, and for the first time now.
    write([0.0] * len(FEATURES), 0.0, 1.0, worth)
    fair = split(labelled())[0]
    pairs = [pair for pair in (*fair, *for_training()) if not pair.quotes()]
    invented = linking_invented.pairs()
    found = np.array([pair.features() for pair in (*pairs, *invented)])
    same = np.array([pair.same for pair in (*pairs, *invented)], np.float64)
    against = np.array([contradict(*map(matter_of, pair.keys)) for pair in pairs])
    ruled = np.array([pair.contradicted() for pair in invented])
    count = np.array([1.0] * len(pairs) + [INVENTED * len(pairs) / len(invented)] * len(invented))
    mean, spread = found.mean(0), found.std(0) + 1e-9
    values = np.hstack((np.ones((len(found), 1)), (found - mean) / spread))
    few = np.array([pair in fair for pair in pairs] + [False] * len(invented))
    sure, right = unseen(values, same, count, few), same[few]
    apart = against[few[: len(pairs)]]
    sure[apart] = np.minimum(sure[apart], CONTRADICTED)
    # The other pairs are those that an earlier model was unsure of: no threshold can be read off them.
    joined = [pair.same for pair in fair if pair.quotes()]
    order = np.argsort(-sure)
    recall = (np.cumsum(right[order]) + sum(joined)) / (right.sum() + sum(joined))
    precision = (np.cumsum(right[order]) + sum(joined)) / (np.arange(1, len(order) + 1) + len(joined))
    first = int(np.nonzero(precision >= PRECISION)[0].max())
    weights = fit(values, same, count)
    scaled = weights[1:] / spread
    write(scaled.tolist(), float(weights[0] - scaled @ mean), float(sure[order][first]), worth)
    real = same[: len(pairs)]
    print(f"fitted on {len(pairs)} real pairs without a quoted number and {len(invented)} invented ones")
    print(f"contradicted: {int(against[real == 1].sum())} of one matter, {int(against[real == 0].sum())} of two")
    alike = np.array([pair.same for pair in invented])
    print(f"invented: {int(ruled[alike].sum())} of one matter, {int(ruled[~alike].sum())} of two")
    print(f"unseen, of the development part: precision {precision[first]:.3f}, recall {recall[first]:.3f}")


def write(weights: list[float], bias: float, threshold: float, worth: dict[str, float]) -> None:
    lines = [
        "# Written by `python -m tests.linking_model`. What the features are: normalizer/matter/likeness.py.",
        f"threshold = {threshold:.3f}",
        f"bias = {bias:.4f}",
        "[features]",
        *(f"{name} = {weight:.4f}" for name, weight in zip(FEATURES, weights, strict=True)),
        "# What it is worth as evidence that two texts name the same kind of matter: the rarer, the more.",
        "[worth]",
        *(f"{kind} = {value}" for kind, value in worth.items()),
    ]
    (DATA / "matter_model.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
