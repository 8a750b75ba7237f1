"""A gateway's API as people meet it: tickets at every stage of their lives, and callers with every kind of token."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from gateway.auth import new_token
from gateway.config import Config
from gateway.node import Node, NodeHost
from normalizer.life import Actor, Role, StepName
from normalizer.ticket import Attachment, AttachmentRef, Handle, ReplyAddress, Requester
from tests.gateway.conftest import RECEIVED, FarSide, Queued
from tests.gateway.town import write_town
from workers.life import Lives

NAME, PHONE, EMAIL = "诸葛孔明", "13911112222", "kongming@shu.example"
CITIZEN = Requester(
    name=NAME,
    phone=f"+86{PHONE}",
    email=EMAIL,
    handles=(Handle(platform="weibo", id="u10086x", name="卧龙"),),
    reply_to=(ReplyAddress(channel="email", address=EMAIL),),
)
PERSONAL = (NAME, PHONE, "139 1111 2222", EMAIL, "u10086x", "卧龙")
TEXT = f"我叫{NAME}，电话 139 1111 2222，城北柳树街的路灯坏了三天了。"


def _photo() -> bytes:
    """A picture whose camera says where it was taken."""
    exif, out = Image.Exif(), io.BytesIO()
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (39.0, 54.0, 0.0), 3: "E", 4: (116.0, 24.0, 0.0)}
    Image.new("RGB", (8, 8), "white").save(out, "JPEG", exif=exif)
    return out.getvalue()


PHOTO = Attachment(name=f"{NAME}家门口.jpg", content=_photo())
PAPER = Attachment(name="诉求书.pdf", content=f"%PDF-1.7 {NAME}".encode())

LEAD, HELPER, CC, FOREIGN = "north_lamp", "police", "willow", "water"
TOKENS: dict[str, dict[str, Any]] = {
    "tickets": {"scopes": ["tickets:read"]},
    "tickets+": {"scopes": ["tickets:read", "personal"]},
    "phone": {"scopes": ["submit:phone"]},
    "personal": {"scopes": ["personal"]},
    "lead": {"scopes": ["unit"], "unit": LEAD},
    "helper": {"scopes": ["unit", "personal"], "unit": HELPER},
    "cc": {"scopes": ["unit", "personal"], "unit": CC},
    "foreign": {"scopes": ["unit", "personal"], "unit": FOREIGN},
    "lead+": {"scopes": ["unit", "personal"], "unit": LEAD},
    "desk": {"scopes": ["desk"], "operator": "li"},
    "desk+": {"scopes": ["desk", "personal"], "operator": "li"},
}
"""`+`: with the scope `personal`."""
KINDS = ("none", "wrong", *TOKENS)
UNITS = ("lead", "lead+", "helper", "cc", "foreign")
DESKS = ("desk", "desk+")
MINE, DESK = "/api/v1/units/me", "/api/v1/desk"
WHY = {"reason": "理由"}
SAID = {"text": "已经联系"}
TO_LEAD = {"lead": LEAD, "reason": "理由"}


@dataclass(frozen=True)
class Row:
    """A route. `allowed`: kind of caller -> status; everybody else is refused: 401 without a token, else 403.
    `stage`: how far the ticket's life must have come. `public`: the same status for all."""

    method: str
    path: str
    allowed: dict[str, int] = field(default_factory=dict)
    public: int | None = None
    stage: str = "signed"
    body: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def expected(self, kind: str) -> int:
        if self.public is not None:
            return self.public
        return self.allowed.get(kind, 401 if kind in ("none", "wrong") else 403)


UNIT = Actor(role=Role.UNIT, id=LEAD)
CATALOGUE = Actor(role=Role.SYSTEM, id="catalogue")
LIFE: tuple[tuple[str, StepName, Actor, dict[str, object]], ...] = (
    ("dispatched", StepName.DISPATCH, CATALOGUE, {"lead": LEAD, "co": (HELPER,), "cc": (CC,), "reason": "市容"}),
    ("signed", StepName.SIGN, UNIT, {}),
    ("objected", StepName.OBJECT, UNIT, {"reason": f"{NAME}说的不归我们，已回电{PHONE}"}),
)
REPLIED = ("replied", StepName.REPLY, UNIT, {"text": "修好了", "outcome": "resolved"})


@dataclass
class Api:
    """A gateway's routes on a socket, tickets at any stage, and callers of every kind."""

    node: Node
    client: Any
    far_side: FarSide
    bearers: dict[str, str]
    files: tuple[AttachmentRef, ...]
    """Of every ticket: PHOTO and PAPER."""
    count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def ticket(self, stage: str, **inbound: Any) -> Queued:
        """A fresh one, brought as far as `stage`."""
        n = next(self.count)
        made = self.far_side.enqueue(f"one-{n}", n, text=TEXT, requester=CITIZEN, attachments=self.files, **inbound)
        lives, at = Lives(self.far_side.store), RECEIVED + timedelta(seconds=n)
        if stage == "triage":
            await lives.take(made.ticket_id, StepName.TRIAGE, CATALOGUE, at, operation="t", says=WHY)
            return made
        steps = (*LIFE[:2], REPLIED) if stage == "replied" else LIFE
        for name, step, by, says in steps:
            await lives.take(made.ticket_id, step, by, at, operation=name, says=says)
            if name == stage:
                break
        return made

    async def ask(self, kind: str, row: Row, number: str, key: str = "k") -> tuple[int, str]:
        headers = {"Idempotency-Key": key}
        if kind in self.bearers:
            headers["Authorization"] = self.bearers[kind]
        path = re.sub(r"\{name\}", "x", row.path).replace("{sha256}", (self.files[0].public_blob or "")[-64:])
        path = re.sub(r"\{[a-z]+\}", number, path)
        kwargs = {} if row.body is None else {"json": row.body}
        async with self.client.request(row.method, path, headers=headers, **kwargs) as answer:
            return answer.status, (await answer.read()).decode("utf-8", "replace")

    async def do(self, kind: str, method: str, path: str, body: dict[str, Any] | None = None, key: str = "k") -> Any:
        status, text = await self.ask(kind, Row(method, path, body=body), "", key)
        return status, json.loads(text) if text else None


@pytest.fixture
async def api(serve: Callable[..., Awaitable[Any]], far_side: FarSide, valkey: Any, tmp_path: Path) -> Any:
    write_town(tmp_path / "data" / "rules" / "town")
    config = Config(
        data_dir=tmp_path / "data",
        redis=valkey.config,
        dispatch={"region": "./rules/town"},
        channels={"email": False},  # it would listen on a port of its own, and serves no route
    )
    node = Node(config)
    running = [asyncio.create_task(channel.run(NodeHost(node, name))) for name, channel in node.channels.items()]
    async with asyncio.timeout(10):
        while not {"/", "/api/v1/calls", f"{DESK}/tickets"} <= {route.path for route in node.routes.all()}:
            await asyncio.sleep(0)
    file = tmp_path / "tokens.jsonl"  # that of `serve`
    bearers = {
        kind: f"Bearer {new_token(file, said['scopes'], unit=said.get('unit'), operator=said.get('operator'))}"
        for kind, said in TOKENS.items()
    }
    bearers["wrong"] = f"Bearer jiesu.aaaaaaaa.{'x' * 43}"
    running_server = await serve(node.routes, burst=10_000)
    today = datetime.now(UTC).date()
    files = tuple(node.blobs.keep(one, today) for one in (PHOTO, PAPER))
    yield Api(node, running_server.client, far_side, bearers, files)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await node.client.aclose()
    node.spool.close()


def leaked(text: str) -> list[str]:
    return [word for word in PERSONAL if word in text or json.dumps(word)[1:-1] in text]


async def hold(api: Api, stage: str, ticket: Queued) -> None:
    name = "triage" if stage == "triage" else "objections"
    status, found = await api.do("desk", "POST", f"{DESK}/{name}/leases", {"numbers": [ticket.number]})
    assert (status, len(found["tickets"])) == (200, 1)
