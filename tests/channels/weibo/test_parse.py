"""What becomes of Weibo's objects: the corpus beside, and what must hold of every object, damaged or not."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels import corpus
from channels.contract import Channel
from channels.listing import Listing
from channels.weibo import Weibo
from channels.weibo.config import WeiboConfig
from channels.weibo.documents import (
    digest_of,
    id_of,
    name_of,
    picture_urls,
    posted_at,
    push_raw_of,
    raw_of,
    submissions,
)
from channels.weibo.link import base62
from channels.weibo.moment import moment_of, talk_keys
from normalizer import normalize
from normalizer.errors import Rejected
from normalizer.identity import number
from normalizer.ticket import Inbound, Raw, Verification

FOLDER = Path(__file__).parents[2] / "corpus/weibo"
CASES = corpus.cases(FOLDER)
NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
OURS = {"uid": "1902538057", "names": ["北京12345"]}

Item = dict[str, Any]


def weibo() -> Weibo:
    return Weibo(WeiboConfig.model_validate(OURS))


def item(name: str) -> Item:
    found: Item = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return found


def parsed(one: Item) -> Inbound:
    return weibo().parse(raw_of(one, NOW))


def _raw(body: bytes) -> Raw:
    return Raw(channel="weibo", source_id="x", received_at=NOW, body=body)


def codes(inbound: Inbound) -> list[str]:
    return [note.code for note in inbound.notes]


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_corpus(case: Path) -> None:
    raw, expected_error = corpus.read(case, "weibo"), case.with_suffix(".error.json")
    if expected_error.exists():
        with pytest.raises(Rejected) as caught:
            weibo().parse(raw)
        assert corpus.said(caught.value) == json.loads(expected_error.read_text("utf-8"))
        return
    expected = json.loads(case.with_suffix(".ticket.json").read_text("utf-8"))
    corpus.assert_holds(corpus.ticket(weibo(), raw), expected, case.stem)


def test_it_is_a_channel_that_knows_lists() -> None:
    assert isinstance(weibo(), Channel)
    assert isinstance(weibo(), Listing)


class TestWhatBelongsTogether:
    def test_a_post_is_joined_by_its_authors_comments_and_private_messages_not_by_his_other_posts(self) -> None:
        inbound = parsed(item("mention"))
        assert inbound.threads == ("weibo:post:5234567890123456:5550001112",)
        assert set(inbound.known_as) & set(weibo().parse(_push("push-text")).threads)

    def test_a_comment_hangs_below_its_post_with_its_own_author(self) -> None:
        inbound = parsed(item("comment"))
        assert inbound.threads[0] == "weibo:post:5234567890123456:5550001112"
        assert inbound.incidents == ("weibo:post:5234567890123456",)
        assert inbound.senders == ("weibo:5550001112",)

    def test_a_repost_speaks_of_the_same_as_what_it_passes_on(self) -> None:
        assert parsed(item("repost-with-words")).incidents == (
            "weibo:post:5234567890123458",
            "weibo:post:5234567890123456",
        )

    def test_below_our_own_post_everybody_speaks_of_something_else(self) -> None:
        assert parsed(item("comment-on-our-post")).incidents == ()

    @pytest.mark.parametrize("name", ["bare-repost", "bare-mention", "advertising", "chain-post", "lottery", "bot"])
    def test_what_asks_nothing_gathers_nobody(self, name: str) -> None:
        """A request that its author writes later opens a ticket of its own, which is dispatched."""
        inbound = parsed(item(name))
        assert inbound.threads == inbound.incidents == ()
        assert inbound.notes[-1].step == "asking"

    def test_a_number_in_a_private_message_names_its_ticket_first(self) -> None:
        ours, wrong = number(NOW.date(), 0, 7), "20261123000000079"
        message = item("push-text") | {"text": f"编号{ours}还没解决，不是{wrong}"}
        assert weibo().parse(push_raw_of(message, NOW)).threads[0] == f"number:{ours}"
        assert f"number:{wrong}" not in weibo().parse(push_raw_of(message, NOW)).threads

    def test_a_number_that_stands_in_public_opens_no_ticket(self) -> None:
        post = item("mention") | {"text": f"@北京12345 编号{number(NOW.date(), 0, 7)}还没解决"}
        assert not [key for key in parsed(post).threads if key.startswith("number:")]

    def test_a_talk_goes_on_while_its_gaps_are_under_two_days(self) -> None:
        start = datetime(2026, 11, 23, 12, tzinfo=UTC)
        for hours in range(48):
            assert set(talk_keys("1", start)) & set(talk_keys("1", start + timedelta(hours=hours))), hours
        assert not set(talk_keys("1", start)) & set(talk_keys("1", start + timedelta(days=6)))
        assert talk_keys("1", start) == talk_keys("1", start.astimezone(timezone(timedelta(hours=8))))


class TestNames:
    def test_an_edited_post_is_another_submission_of_the_same_thread(self) -> None:
        before = item("edited")
        after = before | {"text": "更正：是六号楼停水 @北京12345", "edit_count": 2}
        assert raw_of(before, NOW).source_id != raw_of(after, NOW).source_id
        assert parsed(before).digest != parsed(after).digest
        assert parsed(before).threads == parsed(after).threads

    @pytest.mark.parametrize(
        "noise",
        [
            {"reposts_count": 900, "comments_count": 1, "attitudes_count": 2},
            {"source": "电脑", "favorited": True, "hit": 3},
            {"pic_urls": [{"thumbnail_pic": f"http://wx2.sinaimg.cn/thumbnail/00{n}.jpg"} for n in ("1abc", "1abd")]},
        ],
    )
    def test_counters_clients_and_mirrors_are_not_content(self, noise: Item) -> None:
        assert digest_of(item("mention")) == digest_of(item("mention") | noise)

    def test_a_profile_is_not_content(self) -> None:
        user = item("mention")["user"] | {"screen_name": "胡同口的老王2", "followers_count": 99_999}
        assert digest_of(item("mention")) == digest_of(item("mention") | {"user": user})

    def test_that_a_quoted_post_is_deleted_is_not_its_readers_doing(self) -> None:
        post = item("repost-with-words")
        gone = item("quoted-deleted")["retweeted_status"]
        assert digest_of(post) == digest_of(post | {"retweeted_status": gone})
        assert "quoted_deleted" in codes(parsed(post | {"retweeted_status": gone}))

    def test_the_name_is_the_same_bare_and_with_pictures(self) -> None:
        enveloped = item("with-pictures-fetched")
        body = json.dumps(enveloped).encode()
        assert weibo().source_id(body) == name_of(enveloped["post"])
        assert weibo().parse(_raw(body)).digest == digest_of(enveloped["post"])

    def test_ids_are_read_from_text_and_number(self) -> None:
        assert id_of({"idstr": "5234567890123456", "id": 5234567890123456.0}) == 5234567890123456
        assert id_of({"id": "77"}) == 77
        assert [id_of({"id": wrong}) for wrong in (True, -1, 1.5, "x", "١٢", None, 0, "9" * 30)] == [0] * 8

    def test_a_pushed_message_is_named_by_what_it_says_and_when(self) -> None:
        message = item("push-text")
        first = push_raw_of(message, NOW)
        assert push_raw_of(message | {"receiver_id": 1}, NOW + timedelta(hours=1)).source_id == first.source_id
        assert push_raw_of(message | {"created_at": "Mon Nov 23 09:01:03 +0800 2026"}, NOW).source_id != first.source_id
        assert weibo().source_id(first.body) == first.source_id

    def test_a_signature_that_passed_is_told(self) -> None:
        assert weibo().parse(_push("push-text")).verified == (Verification(method="signature", result="pass"),)
        bare = _raw(json.dumps(item("push-text")).encode())
        assert weibo().parse(bare).verified == ()


class TestNotes:
    def test_when_it_was_posted_stands_in_the_turn_and_in_a_note(self) -> None:
        inbound = parsed(item("mention"))
        assert inbound.conversation[0].start == datetime(2026, 11, 23, 0, 15, 30, tzinfo=UTC)
        assert inbound.occurred_at is None
        assert [note.detail for note in inbound.notes if note.code == "posted_at"] == ["2026-11-23T08:15:30+08:00"]

    def test_pictures_that_are_not_there_are_counted(self) -> None:
        notes = parsed(item("mention")).notes
        (note,) = [note for note in notes if note.code == "picture_not_fetched"]
        assert "2" in note.detail
        assert "sinaimg" not in note.detail

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("long-text-not-fetched", "text_cut"),
            ("push-image", "picture_not_fetched"),
            ("push-voice", "voice_not_fetched"),
            ("with-pictures-fetched", "picture_not_fetched"),
        ],
    )
    def test_what_is_missing_is_noted(self, name: str, code: str) -> None:
        inbound = weibo().parse(corpus.read(FOLDER / f"{name}.json", "weibo"))
        assert code in codes(inbound)

    def test_a_long_text_that_was_fetched_misses_nothing(self) -> None:
        assert "text_cut" not in codes(parsed(item("long-text")))


class TestPieces:
    @given(st.integers(10**15, 10**16 - 1))
    def test_the_address_of_a_post_can_be_read_back(self, identity: int) -> None:
        written = base62(identity)
        groups = (
            [written[:1], written[1:5], written[5:]] if len(written) == 9 else [written[:2], written[2:6], written[6:]]
        )
        assert int("".join(f"{_number(group):07d}" for group in groups)) == identity

    def test_a_post_of_before_ids_were_addresses_has_none(self) -> None:
        assert parsed(item("mention") | {"id": 11488058246, "idstr": "11488058246"}).source_url is None
        assert parsed(item("mention")).source_url == f"https://weibo.com/5550001112/{base62(5234567890123456)}"
        assert parsed(item("mention") | {"mblogid": "CzAbcDEfg"}).source_url == "https://weibo.com/5550001112/CzAbcDEfg"

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("Tue May 31 17:46:55 +0800 2011", "2011-05-31T17:46:55+08:00"),
            ("Thu Jan 01 00:00:00 -0530 2026", "2026-01-01T00:00:00-05:30"),
            ("Tue Feb 30 17:46:55 +0800 2011", None),
            ("Tue May 31 17:46:55 2011", None),
            ("2011-05-31", None),
            ("Tue May 31 17:46:55 +9900 2011", None),
            (1_306_835_215, None),
            (None, None),
        ],
    )
    def test_its_clock(self, written: object, read: str | None) -> None:
        found = moment_of(written)
        assert (found.isoformat() if found else None) == read

    def test_pictures_are_asked_for_in_their_largest_form(self) -> None:
        assert picture_urls(item("mention")) == (
            "http://wx1.sinaimg.cn/large/001abc.jpg",
            "http://wx1.sinaimg.cn/large/001abd.jpg",
        )
        infos = {"a": {"thumbnail": {"url": "http://x/thumb/a"}, "largest": {"url": "http://x/large/a"}}}
        assert picture_urls({"pic_ids": ["a"], "pic_infos": infos}) == ("http://x/large/a",)
        assert picture_urls({"original_pic": "http://x/o.jpg", "thumbnail_pic": "http://x/t.jpg"}) == (
            "http://x/o.jpg",
        )

    def test_a_list_is_its_items(self) -> None:
        found = [json.loads(body)["text"] for body in submissions((FOLDER / "a-list.json").read_bytes())]
        assert found == ["一", "二"]
        assert list(submissions(b'{"comments": []}')) == []
        assert list(submissions(b"[1")) == [b"[1"]
        assert posted_at(item("mention")) == datetime(2026, 11, 23, 0, 15, 30, tzinfo=UTC).timestamp()

    @pytest.mark.parametrize(
        ("geo", "point"),
        [
            ([39.9, 116.4], (39.9, 116.4)),
            ([116.4, 39.9], (39.9, 116.4)),
            (["39.9", "116.4"], (39.9, 116.4)),
            ([0, 0], None),
            ([200, 300], None),
            ([1], None),
            ([None, 3], None),
            ([True, False], None),
            ("nowhere", None),
        ],
    )
    def test_a_point_is_taken_when_it_can_be(self, geo: Any, point: tuple[float, float] | None) -> None:
        post = item("mention") | {"geo": {"type": "Point", "coordinates": geo}, "annotations": []}
        place = parsed(post).place
        assert ((place.lat, place.lon) if place else None) == point


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["\ud800", "9" * 400])
)
ODD = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner))


def _number(group: str) -> int:
    alphabet = string.digits + string.ascii_lowercase + string.ascii_uppercase
    return sum(alphabet.index(digit) * 62**power for power, digit in enumerate(reversed(group)))


def _push(name: str) -> Raw:
    return push_raw_of(item(name), NOW)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inner for found in _paths(one, (*path, key)))]


def _changed(value: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    if not path:
        return change(value)
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _changed(copy[path[0]], path[1:], change)
    return copy


OBJECTS = [json.loads(path.read_text("utf-8")) for path in CASES if path.stem != "not-json"]


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_mutated_object_becomes_a_ticket_or_a_coded_refusal(data: st.DataObject) -> None:
    document = data.draw(st.sampled_from(OBJECTS))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(_paths(document)))
        odd = data.draw(ODD)
        document = _changed(document, path, lambda _: odd)  # noqa: B023  # called at once
    raw = _raw(json.dumps(document).encode())
    refused = ""
    try:
        weibo().source_id(raw.body)
        inbound = weibo().parse(raw)
    except Rejected as refusal:
        refused = refusal.code
    if refused:
        assert re.fullmatch("[a-z_]+", refused)
        return
    assert inbound == weibo().parse(raw)
    normalize(raw, inbound, number=corpus.NUMBER)
    assert all(key.isascii() for key in (*inbound.threads, *inbound.senders, *inbound.incidents))
