"""vCon (draft-ietf-vcon-vcon-core and its forerunners): what is read, what is refused and which pointers are named."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from channels.phone.call import Call
from channels.phone.formats import vcon
from normalizer.errors import Rejected
from normalizer.ticket import Speaker
from tests.channels.phone.vcons import (
    FIXTURES,
    SERVER,
    a_vcon,
    here,
    load,
    notes,
    others,
    pointers,
    refusal,
    said,
    transcript,
)

# Written from the fixtures and the vCon schema by reading them, before the reader was. Beside the one fault each file
# was made for, a SHA-512 of six or eight characters is at fault wherever it stands.
EXPECTED = {
    "bad_dialog_types.json": {
        "/dialog/0/parties/0",
        "/dialog/0/parties/1",
        "/dialog/0/duration",
        "/dialog/0/mimetype",
        "/meta/duration",
        "/meta/call_started_on",
    },
    "bad_duration.json": {"/dialog/0/duration", "/dialog/0/signature"},
    "bad_mimetype.json": {"/dialog/0/mimetype", "/dialog/0/signature"},
    "bad_party_ref.json": {"/dialog/0/parties/1", "/dialog/0/signature"},
    "bad_url.json": {"/dialog/0/url", "/dialog/0/signature"},
    "empty_vcon.json": {"/uuid", "/vcon", "/created_at"},
    "invalid_dialog_url.json": {"/dialog/0/url", "/dialog/0/signature"},
    "missing_uuid_and_vcon_version.json": {"/uuid"},
    "null_dialog_string_analysis.json": {"/dialog", "/analysis"},
    "null_parties.json": {
        "/parties",
        "/dialog/0/duration",
        "/dialog/0/mimetype",
        "/meta/duration",
        "/meta/call_started_on",
    },
    "out_of_range_party_indices.json": {"/dialog/0/parties/1", "/dialog/0/parties/2", "/dialog/0/originator"},
}


# ------------------------------------------------------------------------------------------------ versions and names


def test_the_newest_version_is_read_whole() -> None:
    """0.4.0: mediatype, content_hash, purpose; a transcript by party with times in seconds and as moments."""
    call = vcon.read(load(FIXTURES / "call_0_4_0.json"))
    assert call.call_id == "0199aaaa-0000-8000-8000-000000000001"
    assert (call.caller, call.called, call.direction, call.agent) == ("+8613800001234", "12345", "in", "8021")
    assert call.recording == "https://records.example/2026/call.wav"
    assert call.form.name == "王女士"
    assert call.started_at == datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=8)))
    assert call.ended_at == datetime(2026, 3, 2, 9, 0, 42, 500_000, tzinfo=timezone(timedelta(hours=8)))
    assert [(one.role, one.text, one.start, one.end) for one in call.utterances] == [
        (Speaker.AGENT, "您好，请讲。", 0.4, 2.0),
        (Speaker.CITIZEN, "小区北门的路灯不亮。", 2.5, 6.5),
        (Speaker.CITIZEN, "门牌是三号", 60.0, None),
    ]
    assert call.utterances[1].confidence == 0.83


def test_what_has_no_place_in_a_call_is_noted() -> None:
    """Contents elsewhere by pointer, address without its secret query, and hash; attachments by name."""
    lost = notes(vcon.read(load(FIXTURES / "call_0_4_0.json")))
    assert "/dialog/0 https://records.example/2026/call.wav sha512-GLy6IPaI" in lost["external_not_fetched"]
    assert "secret" not in str(lost)
    assert "lamp.png photo image/png" in lost["attachment_not_kept"]
    assert "summary (1)" in lost["analysis_not_read"]
    assert "transfer (1)" in lost["dialog_not_read"]
    assert lost["subject_not_used"] == "来电"


def test_the_oldest_version_is_read_with_its_names() -> None:
    """0.0.1: mimetype, alg and signature, roles and direction in `meta`, times without zone."""
    call = vcon.read(load(FIXTURES / "call_0_0_1.json"))
    assert said(call) == [
        (Speaker.AGENT, "您好，请讲。"),
        (Speaker.CITIZEN, "楼下的井盖坏了。"),
        (Speaker.AGENT, "好的，马上登记。"),
    ]
    assert (call.caller, call.called, call.direction) == ("+8613800001234", "12345", "in")
    assert (call.outcome, call.language, call.agent) == ("answered", "zh", "seat@hotline.example")
    assert call.form.name is None, "a number is no name"
    assert call.started_at is None
    assert {"speakers_alternate", "zone_missing"} <= notes(call).keys()


def test_times_without_a_zone_are_in_the_zone_given() -> None:
    call = vcon.read(load(FIXTURES / "call_0_0_1.json"), zone=UTC)
    assert call.started_at == datetime(2025, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize("version", ["0.0.1", "0.0.2", "0.3.0", "0.4.0", None])
def test_these_versions_are_read(version: str | None) -> None:
    assert vcon.read(a_vcon(vcon=version)).call_id == "u-1"


@pytest.mark.parametrize("version", ["0.4.1", "0.5.0", "1.0.0", "0.0.0", "", "new", 4])
def test_other_versions_are_refused(version: object) -> None:
    assert pointers(a_vcon(vcon=version)) == {"/vcon"}


def test_a_later_instance_belongs_to_the_same_call() -> None:
    """An amended or redacted vCon has a uuid of its own and names the one it came from."""
    assert vcon.read(a_vcon(amended={"uuid": "u-0"})).call_id == "u-0"
    assert vcon.read(a_vcon(redacted={"uuid": "u-0", "type": "PII"})).call_id == "u-0"
    assert vcon.read(a_vcon(appended={})).call_id == "u-1"


# ---------------------------------------------------------------------------------------------------- what was said


@pytest.mark.parametrize(
    "body",
    [
        [{"speaker": "Agent", "message": "Hello."}, {"speaker": "Customer", "message": "My lamp is out."}],
        {"segments": [{"speaker": "May", "text": "Hello."}, {"speaker": "Li", "text": "My lamp is out."}]},
        {
            "transcript": {
                "turns": [{"role": "agent", "text": "Hello."}, {"role": "contact", "text": "My lamp is out."}]
            }
        },
        "**Agent(May)**: Hello.\n\n**Customer(Li)**: My lamp is out.",
        "May: Hello.\nLi: My lamp\nis out.",
        {"text": "Agent: Hello.\nCustomer: My lamp is out."},
        '[{"party": 1, "text": "Hello."}, {"party": [0], "text": "My lamp is out."}]',
        {
            "paragraphs": [
                {"speaker": "agent", "sentences": [{"text": "Hello."}]},
                {"party": 0, "text": "My lamp is out."},
            ]
        },
        "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Agent>Hello.\n\n00:03.000 --> 00:04.000\n<v Customer>My lamp is out.\n",
    ],
)
def test_vendors_bodies_give_turns_with_roles(body: object) -> None:
    """By party index, by role, by a party's name, in lists, in texts, in JSON written as text."""
    call = vcon.read(transcript(body), read_document=others)
    assert said(call) == [(Speaker.AGENT, "Hello."), (Speaker.CITIZEN, "My lamp is out.")]


def test_another_services_document_inside_is_read_by_its_own_reader() -> None:
    """Deepgram's result, and its inner object alone, as public writers cut it out."""
    words = [
        {"word": "hello", "punctuated_word": "Hello.", "start": 1.0, "end": 1.4, "confidence": 0.9, "speaker": 0},
        {"word": "hi", "punctuated_word": "Hi.", "start": 2.0, "end": 2.3, "confidence": 0.5, "speaker": 1},
    ]
    inner = {"transcript": "Hello. Hi.", "words": words}
    for body in (inner, {"results": {"channels": [{"alternatives": [inner]}]}}):
        call = vcon.read(transcript(body), read_document=others)
        assert [(one.speaker, one.text, one.start) for one in call.utterances] == [
            ("0", "Hello.", 1.0),
            ("1", "Hi.", 2.0),
        ]
        assert call.utterances[1].words[0].confidence == 0.5


def test_a_vcon_is_not_looked_for_inside_another_form_that_nobody_knows() -> None:
    call = vcon.read(transcript({"blob": 1}), read_document=others)
    assert call.utterances == ()
    assert "transcript of acme" in notes(call)["transcript_not_read"]


def test_a_reader_that_refuses_the_body_is_no_end() -> None:
    def refuses(_: object) -> Call | None:
        raise Rejected("unknown_format", "no")

    call = vcon.read(transcript([{"party": 0, "text": "My lamp is out."}]), read_document=refuses)
    assert said(call) == [(Speaker.CITIZEN, "My lamp is out.")]


def test_a_transcript_sorted_by_voices_is_preferred_to_one_without() -> None:
    analysis = [
        {"type": "transcript", "dialog": 0, "vendor": "a", "body": "Hello. My lamp is out."},
        {"type": "diarized", "dialog": 0, "vendor": "b", "body": "Agent: Hello.\nCustomer: My lamp is out."},
    ]
    call = vcon.read(a_vcon(analysis=analysis))
    assert said(call) == [(Speaker.AGENT, "Hello."), (Speaker.CITIZEN, "My lamp is out.")]


def test_paragraphs_alternate_only_between_two_known_sides() -> None:
    """Without roles nothing is guessed: the paragraphs stay, and nobody is named."""
    bare = transcript("Hello.\n\nMy lamp is out.") | {"parties": [{"tel": "1"}, {"tel": "2"}]}
    assert said(vcon.read(bare)) == [(None, "Hello."), (None, "My lamp is out.")]
    assert "speakers_alternate" not in notes(vcon.read(bare))


def test_messages_are_said_by_their_originator_and_not_twice() -> None:
    dialog = [
        {
            "type": "text",
            "start": "2026-03-02T09:00:10Z",
            "parties": [0, 1],
            "originator": 1,
            "body": "How can I help?",
        },
        {"type": "text", "start": "2026-03-02T09:00:00Z", "parties": [0], "mimetype": "text/plain", "body": "Hi"},
        {"type": "text", "start": "2026-03-02T09:00:20Z", "parties": [0], "mimetype": "text/html", "body": "<p>x</p>"},
    ]
    analysis = [{"type": "transcript", "dialog": [0, 1], "vendor": "a", "body": "Hi How can I help?"}]
    call = vcon.read(a_vcon(dialog=dialog, analysis=analysis))
    assert [(one.role, one.text, one.start) for one in call.utterances] == [
        (Speaker.CITIZEN, "Hi", 0.0),
        (Speaker.AGENT, "How can I help?", 10.0),
    ]
    assert (call.caller, call.direction) == ("1001", None)
    assert "text/html" in notes(call)["message_not_read"]


def test_the_second_recordings_times_count_from_the_first() -> None:
    dialog = [{"type": "recording", "start": f"2026-03-02T09:0{minute}:00Z", "parties": [0, 1]} for minute in (0, 2)]
    analysis = [
        {"type": "transcript", "dialog": at, "vendor": "a", "body": [{"text": "Hi", "start": 1}]} for at in (1, 0)
    ]
    call = vcon.read(a_vcon(dialog=dialog, analysis=analysis))
    assert [one.start for one in call.utterances] == [1.0, 121.0]


@pytest.mark.parametrize(
    ("disposition", "outcome"),
    [
        ("no-answer", "missed"),
        ("busy", "busy"),
        ("congestion", "failed"),
        ("failed", "failed"),
        ("hung-up", "abandoned"),
        ("voicemail-no-message", "missed"),
        (None, "failed"),
        ("something new", "failed"),
    ],
)
def test_an_incomplete_dialog_says_what_became_of_the_call(disposition: str | None, outcome: str) -> None:
    dialog = {"type": "incomplete", "start": "2026-03-02T09:00:00Z", "parties": [0, 1], "disposition": disposition}
    assert vcon.read(a_vcon(dialog=[dialog])).outcome == outcome


def test_several_attempts_end_like_the_last() -> None:
    call = vcon.read(load(FIXTURES / "unanswered.json"))
    assert (call.outcome, call.caller, call.utterances) == ("busy", "+8613800001234", ())


def test_a_call_by_the_seat_goes_out() -> None:
    dialog = {"type": "recording", "start": "2026-03-02T09:00:00Z", "parties": [0, 1], "originator": 1}
    call = vcon.read(a_vcon(dialog=[dialog]))
    assert (call.caller, call.called, call.direction) == ("12345", "1001", "out")


# ------------------------------------------------------------------------------------------------------- invalid ones


@here
@pytest.mark.parametrize("name", EXPECTED)
def test_invalid_ones_are_refused_naming_every_pointer_at_fault(name: str) -> None:
    document = load(SERVER / "common/tests/invalid_fixtures" / name)
    assert vcon.recognise(document)
    assert pointers(document) == EXPECTED[name]


@here
def test_the_list_of_invalid_ones_is_complete() -> None:
    assert {path.name for path in (SERVER / "common/tests/invalid_fixtures").iterdir()} == EXPECTED.keys()


@pytest.mark.parametrize(
    ("members", "at_fault"),
    [
        ({"dialog": [{"type": "recording", "start": "yesterday"}]}, {"/dialog/0/start"}),
        ({"dialog": [{"start": "2026-03-02T09:00:00Z"}]}, {"/dialog/0/type"}),
        ({"critical": ["CC", "unheard-of"]}, {"/critical/1"}),
        ({"must_support": ["unheard-of"]}, {"/must_support/0"}),
        ({"analysis": [{"type": "transcript", "dialog": 1}]}, {"/analysis/0/dialog"}),
        ({"analysis": [{"type": "transcript", "dialog": [0, -1]}]}, {"/analysis/0/dialog/1"}),
        ({"attachments": [{"party": 2, "dialog": "0"}]}, {"/attachments/0/party", "/attachments/0/dialog"}),
        ({"attachments": [{"content_hash": "sha512-short"}]}, {"/attachments/0/content_hash"}),
        ({"parties": [{"tel": ["1"]}, "May"]}, {"/parties/0/tel", "/parties/1"}),
        ({"uuid": " "}, {"/uuid"}),
    ],
)
def test_a_fault_is_named_where_it_stands(members: dict[str, Any], at_fault: set[str]) -> None:
    assert pointers(a_vcon(**members)) == at_fault


def test_a_vendors_own_meta_never_refuses_a_vcon() -> None:
    assert vcon.read(a_vcon(meta={"duration": "eighteen", "call_started_on": "NOT-A-DATE"})).call_id == "u-1"


def test_faults_do_not_repeat_what_somebody_typed() -> None:
    error = refusal(a_vcon(parties=[{"tel": {"secret": 1}}], dialog=[{"type": "text", "start": "secret"}]))
    assert "secret" not in str([error.detail, *error.faults])


def test_a_hundred_thousand_faults_are_not_all_listed() -> None:
    dialog = {"type": "recording", "start": "2026-03-02T09:00:00Z", "parties": [9] * 100_000}
    assert len(refusal(a_vcon(dialog=[dialog])).faults) == 100
