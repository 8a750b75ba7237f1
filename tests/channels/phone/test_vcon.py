"""vCon (draft-ietf-vcon-vcon-core and its forerunners): what is read, what is refused and which pointers are named."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry, serialize_json

from channels.phone.call import Call
from channels.phone.formats import deepgram, plain, vcon, webvtt, whisper
from channels.phone.formats.vcon_signed import ALGORITHMS, load_keys
from normalizer.errors import Rejected
from normalizer.ticket import Speaker

FIXTURES = Path(__file__).parent / "fixtures/vcon"
DATA = Path(__file__).parents[3] / "../shared/data/phone"
SERVER = DATA / "vcon_server"

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

here = pytest.mark.skipif(not DATA.is_dir(), reason="the real vCons are not beside the project")


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def others(document: object) -> Call | None:
    """Some of the table's other readers."""
    for reader in (deepgram, whisper, webvtt, plain):
        if reader.recognise(document):
            return reader.read(document)
    return None


def a_vcon(**members: Any) -> dict[str, Any]:
    """The smallest conversation: two parties and one recording."""
    dialog = {"type": "recording", "start": "2026-03-02T09:00:00Z", "parties": [0, 1]}
    parties = [{"tel": "1001", "role": "customer", "name": "Li"}, {"tel": "12345", "role": "agent", "name": "May"}]
    return {"uuid": "u-1", "created_at": "2026-03-02T09:10:00Z", "parties": parties, "dialog": [dialog]} | members


def transcript(body: object, **members: Any) -> dict[str, Any]:
    return a_vcon(analysis=[{"type": "transcript", "dialog": 0, "vendor": "acme", "body": body} | members])


def said(call: Call) -> list[tuple[Speaker | None, str]]:
    return [(one.role, one.text) for one in call.utterances]


def notes(call: Call) -> dict[str, str]:
    return {note.code: note.detail for note in call.lost}


def refusal(document: object, **options: Any) -> Rejected:
    with pytest.raises(Rejected) as caught:
        vcon.read(document, **options)
    return caught.value


def pointers(document: object) -> set[str]:
    error = refusal(document)
    assert error.code == "vcon_invalid"
    return {fault.pointer for fault in error.faults}


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


# ---------------------------------------------------------------------------------------------------- signed, encrypted

MAKERS: dict[str, Callable[[], Key]] = {
    "RS256": lambda: RSAKey.generate_key(2048),
    "PS256": lambda: RSAKey.generate_key(2048),
    "ES256": lambda: ECKey.generate_key("P-256"),
    "EdDSA": lambda: OKPKey.generate_key("Ed25519"),
}


def signed(document: object, key: Key, algorithm: str) -> dict[str, Any]:
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.get_alg = lambda name: JWSRegistry.algorithms[name]  # type: ignore[method-assign]
    members: Any = [{"protected": {"alg": algorithm}}]
    return dict(serialize_json(members, json.dumps(document), key, registry=registry))


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def public(key: Key) -> tuple[Key, ...]:
    return load_keys(json.dumps(key.as_dict(private=False)).encode())


@pytest.mark.parametrize("algorithm", MAKERS)
def test_a_signed_one_is_read_when_a_configured_key_verifies_it(algorithm: str) -> None:
    key, stranger = MAKERS[algorithm](), ECKey.generate_key("P-384")
    document = signed(transcript([{"party": 0, "text": "My lamp is out."}]), key, algorithm)
    assert vcon.recognise(document)
    call = vcon.read(document, keys=(*public(stranger), *public(key)))
    assert said(call) == [(Speaker.CITIZEN, "My lamp is out.")]
    assert [(check.method, check.result) for check in call.verified] == [("jws", "pass")]


def test_a_large_one_with_a_long_header_is_verified() -> None:
    """joserfc's own limits (512 bytes of header, 128 KB of payload) would refuse a real one."""
    key = ECKey.generate_key("P-256")
    members: Any = [{"protected": {"alg": "ES256", "x5c": ["A" * 9000]}}]
    registry = JWSRegistry(strict_check_header=False)
    payload = json.dumps(transcript([{"party": 0, "text": "x" * 1_000_000}]))
    document = serialize_json(members, payload, key, registry=registry)
    assert len(vcon.read(document, keys=public(key)).utterances[0].text) == 1_000_000


def test_the_flattened_serialization_is_verified_too() -> None:
    key = ECKey.generate_key("P-256")
    document = signed(a_vcon(), key, "ES256")
    flattened = {"payload": document["payload"], **document["signatures"][0]}
    assert vcon.read(flattened, keys=public(key)).call_id == "u-1"


def test_without_a_fitting_key_it_is_refused() -> None:
    key = ECKey.generate_key("P-256")
    document = signed(a_vcon(), key, "ES256")
    assert refusal(document).code == "signature_unverified"
    assert refusal(document, keys=public(ECKey.generate_key("P-256"))).code == "signature_unverified"


def test_a_changed_payload_is_refused() -> None:
    key = ECKey.generate_key("P-256")
    document = signed(a_vcon(), key, "ES256")
    document["payload"] = base64url(json.dumps(a_vcon(uuid="u-2")).encode())
    assert refusal(document, keys=public(key)).code == "signature_unverified"


def test_a_public_key_is_never_taken_for_a_secret_and_none_never_verifies() -> None:
    key = RSAKey.generate_key(2048)
    payload = base64url(json.dumps(a_vcon()).encode())
    for algorithm in ("HS256", "none"):
        head = base64url(json.dumps({"alg": algorithm}).encode())
        mac = hmac.digest(key.as_pem(private=False), f"{head}.{payload}".encode(), "sha256")
        signature = base64url(mac) if algorithm == "HS256" else ""
        forged = {"payload": payload, "signatures": [{"protected": head, "signature": signature}]}
        assert refusal(forged, keys=public(key)).code == "signature_unverified"
    assert not any(name.startswith("HS") or name == "none" for name in ALGORITHMS)


def test_faults_inside_a_signed_one_are_named() -> None:
    key = ECKey.generate_key("P-256")
    error = refusal(signed(a_vcon(uuid=""), key, "ES256"), keys=public(key))
    assert (error.code, [fault.pointer for fault in error.faults]) == ("vcon_invalid", ["/uuid"])
    assert refusal(signed([1], key, "ES256"), keys=public(key)).code == "vcon_invalid"


@pytest.mark.parametrize(
    "broken", [{"signatures": 3}, {"signatures": [{"protected": 1}]}, {"signatures": [{}] * 9}, {"signatures": None}]
)
def test_a_broken_jws_is_refused(broken: dict[str, Any]) -> None:
    assert refusal({"payload": "e30"} | broken).code == "vcon_invalid"


def test_an_encrypted_one_is_refused() -> None:
    document = {"protected": "e30", "recipients": [], "ciphertext": "x", "iv": "", "tag": ""}
    assert vcon.recognise(document)
    assert refusal(document).code == "encrypted"


def test_key_files_hold_public_keys_as_jwk_jwks_or_pem() -> None:
    keys = [maker() for maker in MAKERS.values()]
    jwks = json.dumps({"keys": [key.as_dict(private=False) for key in keys]})
    pem = "\n".join(key.as_pem(private=False).decode() for key in keys)
    assert len(load_keys(jwks.encode())) == len(load_keys(pem.encode())) == len(keys)


@pytest.mark.parametrize(
    "secret", [ECKey.generate_key("P-256"), OctKey.generate_key(256)], ids=["private", "symmetric"]
)
def test_a_key_file_with_a_secret_is_refused(secret: Key) -> None:
    with pytest.raises(ValueError, match="secret"):
        load_keys(json.dumps(secret.as_dict(private=True)).encode())


def test_a_pem_file_with_a_private_key_is_refused() -> None:
    with pytest.raises(ValueError, match="secret"):
        load_keys(ECKey.generate_key("P-256").as_pem(private=True))


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"{", b'{"keys":3}', b"\xff\xfe", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"],
)
def test_a_key_file_without_keys_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="key"):
        load_keys(data)


# ------------------------------------------------------------------------------------------------------- the real ones


@here
def test_every_valid_one_of_the_server_is_read() -> None:
    """Also those without the `vcon` member and without a time zone."""
    paths = [*(SERVER / "tests/dataset").glob("*.json"), *(SERVER / "common/tests/fixtures").glob("*.json")]
    calls = [vcon.read(load(path), read_document=others) for path in paths]
    assert len(calls) == 43
    assert all({Speaker.AGENT, Speaker.CITIZEN} == {one.role for one in call.utterances} for call in calls)


@here
def test_every_fake_one_is_read_with_both_roles() -> None:
    calls = [vcon.read(load(path), read_document=others) for path in (DATA / "vcon_fake").iterdir()]
    assert len(calls) == 300
    assert all({Speaker.AGENT, Speaker.CITIZEN} == {one.role for one in call.utterances} for call in calls)


IETF_REFUSED = {
    "ab.vcon": "vcon_invalid",
    "ab_call_ext_rec_encrypted.vcon": "encrypted",
    "ab_call_ext_rec_signed.vcon": "signature_unverified",
    "ab_call_ext_rec_decrypted.vcon": "signature_unverified",
}
IETF_SPOKEN = {
    "ab_call_ext_rec_amended.vcon",
    "ab_call_ext_rec_analysis.vcon",
    "ab_call_ext_rec_redacted.vcon",
    "ab_call_ext_rec_with_redact.vcon",
    "ab_email_prob_followup_alice.vcon",
    "ab_email_prob_followup_bob_reply.vcon",
    "ab_email_prob_followup_text_thread.vcon",
}


@here
def test_every_example_of_the_working_group_is_a_call_or_has_a_reason() -> None:
    refused, spoken = {}, set()
    for path in (DATA / "vcon_ietf").glob("*.vcon"):
        document = load(path)
        if not vcon.recognise(document):
            assert path.name == "simple-vcon.vcon", "a test of the draft's typesetting, with no member of a vCon"
            continue
        try:
            call = vcon.read(document, read_document=others)
        except Rejected as error:
            refused[path.name] = error.code
            continue
        if call.utterances:
            spoken.add(path.name)
    assert (refused, spoken) == (IETF_REFUSED, IETF_SPOKEN)


@here
def test_the_signed_example_is_verified_with_its_own_certificate(tmp_path: Path) -> None:
    """The certificate from its x5c, put into a key file as an operator would who trusts it; and it holds no speech."""
    document = load(DATA / "vcon_ietf/ab_call_ext_rec_signed.vcon")
    chain = document["signatures"][0]["header"]["x5c"]
    files = [tmp_path / f"{index}.pem" for index in range(len(chain))]
    for file, certificate in zip(files, chain, strict=True):
        file.write_text(f"-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n")
    call = vcon.read(document, keys=load_keys(files[0].read_bytes()))
    assert (call.utterances, call.outcome) == ((), None)
    assert [check.result for check in call.verified] == ["pass"]
    assert refusal(document, keys=load_keys(files[1].read_bytes())).code == "signature_unverified"


# --------------------------------------------------------------------------------------------------------- hostile ones

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(
        ["recording", "text", "incomplete", "transcript", "diarized", "2026-03-02T09:00:00Z", "a: b\n\nc"]
    )
    | st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-03-02T09:00:00", 10**400, 1e308])
)
NAMES = st.sampled_from(
    [
        "vcon",
        "uuid",
        "parties",
        "dialog",
        "analysis",
        "attachments",
        "type",
        "start",
        "duration",
        "body",
        "encoding",
        "url",
        "originator",
        "mimetype",
        "text",
        "content_hash",
        "alg",
        "signature",
        "signatures",
        "payload",
        "protected",
        "ciphertext",
        "recipients",
        "meta",
        "role",
        "tel",
        "sip",
        "name",
        "disposition",
        "vendor",
        "speaker",
        "party",
        "segments",
        "words",
        "transcript",
        "sentences",
        "end",
        "amended",
        "critical",
        "created_at",
        "direction",
    ]
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6), max_leaves=25
)
DOCUMENTS = VALUES | st.fixed_dictionaries(
    {"uuid": st.just("u")},
    optional={
        "parties": st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=3),
        "dialog": st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from(["recording", "text", "incomplete"]), "start": SCALARS},
                optional={"duration": SCALARS, "body": VALUES, "meta": VALUES, "parties": st.just([])},
            ),
            max_size=3,
        ),
        "analysis": st.lists(
            st.fixed_dictionaries({"type": st.just("transcript"), "body": VALUES}, optional={"encoding": SCALARS}),
            max_size=3,
        ),
    },
)


@given(DOCUMENTS)
def test_anything_is_a_call_or_refused(document: object) -> None:
    vcon.recognise(document)
    try:
        call = vcon.read(document, read_document=others, zone=UTC)
    except Rejected as error:
        code, texts = error.code, ["x"]
    else:
        code, texts = "", [one.text for one in call.utterances]
    assert code in {"", "vcon_invalid", "signature_unverified", "encrypted"}
    assert all(isinstance(text, str) and text for text in texts)


@pytest.mark.parametrize(
    "body",
    [
        " " * 200_000 + "x",
        "a" * 200_000,
        "Agent:" * 50_000,
        "\n" * 200_000,
        "Agent: x\n" * 20_000,
        [{"text": "x"}] * 20_000,
        [{"sentences": [{"sentences": [{"sentences": [{"text": "x"}] * 20}] * 20}] * 20}],
    ],
    ids=["blanks", "letters", "colons", "lines", "turns", "list", "nested"],
)
def test_a_hostile_body_takes_no_quadratic_time(body: object) -> None:
    began = time.perf_counter()
    vcon.read(transcript(body))
    assert time.perf_counter() - began < 2
