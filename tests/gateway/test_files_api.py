"""The files of a ticket: each caller gets what its own view names, and nothing else; how they are handed out."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import unquote

import pytest

from gateway.files_api import Files
from normalizer.errors import TryAgain
from normalizer.life import StepName
from normalizer.ticket import Attachment, AttachmentRef, Kind
from tests.gateway.conftest import RECEIVED, Queued
from tests.gateway.people import DESK, MINE, NAME, PAPER, PHOTO, UNIT, Api, api
from tests.workers.turns import NOW
from workers.blobs import Blobs
from workers.files import File
from workers.life import Lives

__all__ = ["api"]

WHERE = {
    **dict.fromkeys(("lead", "lead+", "helper", "cc", "foreign"), f"{MINE}/tickets"),
    **dict.fromkeys(("desk", "desk+"), f"{DESK}/tickets"),
    **dict.fromkeys(("tickets", "tickets+"), "/api/v1/tickets"),
}
ALL, COPY, NONE = (200, 200, 200), (404, 200, 404), (404, 404, 404)
"""For the picture as it was sent, its copy without metadata, and a file that is no picture."""


async def fetch(api: Api, kind: str, number: str, sha256: str, method: str = "GET", **headers: str) -> Any:
    """Status, headers and bytes."""
    path = f"{WHERE[kind]}/{number}/attachments/{sha256}"
    headers["Authorization"] = api.bearers[kind]
    async with api.client.request(method, path, headers=headers) as answer:
        return answer.status, answer.headers, await answer.read()


async def replied(api: Api, kind: Kind, *files: Attachment) -> Queued:
    """A ticket whose lead answered with these files."""
    ticket = await api.ticket("signed", kind=kind)
    kept = tuple(api.node.blobs.keep(one, datetime.now(UTC).date()) for one in files)
    says = {"text": "修好了", "outcome": "resolved", "attachments": kept}
    lives = Lives(api.far_side.store)
    await lives.take(ticket.ticket_id, StepName.REPLY, UNIT, RECEIVED, operation="r", says=says)
    return ticket


def copy_of(ref: AttachmentRef) -> str:
    assert ref.public_blob is not None
    return ref.public_blob[-64:]


@pytest.mark.parametrize(
    ("kind", "of_kind", "statuses"),
    [
        ("lead+", Kind.COMPLAINT, ALL),
        ("helper", Kind.COMPLAINT, ALL),
        ("lead", Kind.COMPLAINT, COPY),
        ("cc", Kind.COMPLAINT, COPY),
        ("foreign", Kind.COMPLAINT, NONE),
        ("lead+", Kind.REPORT, COPY),
        ("helper", Kind.REPORT, COPY),
        ("desk", Kind.REPORT, COPY),
        ("desk+", Kind.REPORT, ALL),
        ("tickets", Kind.REPORT, COPY),
        ("tickets+", Kind.REPORT, ALL),
    ],
)
async def test_who_may_not_know_the_citizen_gets_no_original(
    api: Api, kind: str, of_kind: Kind, statuses: tuple[int, ...]
) -> None:
    ticket = await api.ticket("signed", kind=of_kind)
    photo, paper = api.files
    got = [await fetch(api, kind, ticket.number, one) for one in (photo.sha256, copy_of(photo), paper.sha256)]
    assert tuple(status for status, _, _ in got) == statuses
    bodies = [body for status, _, body in got if status == 200]
    assert (PHOTO.content in bodies) == (PAPER.content in bodies) == (statuses == ALL)
    assert all(NAME not in unquote(str(headers)) for _, headers, _ in got) or statuses == ALL, "nor a name with a name"


@pytest.mark.parametrize("kind", ["lead", "lead+", "helper", "cc", "desk", "desk+", "tickets", "tickets+"])
@pytest.mark.parametrize("of_kind", [Kind.COMPLAINT, Kind.REPORT])
async def test_what_a_view_names_is_what_is_served(api: Api, kind: str, of_kind: Kind) -> None:
    """`sha256` of an attachment that names a blob is that of the bytes one gets; the history's too."""
    after = Attachment(name="after.jpg", content=PHOTO.content + b"\0")
    ticket = await replied(api, of_kind, after, Attachment(name="list.txt", content=b"lamp 7"))
    _, view = await api.do(kind, "GET", f"{WHERE[kind]}/{ticket.number}")
    document = view.get("ticket", view)
    shown = [
        *document["attachments"],
        *(one for step in view.get("history", ()) for one in step.get("attachments", ())),
    ]
    assert len(shown) == (4 if kind.startswith("tickets") else 6)
    for one in shown:
        status, _, body = await fetch(api, kind, ticket.number, one["sha256"])
        if one["blob"] is None:
            assert status == 404
        else:
            assert (status, hashlib.sha256(body).hexdigest()) == (200, one["sha256"])
            assert one["blob"].endswith(one["sha256"])


async def test_a_file_is_always_saved_under_its_name_and_never_shown_as_a_page(api: Api) -> None:
    ticket = await api.ticket("signed", kind=Kind.COMPLAINT)
    status, headers, body = await fetch(api, "desk+", ticket.number, api.files[0].sha256)
    assert (status, body) == (200, PHOTO.content)
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["Content-Length"] == str(len(body))
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("sandbox;")
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert headers["Repr-Digest"] == f"sha-256=:{digest}:"
    disposition, plain, full = headers["Content-Disposition"].split("; ")
    assert (disposition, plain) == ("attachment", 'filename="_______.jpg"')
    assert unquote(full.removeprefix("filename*=UTF-8''")) == PHOTO.name
    head = await fetch(api, "desk+", ticket.number, api.files[0].sha256, "HEAD")
    assert (head[0], head[1]["Content-Length"], head[2]) == (200, str(len(body)), b"")
    part = await fetch(api, "desk+", ticket.number, api.files[0].sha256, Range="bytes=2-5")
    assert (part[0], part[2]) == (206, body[2:6]), "a download that broke off goes on"


@pytest.mark.parametrize(
    ("name", "plain", "full"),
    [
        ('a"b\\c%.txt', 'filename="c_.txt"', "c%25.txt"),
        ("x\r\nSet-Cookie: a=b.txt", 'filename="xSet-Cookie_ a=b.txt"', "xSet-Cookie_%20a%3Db.txt"),
        ("..\\..", 'filename="attachment"', "attachment"),
        ("it's (1).txt", 'filename="it\'s (1).txt"', "it%27s%20%281%29.txt"),
    ],
)
async def test_a_name_stays_a_name(api: Api, name: str, plain: str, full: str) -> None:
    ticket = await replied(api, Kind.COMPLAINT, Attachment(name=name, content=b"lamp 7"))
    status, headers, _ = await fetch(api, "desk+", ticket.number, hashlib.sha256(b"lamp 7").hexdigest())
    assert (status, headers["Content-Disposition"]) == (200, f"attachment; {plain}; filename*=UTF-8''{full}")


@pytest.mark.parametrize("content", [b"<html><script>alert(1)</script>", b'<svg onload="alert(1)"/>', b"\x00\x01"])
async def test_what_a_browser_might_run_is_just_bytes(api: Api, content: bytes) -> None:
    ticket = await replied(api, Kind.COMPLAINT, Attachment(name="a.html", content=content))
    status, headers, body = await fetch(api, "desk+", ticket.number, hashlib.sha256(content).hexdigest())
    assert (status, headers["Content-Type"], body) == (200, "application/octet-stream", content)


@pytest.mark.parametrize("nonsense", ["..%2F..%2Fsecret", "%2E%2E", "0" * 64, "a" * 63, "x", "*", "%00", "%E8%AF%89"])
async def test_nonsense_is_not_there(api: Api, nonsense: str) -> None:
    ticket = await api.ticket("signed", kind=Kind.COMPLAINT)
    for kind in ("lead+", "desk+", "tickets+"):
        status, _, body = await fetch(api, kind, ticket.number, nonsense)
        assert (status, b'"not_found"' in body) == (404, True), kind


async def test_a_hash_reaches_no_other_tickets_file(api: Api) -> None:
    other = Attachment(name="other.txt", content=b"another citizen's")
    await replied(api, Kind.COMPLAINT, other)
    mine = await api.ticket("signed", kind=Kind.COMPLAINT)
    sha256 = hashlib.sha256(other.content).hexdigest()
    for kind in ("lead+", "desk+", "tickets+"):
        assert (await fetch(api, kind, mine.number, sha256))[0] == 404
        assert (await fetch(api, kind, "20260115000000000", sha256))[0] == 404, "nor without a ticket"


async def test_what_retention_removed_is_gone_and_what_is_lost_is_asked_for_again(api: Api) -> None:
    old = api.node.blobs.keep(PAPER, date(2020, 1, 1))
    n = next(api.count)
    aged = api.far_side.enqueue("aged", n, attachments=(old,))
    assert (await fetch(api, "desk+", aged.number, old.sha256))[0] == 200, "until its day is removed"
    api.node.blobs.expire(date(2020, 1, 2), ())
    status, _, body = await fetch(api, "desk+", aged.number, old.sha256)
    assert (status, b'"expired"' in body) == (410, True)
    ticket = await api.ticket("signed", kind=Kind.COMPLAINT)
    lost = api.files[1]
    api.node.blobs.path(str(lost.blob)).unlink()
    status, headers, _ = await fetch(api, "desk+", ticket.number, lost.sha256)
    assert (status, "Retry-After" in headers) == (503, True), "on another gateway, or out of a backup"


async def test_where_blobs_are_kept_for_ever_none_expires(tmp_path: Any) -> None:
    file = File("a.txt", "text/plain", 1, f"2001/01/01/{'a' * 64}")
    with pytest.raises(TryAgain):
        await Files(Blobs(tmp_path), 0, lambda: NOW).answer(file)
