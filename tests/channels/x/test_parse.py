"""What a post says, beyond the pairs of tests/corpus/x: who belongs together, what is the same, what is hostile."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.corpus import NUMBER
from channels.x.config import XConfig
from channels.x.parse import parse, understand
from normalizer import normalize
from normalizer.errors import Rejected
from normalizer.ticket import Flag, Inbound, Raw

CONFIG = XConfig(user_id="2244994945", username="Hotline12345")
CORPUS = Path(__file__).parents[2] / "corpus/x"
POST: dict[str, Any] = {
    "data": {
        "id": "1990000000000000001",
        "author_id": "3000000001",
        "text": "@Hotline12345 幸福路八号的路灯坏了",
        "created_at": "2026-11-23T01:02:03.000Z",
        "conversation_id": "1990000000000000001",
        "edit_history_tweet_ids": ["1990000000000000001"],
        "public_metrics": {"like_count": 3},
    },
    "includes": {"users": [{"id": "3000000001", "username": "zhao_xm", "public_metrics": {"followers_count": 5}}]},
}


def changed(**members: Any) -> dict[str, Any]:
    post = copy.deepcopy(POST)
    post["data"] |= members
    return post


def raw_of(document: object) -> Raw:
    return Raw(channel="x", source_id="test", received_at=datetime.now(UTC), body=json.dumps(document).encode())


def read(document: object) -> Inbound:
    return parse(raw_of(document), CONFIG)


def named(document: object) -> str:
    return understand(json.dumps(document).encode()).source_id


class TestTheSame:
    def test_counters_and_names_do_not_make_another_submission(self) -> None:
        later = changed(public_metrics={"like_count": 4000})
        later["includes"]["users"][0] |= {"username": "zhao_new", "public_metrics": {"followers_count": 6}}
        assert named(later) == named(POST)
        assert read(later).digest == read(POST).digest

    def test_pictures_that_were_fetched_or_not_do_not_either(self) -> None:
        assert named({"post": POST, "files": [], "missing": 1}) == named(POST)

    @pytest.mark.parametrize("change", [{"text": "@Hotline12345 修好了"}, {"attachments": {"media_keys": ["3_1"]}}])
    def test_other_content_does(self, change: dict[str, Any]) -> None:
        assert named(changed(**change)) != named(POST)

    def test_its_name_begins_with_its_id(self) -> None:
        assert named(POST).startswith("post:1990000000000000001.")


class TestTogether:
    def test_one_author_in_one_conversation(self) -> None:
        later = changed(id="1990000000000000007", text="@Hotline12345 还没人来修", edit_history_tweet_ids=[])
        first, second = read(POST), read(later)
        shared = "x:conversation:1990000000000000001:3000000001"
        assert shared in first.threads
        assert shared in second.threads
        assert first.senders == second.senders == ("x:3000000001",)

    def test_another_author_has_his_own_and_speaks_of_the_same(self) -> None:
        other = read(changed(id="1990000000000000007", author_id="3000000002", text="@Hotline12345 我家也是，请来修"))
        assert not set(other.threads) & set(read(POST).threads)
        assert other.incidents == read(POST).incidents == ("x:conversation:1990000000000000001",)

    def test_an_edited_post_joins_what_it_was_before(self) -> None:
        edit = changed(
            id="1990000000000000005",
            conversation_id="1990000000000000005",
            edit_history_tweet_ids=["1990000000000000001", "1990000000000000005"],
        )
        assert set(read(edit).threads) & set(read(POST).threads)
        assert named(edit) != named(POST)

    def test_below_an_announcement_of_ours_each_speaks_of_something_else(self) -> None:
        below = changed(
            conversation_id="1980000000000000000",
            referenced_tweets=[{"type": "replied_to", "id": "1980000000000000000"}],
        )
        below["includes"]["tweets"] = [{"id": "1980000000000000000", "author_id": "2244994945", "text": "今天起停水"}]
        assert read(below).incidents == ()

    def test_what_asks_nothing_gathers_nobody(self) -> None:
        bare = read(changed(text="@Hotline12345"))
        assert Flag.NO_REQUEST in bare.flags
        assert bare.threads == bare.incidents == ()
        assert bare.senders


class TestReading:
    def test_only_both_coordinates_that_can_be_are_a_point(self) -> None:
        for pair in ([116.4], [116.4, 91], [181, 39], ["116", 39], [True, 39], None, {"lat": 1}):
            assert read(changed(geo={"coordinates": {"coordinates": pair}})).place is None
        place = read(changed(geo={"coordinates": {"coordinates": [116.4, 39.9]}})).place
        assert place is not None
        assert (place.lat, place.lon) == (39.9, 116.4)

    @pytest.mark.parametrize(
        "when", ["gestern", "", 7, None, "2026-13-40T00:00:00Z", "9" * 60, "0001-01-01T00:00:00+23:59"]
    )
    def test_a_time_that_cannot_be_read_is_a_note(self, when: object) -> None:
        inbound = read(changed(created_at=when))
        assert inbound.conversation[0].start is None
        assert inbound.notes[0].code == "time_missing"

    def test_half_of_a_surrogate_pair_harms_nobody(self) -> None:
        raw = raw_of(changed(text="@Hotline12345 路灯坏了\ud83d"))
        ticket = normalize(raw, parse(raw, CONFIG), number=NUMBER)
        assert "路灯坏了" in ticket.text

    def test_a_longer_name_is_another_s(self) -> None:
        assert read(changed(text="@Hotline12345_fans 路灯坏了，请修")).text == "Hotline12345_fans 路灯坏了，请修"

    def test_a_list_is_no_single_submission(self) -> None:
        with pytest.raises(Rejected) as caught:
            read({"data": [POST["data"]]})
        assert caught.value.code == "list"


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner for key, member in steps for inner in _paths(member, (*path, key)))]


WHOLE = [json.loads(file.read_text("utf-8")) for file in sorted(CORPUS.glob("*.json")) if file.name.count(".") == 1]
STRANGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("1" * 25),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "text", "type", "url"]), inner),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_whatever_is_changed_in_a_post_it_becomes_a_ticket_or_a_coded_refusal(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(WHOLE)))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(_paths(document)))
        if not path:
            continue
        holder = document
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = data.draw(STRANGE)
    raw = raw_of(document)
    code = "none"
    try:
        normalize(raw, parse(raw, CONFIG), number=NUMBER)
    except Rejected as refusal:
        code = refusal.code
    assert code.isidentifier()
