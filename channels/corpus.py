"""A channel's corpus: pairs of what came in and what it must become.

`<case>.json` (or `.form`, `.multipart`, `.eml` …) beside `<case>.ticket.json` or `<case>.error.json`;
`<case>.meta.json` is the Raw's meta. An expected ticket names the fields that matter, the others are free. Kind and
category are not concluded here: what a model thinks changes with every training, what a channel reads does not.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from channels.contract import Channel
from normalizer import identity, normalize
from normalizer.attachment import describe
from normalizer.config import NormalizerConfig
from normalizer.errors import Rejected
from normalizer.ticket import Attachment, AttachmentRef, Raw

CONTENT_TYPES = {
    ".json": "application/json",
    ".form": "application/x-www-form-urlencoded",
    ".eml": "message/rfc822",
    ".xml": "application/xml",
    ".txt": "text/plain; charset=utf-8",
}
CONFIG = NormalizerConfig(off=("kind", "category"))
RECEIVED_AT = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
NUMBER = identity.number(RECEIVED_AT.date(), 0, 1)


def cases(folder: Path) -> list[Path]:
    """The inputs of the folder, in order."""
    beside = re.compile(r"^\.|\.(ticket|error|meta)\.json$")
    return [path for path in sorted(folder.iterdir()) if path.is_file() and not beside.search(path.name)]


def read(case: Path, channel: str) -> Raw:
    """The submission that the file holds."""
    body = case.read_bytes()
    meta = case.with_suffix(".meta.json")
    return Raw(
        channel=channel,
        source_id=f"corpus:{case.stem}",
        received_at=RECEIVED_AT,
        body=body,
        content_type=_content_type(case, body),
        meta=json.loads(meta.read_text("utf-8")) if meta.exists() else {},
    )


def ticket(channel: Channel, raw: Raw) -> dict[str, Any]:
    """What becomes of it: parsed, its attachments described, normalized; as JSON would show it."""
    inbound = channel.parse(raw)
    references = tuple(_reference(attachment) for attachment in inbound.attachments)
    return normalize(raw, inbound, number=NUMBER, attachments=references, config=CONFIG).model_dump(mode="json")


def _reference(attachment: Attachment) -> AttachmentRef:
    found = describe(attachment)
    return AttachmentRef(
        name=attachment.name,
        media_type=found.media_type,
        size=len(attachment.content),
        sha256=sha256(attachment.content).hexdigest(),
        lat=found.lat,
        lon=found.lon,
    )


def _content_type(case: Path, body: bytes) -> str:
    if case.suffix == ".multipart":
        boundary = body.partition(b"\r\n")[0].removeprefix(b"--").decode()
        return f"multipart/form-data; boundary={boundary}"
    return CONTENT_TYPES.get(case.suffix, "application/octet-stream")


def said(refusal: Rejected) -> dict[str, Any]:
    errors = [{"pointer": fault.pointer, "code": fault.code} for fault in refusal.faults]
    return {"code": refusal.code, "errors": errors}


def assert_holds(found: Any, expected: Any, where: str) -> None:
    """Every member that `expected` names is in `found`; lists are compared whole, member by member."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, value in expected.items():
            assert name in found, f"{where}/{name} is missing"
            assert_holds(found[name], value, f"{where}/{name}")
    elif isinstance(expected, list) and isinstance(found, list):
        assert len(found) == len(expected), f"{where}: {found}"
        for index, value in enumerate(expected):
            assert_holds(found[index], value, f"{where}/{index}")
    else:
        assert found == expected, where
