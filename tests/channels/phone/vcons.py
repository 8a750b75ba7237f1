"""What the tests of vCon share: where they lie, how the smallest one is made, how a refusal is read."""

import json
from pathlib import Path
from typing import Any

import pytest

from channels.phone.call import Call
from channels.phone.formats import deepgram, plain, vcon, webvtt, whisper
from normalizer.errors import Rejected
from normalizer.ticket import Speaker

FIXTURES = Path(__file__).parent / "fixtures/vcon"
DATA = Path(__file__).parents[3] / "../shared/data/phone"
SERVER = DATA / "vcon_server"

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
