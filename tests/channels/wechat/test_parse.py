"""What a message says: the public samples, conversations, ticket numbers, ids and digests."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from channels.wechat import Wechat
from channels.wechat.documents import document_of
from channels.wechat.message import message_of
from normalizer.errors import Rejected
from normalizer.identity import number
from normalizer.ticket import Inbound, Raw
from tests.channels.wechat.wechats import CITIZEN, WRITTEN, message, xml
from tests.social_samples.tally import DATA, files
from tests.social_samples.wechat import tallies

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
NUMBER = number(NOW.date(), 0, 7)
samples = pytest.mark.skipif(not DATA.is_dir(), reason="the shared objects of platforms are not beside the project")


def parse(body: bytes, **settings: object) -> Inbound:
    raw = Raw(channel="wechat", source_id="1", received_at=NOW, body=body)
    return Wechat(Wechat.config_type.model_validate(settings)).parse(raw)


@samples
def test_every_sample_is_a_ticket_or_has_a_coded_refusal() -> None:
    found = tallies()
    assert {name: (one.tickets, dict(one.refused)) for name, one in found.items()} == {
        "wechat_xml/WeRoBot": (9, {"event": 34}),
        "wechat_xml/WxJava": (3, {"event": 10, "xml_invalid": 1}),
        "wechat_xml/wechatpy": (16, {"event": 59, "encrypted": 3, "not_a_message": 1}),
    }
    assert all(one.with_time == one.author == one.tickets for one in found.values())


@samples
def test_every_sample_that_is_no_event_is_a_ticket() -> None:
    for file in files(DATA / "wechat_xml"):
        body = file.read_bytes()
        kind = re.search(rb"<MsgType>\s*<!\[CDATA\[(\w+)\]\]>\s*</MsgType>", body)
        if kind is not None and not kind[1].endswith(b"event") and body.count(b"<xml>") == 1:
            assert parse(body).requester.handles, file.name


@samples
def test_the_position_of_a_sample_is_kept_as_it_was_sent() -> None:
    inbound = parse((DATA / "wechat_xml/wechatpy/test_parser_004.xml").read_bytes())
    assert inbound.place is not None
    assert (inbound.place.lat, inbound.place.lon, inbound.place.text) == (23.134521, 113.358803, "位置信息")
    assert "GCJ-02" in next(note.detail for note in inbound.notes if note.code == "datum")


def test_the_time_is_told_in_the_sites_zone() -> None:
    def told(**settings: object) -> str:
        [opening] = parse(message(n=0, Content="路灯坏了"), **settings).conversation
        assert (opening.speaker, opening.text) == ("citizen", "路灯坏了")
        assert opening.start is not None
        return opening.start.isoformat()

    assert told() == "2025-11-25T00:00:00+08:00"
    assert told(timezone="Europe/Berlin") == "2025-11-24T17:00:00+01:00"


@pytest.mark.parametrize("created", ["", "soon", "-5", "9" * 12, "1e9"], ids=repr)
def test_a_time_that_is_none_is_noted(created: str) -> None:
    inbound = parse(message(CreateTime=created, Content="路灯坏了"))
    assert [note.code for note in inbound.notes] == ["time_missing"]
    assert inbound.threads[0].startswith(f"wechat:talk:{CITIZEN}:")


@pytest.mark.parametrize(
    ("hours", "together"), [(0, True), (24, True), (47.9, True), (96.1, False), (24 * 30, False)], ids=str
)
def test_messages_less_than_two_days_apart_are_one_conversation(hours: float, together: bool) -> None:
    for start in range(0, 48, 5):  # wherever in the two days the first one was written
        first = WRITTEN + start * 3600
        one = parse(message(CreateTime=first, Content="路灯坏了"))
        other = parse(message(CreateTime=int(first + hours * 3600), Content="还没修"))
        assert bool(set(one.threads) & set(other.threads)) is together
        assert one.senders == other.senders == (f"wechat:{CITIZEN}",)


def test_another_citizen_has_another_conversation() -> None:
    one, other = parse(message(Content="路灯坏了")), parse(message(sender="oAnother", Content="路灯坏了"))
    assert not set(one.threads) & set(other.threads)
    assert not set(one.senders) & set(other.senders)


@pytest.mark.parametrize("text", ["你好", "/::)", "[微笑]"])
def test_what_asks_nothing_gathers_no_request_that_comes_after_it(text: str) -> None:
    assert parse(message(Content=text)).threads == ()


def test_thanks_that_name_a_ticket_belong_to_it() -> None:
    assert parse(message(Content=f"{NUMBER} 谢谢")).threads[0] == f"number:{NUMBER}"


@pytest.mark.parametrize("text", [f"关于{NUMBER}", f"编号：{NUMBER}。", NUMBER, f"{NUMBER} {NUMBER}"])
def test_a_ticket_number_in_the_text_comes_first(text: str) -> None:
    threads = parse(message(Content=text)).threads
    assert threads[0] == f"number:{NUMBER}"
    assert all(thread.startswith("wechat:talk:") for thread in threads[1:])


@pytest.mark.parametrize(
    "text", [NUMBER[:-1], f"1{NUMBER}", "11010519491231002X", "6222021234567890123", "13800138000"]
)
def test_other_long_numbers_are_none(text: str) -> None:
    assert not [thread for thread in parse(message(Content=text)).threads if thread.startswith("number:")]


def test_every_try_has_the_same_id_and_what_differs_has_another() -> None:
    def named(**fields: object) -> tuple[str, str]:
        found = message_of(document_of(message(**{"Content": "路灯", **fields})).fields)  # type: ignore[arg-type]
        return found.source_id, found.digest

    assert named() == named()
    assert named()[0] == "msg:23456789012345001"
    assert named(MsgId=None, MsgID=23456789012345001)[0] == named()[0], "the name is written both ways"
    assert named(MsgId=5)[0] != named()[0]
    assert named(Content="井盖")[1] != named()[1]
    without = {
        named(MsgId=None, **other)[0] for other in ({}, {"Content": "井盖"}, {"CreateTime": 1}, {"sender": "o2"})
    }
    assert len(without) == 4
    assert named(MsgId="not a number")[0] == named(MsgId=None)[0]
    events = {named(kind="event", Event=event, Content=None)[0] for event in ("subscribe", "unsubscribe")}
    assert len(events) == 2


def test_how_it_was_proved_stands_in_the_ticket() -> None:
    raw = Raw(channel="wechat", source_id="1", received_at=NOW, body=message(Content="路灯"))
    channel = Wechat(Wechat.config_type())
    assert channel.parse(raw).verified == ()
    [found] = channel.parse(replace(raw, meta={"verified": "sealed_signature"})).verified
    assert (found.method, found.result) == ("wechat_sealed_signature", "pass")


@pytest.mark.parametrize("sender", ["", "a b", "欧阳", "o" * 129, None], ids=repr)
def test_nobody_is_no_sender(sender: str | None) -> None:
    with pytest.raises(Rejected) as refused:
        parse(xml({"FromUserName": sender, "MsgType": "text", "Content": "路灯"}))
    assert (refused.value.code, refused.value.faults[0].pointer) == ("sender_missing", "/FromUserName")
    assert "欧阳" not in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[1]",
        b'{"post": 1, "files": []}',
        b'{"post": "<xml/>", "files": 1}',
        b'{"post": "<xml/>", "files": [{"url": "u", "media_type": "m", "content": "%"}]}',
        b'{"files": []}',
        b'{"a":' * 100_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_an_envelope_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(Rejected) as refused:
        parse(body)
    assert refused.value.code in ("bad_envelope", "xml_invalid")


def test_conversation_buckets_cover_two_days() -> None:
    """The bucket is of UTC days since 1970, so that every gateway and every zone finds the same."""
    first, second = parse(message(CreateTime=0, Content="a")).threads
    assert (first, second) == (f"wechat:talk:{CITIZEN}:0", f"wechat:talk:{CITIZEN}:-1")
    days = timedelta(days=2).total_seconds()
    assert parse(message(CreateTime=int(days), Content="a")).threads[1] == first
