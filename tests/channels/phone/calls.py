"""What the tests of the calls API share: calls, and how one is sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from channels.fake_host import FakeHost
from channels.phone import Phone
from channels.phone.config import PhoneConfig

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
API = "/api/v1/calls"
LIMIT = 200_000
CORPUS = Path(__file__).parents[2] / "corpus/phone"
NAME, NUMBER = "欧阳测试", "13800138000"


def call(said: str = "小区北门的路灯坏了三天了", **more: Any) -> dict[str, Any]:
    return {"call_id": "c1", "turns": [{"speaker": "citizen", "text": said}], **more}


def without_id(said: str = "小区北门的路灯坏了三天了") -> dict[str, Any]:
    """FunASR's result: it has no name for the call."""
    return {"sentence_info": [{"text": said, "start": 0, "end": 4000, "spk": 0}]}


async def sent(client: ClientSession, body: object, *, query: str = "", key: str | None = None) -> tuple[int, Any]:
    """The status and the answer's document."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Idempotency-Key": key} if key else {}
    async with client.post(API + query, data=content, headers=headers) as response:
        return response.status, await response.json(content_type=None)


def parsed(host: FakeHost) -> list[Any]:
    return [Phone(PhoneConfig()).parse(raw) for raw in host.taken.values()]
