"""Every real mail that we have is read, in time, and as other parsers' authors expect."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels.email.message import read_bytes
from normalizer.errors import Rejected
from tests.channels.email import corpus_agreement
from tests.effort import Effort

pytestmark = pytest.mark.skipif(not corpus_agreement.DATA.is_dir(), reason="the corpus of real mail is not there")
FOLDERS = sorted(path.name for path in corpus_agreement.DATA.iterdir()) if corpus_agreement.DATA.is_dir() else []
CODES = {"not_a_mail", "empty_mail"}
LEAST = {
    "mime4j": {"subject": 1.0, "sender": 1.0, "text": 0.83, "attachments": 0.98},
    "stalwart": {"subject": 1.0, "sender": 1.0, "text": 0.92, "attachments": 0.92},
    "stalwart malformed": {"subject": 0.95, "sender": 1.0, "text": 0.31, "attachments": 0.54},
}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_is_read_or_refused_within_two_seconds(folder: str) -> None:
    for path in sorted((corpus_agreement.DATA / folder).rglob("*")):
        if path.is_file():
            effort = Effort()
            assert _outcome(path) in {"read", *CODES}, path
            assert effort.within(2), path


def _outcome(path: Path) -> str:
    try:
        read_bytes(path.read_bytes())
    except Rejected as refused:
        return refused.code
    return "read"


@pytest.mark.parametrize("name", LEAST)
def test_the_agreement_with_expected_results_does_not_sink_and_every_difference_has_its_reason(name: str) -> None:
    found = corpus_agreement.agreement(name)
    for field, least in LEAST[name].items():
        assert found.agreed[field] / found.asked[field] >= least, field
    known = corpus_agreement.reasons()[name]
    assert {f"{file} {field}" for file, field, _, _ in found.differences} == set(known)
