"""How often the level-1 category of a petition is found: on the segmented set, and on raw text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.training import recipes
from gateway.training.examples import Example, read
from gateway.training.fit import fit, train
from gateway.training.splits import by_group
from normalizer.simplified import simplified
from tests.accuracy import measures
from tests.accuracy.baseline import NAME, Baseline
from tests.accuracy.result import DATA, Result

RAW = "petitions_labelled_raw.jsonl"
OVERLAP = 0.3


def measure() -> Iterator[Result]:
    """Both sets."""
    yield segmented()
    yield raw()


def segmented() -> Result:
    """Five groups, equal texts in one; each answered by a model of the other four."""
    rows = read(DATA / recipes.SEGMENTED, text=("text",), label="label")
    right, ours, base = [], [], []
    for seen, asked in by_group(rows):
        known, texts = [rows[at] for at in seen], [rows[at].text for at in asked]
        model = fit(known, recipes.CATEGORY)
        right += [rows[at].label for at in asked]
        ours += [guess[0].label if (guess := model.guesses(simplified(text), 1)) else "" for text in texts]
        base += _baseline(known, texts)
    return Result(
        "Category of petitions, segmented",
        f"petitions_labelled_segmented, {len(rows):,} rows, 7 classes",
        "5-fold, equal texts in one fold",
        (measures.figure("macro-F1", measures.macro_f1(right, ours), measures.macro_f1(right, base), 0.93),),
        NAME,
        confusions=measures.confusions(right, ours),
    )


def raw() -> Result:
    """Raw petitions, answered by a model that saw no segmented row of any of them."""
    asked = read(DATA / RAW, text=("留言主题", "留言详情"), label="一级分类")
    rows = recipes.petitions(DATA)
    test = [_fours(one.text) for one in asked]
    met = set().union(*test)
    known = [one for one in rows if not _overlaps(one, test, met)]
    model = train(known, by_group(known), recipes.CATEGORY, {})
    texts, right = [simplified(one.text) for one in asked], [one.label for one in asked]
    guesses = [model.guesses(text, 1)[0] for text in texts]
    ours = [guess.label for guess in guesses]
    base = _baseline(known, ["".join(text.split()) for text in texts])
    sure = [guess.confidence >= model.threshold for guess in guesses]
    hits = [y == p for y, p, told in zip(right, ours, sure, strict=True) if told]
    return Result(
        "Category of petitions, raw text",
        f"petitions_labelled_raw, {len(asked)} rows, 7 classes",
        f"trained on the {len(known):,} segmented rows of which at most {OVERLAP:.0%} of the 4-grams are in a test row",
        (
            measures.figure("macro-F1", measures.macro_f1(right, ours), measures.macro_f1(right, base), 0.90),
            measures.figure("accuracy", measures.share(_equal(right, ours)), measures.share(_equal(right, base))),
            measures.figure("answered at the threshold", measures.share(sure)),
            measures.figure("right where answered", measures.share(hits), target=0.95),
        ),
        NAME,
        measures.milliseconds(model.guesses, texts),
        measures.confusions(right, ours),
    )


def _baseline(known: Sequence[Example], texts: Sequence[str]) -> list[str]:
    model = Baseline([one.text for one in known], [one.label for one in known])
    return [best for (best,) in model.best(texts)]


def _equal(right: Sequence[str], given: Sequence[str]) -> list[bool]:
    return [y == p for y, p in zip(right, given, strict=True)]


def _fours(text: str) -> set[str]:
    joined = "".join(text.split())
    return {joined[at : at + 4] for at in range(len(joined) - 3)}


def _overlaps(row: Example, test: Sequence[set[str]], met: set[str]) -> bool:
    """Whether more than OVERLAP of a row's 4-grams stand in one of the test rows."""
    own = _fours(row.text)
    least = OVERLAP * len(own)
    return len(own & met) > least and any(len(own & one) > least for one in test)


__all__ = ["measure"]
