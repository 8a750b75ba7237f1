"""What the tests of the transcript readers share: fixtures, real samples, hostile documents, an hour's call."""

import json
import math
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import strategies as st

from channels.phone.call import Call
from normalizer.errors import Rejected
from tests.effort import slowness

FIXTURES = Path(__file__).parent / "fixtures"
SAMPLES = Path(__file__).parents[3] / "../shared/data/phone"
HOUR_WORDS = 12_000
HOUR_S = 3600.0
HOUR_BUDGET_S = 0.15
"""Of processor time, json.loads included: what other tests do meanwhile does not count."""


class Reader(Protocol):
    """A module of channels.phone.formats that reads JSON."""

    NAME: str

    def recognise(self, document: object, /) -> bool: ...
    def read(self, document: object, /) -> Call: ...


def fixture(path: str) -> Any:
    return json.loads((FIXTURES / path).read_text("utf-8"))


def fixtures_of(reader: Reader) -> list[Any]:
    return [json.loads(path.read_text("utf-8")) for path in sorted((FIXTURES / reader.NAME).glob("*.json"))]


def sample(path: str) -> Any:
    """A real transcript, read where it lies."""
    if not SAMPLES.is_dir():
        pytest.skip("the real transcripts are not on this machine")
    return json.loads((SAMPLES / path).read_text("utf-8"))


def real_samples() -> list[Path]:
    return sorted(SAMPLES.rglob("*.json"))


def lines(call: Call) -> list[tuple[str, str]]:
    return [(said.speaker, said.text) for said in call.utterances]


def times(call: Call) -> list[tuple[float | None, float | None]]:
    return [(said.start, said.end) for said in call.utterances]


def losses(call: Call) -> set[str]:
    return {note.code for note in call.lost}


JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.just(10**400),
        st.floats(),
        st.text(max_size=12),
        st.sampled_from(["12.5", "1.2s", "PT1.5S", "PT", "9" * 60, "nan", "-1e999", "﷽", "\ud800"]),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)


def hostile(reader: Reader) -> st.SearchStrategy[Any]:
    """The reader's own fixtures with anything in the place of anything, and trees of the members it knows."""
    documents = fixtures_of(reader)
    names = sorted({name for document in documents for name in _names(document)})
    trees = st.recursive(
        JUNK,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(names), inner, min_size=1, max_size=5)
        ),
        max_leaves=25,
    )
    return st.one_of(JUNK, trees, _spoilt(documents))


@st.composite
def _spoilt(draw: st.DrawFn, documents: list[Any]) -> Any:
    document = deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 4))):
        node = document
        while isinstance(node, dict | list) and node:
            key = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if not isinstance(node[key], dict | list) or draw(st.booleans()):
                node[key] = draw(JUNK)
                break
            node = node[key]
    return document


def _names(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for entry in value:
            yield from _names(entry)


def assert_call_or_rejected(reader: Reader, document: object) -> None:
    """Never another exception, and a Call holds only what its shape promises."""
    reader.recognise(document)
    try:
        call = reader.read(document)
    except Rejected:
        return
    for said in call.utterances:
        assert isinstance(said.text, str)
        assert said.text
        assert isinstance(said.speaker, str)
        assert all(moment is None or math.isfinite(moment) for moment in (said.start, said.end))
        assert said.confidence is None or 0 <= said.confidence <= 1
        assert all(0 <= word.confidence <= 1 for word in said.words)
    for text in (call.call_id, call.recording, call.language):
        assert text is None or text


class Hour:
    """The words of an hour's talk of two people who take turns every twenty words."""

    turn = 20

    def __init__(self) -> None:
        talk = "小区北门的公共车位一直停着没有上牌的新车请你们派人来看一看"
        self.words = [talk[place % 28 : place % 28 + 2] for place in range(HOUR_WORDS)]
        step = HOUR_S / HOUR_WORDS
        self.times = [(round(place * step, 2), round(place * step + 0.25, 2)) for place in range(HOUR_WORDS)]
        self.turns = [range(begin, begin + self.turn) for begin in range(0, HOUR_WORDS, self.turn)]

    def speaker(self, place: int) -> int:
        return place // self.turn % 2

    def text(self, turn: range) -> str:
        return "".join(self.words[place] for place in turn)


def seconds_to_read(reader: Reader, document: object) -> float:
    """From the bytes to the Call, the best of five tries, for other tests share the processor's caches; what is beyond
    the budget in proportion to the pace of this machine."""
    body = json.dumps(document, ensure_ascii=False, indent=2).encode()
    best = math.inf
    for _ in range(5):
        begun = time.process_time()
        call = reader.read(json.loads(body))
        best = min(best, time.process_time() - begun)
        assert sum(len(said.words) for said in call.utterances) == HOUR_WORDS
        assert len(call.utterances) >= HOUR_WORDS / Hour.turn / 2
        if best < HOUR_BUDGET_S:
            break
    return best if best < HOUR_BUDGET_S else best / slowness()
