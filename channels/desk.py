"""The desk channel: a request that an operator types for a citizen who came, wrote a letter or was not recorded.

May not look into the request: it is a request as on the web, with who typed it and how it came.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, ClassVar, Final, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from channels import problem
from channels.contract import Host
from channels.web.bodies import JSON, MULTIPART
from channels.web.config import WebConfig
from channels.web.models import RequestForm
from channels.web.parse import read_body, request_of
from channels.web.receive import TransportError, read, source_id, submit
from normalizer.ticket import Inbound, Note, Raw

CHANNEL: Final = "desk"
SCOPE: Final = "desk"
PATH: Final = "/api/v1/desk/tickets"
ALLOWED: Final = (JSON, MULTIPART)

CameBy = Annotated[
    Literal["walk_in", "letter", "phone_without_transcript"], Field(description="How the citizen turned to us")
]


class DeskConfig(WebConfig):
    """Limits of what is typed at the desk."""


class DeskForm(RequestForm):
    """A request that an operator types, in JSON or as the parts of a form with files."""

    came_by: Literal["walk_in", "letter", "phone_without_transcript"] = Field(
        description="How the citizen turned to us"
    )


class Desk:
    """POST /api/v1/desk/tickets, for holders of a token with the scope `desk`."""

    name: ClassVar[str] = CHANNEL
    config_type: ClassVar[type[BaseModel]] = DeskConfig

    def __init__(self, config: DeskConfig, /) -> None:
        self._config = config

    def parse(self, raw: Raw) -> Inbound:
        """Pure. Raises Rejected with every fault at once."""
        return parse(raw, self._config)

    async def run(self, host: Host) -> None:
        """Adds the route and waits to be cancelled."""

        async def enter(request: web.Request) -> web.StreamResponse:
            return await self._enter(host, request)

        host.route("POST", PATH, enter, SCOPE)
        await asyncio.Event().wait()

    async def _enter(self, host: Host, request: web.Request) -> web.StreamResponse:
        """201 with the receipt, 200 when it is a duplicate."""
        try:
            body, content_type = await read(request, ALLOWED, self._config)
        except TransportError as error:
            return problem.problem(error.status, error.code, error.detail)
        return await problem.answer(self._take(host, request, body, content_type))

    async def _take(self, host: Host, request: web.Request, body: bytes, content_type: str) -> web.Response:
        raw = Raw(
            channel=CHANNEL,
            source_id=source_id(request),
            received_at=datetime.now(UTC),
            body=body,
            content_type=content_type,
            meta={"typed_by": request["caller"]},
        )
        receipt = await submit(host, raw, parse, self._config)
        return web.Response(
            status=HTTPStatus.OK if receipt.duplicate else HTTPStatus.CREATED,
            body=receipt.model_dump_json().encode(),
            content_type=JSON,
            headers={"Location": receipt.status_url, "Cache-Control": "no-store"},
        )


def parse(raw: Raw, config: WebConfig) -> Inbound:
    """What the citizen said, as typed; a note says who typed it and how it came. Raises Rejected with every fault."""
    form, files = read_body(DeskForm, raw, config)
    inbound = request_of(form, files)
    note = Note(step=CHANNEL, code=form.came_by, detail=f"typed by {raw.meta.get('typed_by', 'nobody known')}")
    return inbound.model_copy(update={"notes": (*inbound.notes, note)})
