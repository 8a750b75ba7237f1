"""How often the unit that took a ticket is foreseen from its words alone, in the order in which tickets came."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.training import recipes
from gateway.training.examples import read
from normalizer.simplified import simplified
from tests.accuracy import measures
from tests.accuracy.baseline import NAME, Baseline
from tests.accuracy.result import DATA, Result

CUT = 3785


def measure() -> Iterator[Result]:
    """A model of the past, asked about what came after it."""
    rows = read(DATA / recipes.CALLS, text=("诉求内容",), label="处置单位", order="工单编号")
    known, asked = rows[:CUT], rows[CUT:]
    model = recipes.units(known, {})
    texts, right = [simplified(one.text) for one in asked], [one.label for one in asked]
    guesses = [model.guesses(text) for text in texts]
    base = Baseline([one.text for one in known], [one.label for one in known]).best([one.text for one in asked], 3)
    told = [[guess.label for guess in some] for some in guesses]
    sure = [bool(some) and some[0].confidence >= model.threshold for some in guesses]
    hits = [some[:1] == [y] for y, some, one in zip(right, told, sure, strict=True) if one]
    first = [some[0] if some else "" for some in told]

    def within(answers: list[list[str]], most: int) -> tuple[float, float, float]:
        return measures.share([y in some[:most] for y, some in zip(right, answers, strict=True)])

    yield Result(
        "Unit that should take the ticket (处置单位)",
        f"haikou12345, {len(rows):,} rows, {len({one.label for one in rows})} units",
        f"trained on the first {CUT:,} by number, tested on the last {len(asked)}",
        (
            measures.figure("top-1", within(told, 1), within(base, 1), 0.74),
            measures.figure("top-3", within(told, 3), within(base, 3), 0.87),
            measures.figure("answered at the threshold", measures.share(sure), target=0.50),
            measures.figure("right where answered", measures.share(hits), target=0.95),
        ),
        NAME,
        measures.milliseconds(model.guesses, texts),
        measures.confusions(right, first),
        (
            f"Threshold {model.threshold:.3f}, chosen where {recipes.UNITS.goal:.1%} of the unseen answers in "
            f"the training part were right; there it answered {model.about['answered']:.1%}.",
            f"{len(model.about.get('retired', ()))} units of the training part had fallen silent before its end ("
            "renamed or merged); their tickets were given to those that go on.",
        ),
    )
