"""What becomes of the public samples of WeChat messages: counted for docs/reference/social-samples.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from channels import corpus
from channels.wechat import Wechat
from channels.wechat.documents import submissions
from normalizer.errors import Rejected
from normalizer.ticket import Raw

FOLDER: Final = "wechat_xml"
TICKET: Final = "ticket"


def outcomes(data: Path) -> Iterator[tuple[str, Counter[str]]]:
    """Each folder of samples below `data`/wechat_xml, with how many became a ticket and how many met which refusal."""
    for folder in sorted(path for path in (data / FOLDER).iterdir() if path.is_dir()):
        found = (outcome(body) for file in sorted(folder.glob("*.xml")) for body in submissions(file.read_bytes()))
        yield f"{FOLDER}/{folder.name}", Counter(found)


def outcome(body: bytes) -> str:
    """`ticket`, or the code of the refusal; anything else raises."""
    channel = Wechat(Wechat.config_type())
    raw = Raw(channel="wechat", source_id="sample", received_at=datetime(2026, 11, 23, tzinfo=UTC), body=body)
    try:
        corpus.ticket(channel, raw)
    except Rejected as error:
        return error.code
    return TICKET
