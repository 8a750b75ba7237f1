"""Calls per second by format, from bytes to ticket in one process, and an hour's call; each beside decoding its JSON.

May not read real transcripts: the fixtures of the tests, and calls made here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from channels.phone import Phone
from channels.phone.config import PhoneConfig
from channels.phone.formats import read
from normalizer import Rejected, normalize
from normalizer.identity import number
from normalizer.ticket import Raw

FIXTURES: Final = Path(__file__).parents[1] / "tests/channels/phone/fixtures"
NOW: Final = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
SECONDS: Final = 0.5
HOUR_TURNS: Final = 400
TURN_WORDS: Final = 30
_TEXT: Final = "".join(one["text"] for one in json.loads((Path(__file__).parent / "requests.json").read_text("utf-8")))
WORDS: Final = [_TEXT[at : at + 2] for at in range(0, len(_TEXT), 2)]
"""What our invented citizens say, two characters a word."""


def figures() -> dict[str, float]:
    """Calls/s by format, and milliseconds for an hour's call of 12,000 words with their times."""
    phone = Phone(PhoneConfig())
    found: dict[str, list[float]] = {}
    for body in _fixtures():
        try:
            name = read(body, named=None, keys=(), zone=ZoneInfo("UTC")).format
            _ticket(phone, body)
        except Rejected:
            continue
        found.setdefault(name, []).append(_rate(lambda body=body: _ticket(phone, body)))  # type: ignore[misc]
    rates = {f"calls/s, {name}": sum(each) / len(each) for name, each in sorted(found.items())}
    hour = hour_call()
    return rates | {
        "hour's call, MB": len(hour) / 1e6,
        "hour's call, ms to a ticket": 1e3 / _rate(lambda: _ticket(phone, hour)),
        "hour's call, ms to decode its JSON": 1e3 / _rate(lambda: json.loads(hour)),
    }


def hour_call() -> bytes:
    """An hour as Amazon Transcribe would write it: two voices, every word with times and confidence."""
    turns = [[_item(turn, word) for word in range(TURN_WORDS)] for turn in range(HOUR_TURNS)]
    items = [one for turn in turns for one in turn]
    results = {
        "transcripts": [{"transcript": " ".join(one["alternatives"][0]["content"] for one in items)}],
        "speaker_labels": {"speakers": 2, "segments": [_segment(turn) for turn in turns]},
        "items": items,
    }
    return json.dumps({"jobName": "hour", "status": "COMPLETED", "results": results}, indent=1).encode()


def _item(turn: int, word: int) -> dict[str, Any]:
    start = turn * 9 + word * 0.3
    return {
        "type": "pronunciation",
        "speaker_label": f"spk_{turn % 2}",
        "start_time": f"{start:.3f}",
        "end_time": f"{start + 0.28:.3f}",
        "alternatives": [{"confidence": "0.983", "content": WORDS[(turn * TURN_WORDS + word) % len(WORDS)]}],
    }


def _segment(items: list[dict[str, Any]]) -> dict[str, Any]:
    known = ("speaker_label", "start_time", "end_time")
    ends = {"start_time": items[0]["start_time"], "end_time": items[-1]["end_time"]}
    words = [{name: one[name] for name in known} for one in items]
    return {"speaker_label": items[0]["speaker_label"], **ends, "items": words}


def _fixtures() -> Iterator[bytes]:
    return (path.read_bytes() for path in sorted(FIXTURES.rglob("*")) if path.is_file())


def _ticket(phone: Phone, body: bytes) -> None:
    raw = Raw(channel="phone", source_id="bench", received_at=NOW, body=body)
    normalize(raw, phone.parse(raw), number=number(NOW.date(), 0, 1))


def _rate(once: Callable[[], object]) -> float:
    """How often a second, over at least two times and half a second."""
    times, started = 0, time.perf_counter()
    while times < 2 or time.perf_counter() - started < SECONDS:
        once()
        times += 1
    return times / (time.perf_counter() - started)
