"""The vCons of others, read where they lie; and hostile ones: a Call or Rejected, in no quadratic time."""

from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.phone.formats import vcon
from channels.phone.formats.vcon_signed import load_keys
from normalizer.errors import Rejected
from normalizer.ticket import Speaker
from tests.channels.phone.vcons import DATA, SERVER, here, load, others, refusal, transcript
from tests.effort import Effort


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
    effort = Effort()
    vcon.read(transcript(body))
    assert effort.within(2)
