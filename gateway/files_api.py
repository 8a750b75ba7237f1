"""Hands out the files of tickets: to units, the desk and downstream systems, and the one way in which all are answered.

May not decide who sees what: a file is served when the caller's own view of the ticket names it, else there is none.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import structlog
from aiohttp import web

from channels.contract import Handler
from channels.problem import problem
from gateway import desk_api, life_http, tickets_api, units_api
from gateway.auth import DESK, UNIT
from normalizer.attachment import clean_name, harmless
from normalizer.errors import TryAgain
from workers import files, views
from workers.blobs import Blobs
from workers.files import File
from workers.lifecycle import Illegal
from workers.store import Record, Store
from workers.unit_side import UnitSide

log = structlog.get_logger()

BELOW_A_TICKET: Final = "attachments/{sha256}"
RETRY_AFTER: Final = 30.0
_SANDBOX: Final = "sandbox; default-src 'none'; frame-ancestors 'none'"
_ATTR_CHAR: Final = "!#$&+-.^_`|~"
"""RFC 8187 section 3.2.1, beside letters and digits."""


class Expired(Exception):
    """The file's day was removed (`blobs.keep_days`)."""


class Files:
    """Answers with a file: always saved, never shown by a browser as a page of ours."""

    def __init__(self, blobs: Blobs, keep_days: int, now: Callable[[], datetime]) -> None:
        """`keep_days`: after which days of blobs are removed; 0: never."""
        self._blobs = blobs
        self._keep_days = keep_days
        self._now = now

    async def answer(self, file: File) -> web.StreamResponse:
        """200 with the file, which is read outside the event loop when the answer is sent.

        Raises:
            Expired: it is not kept any more.
            TryAgain: it should be here and is not: another gateway's, or lost.
        """
        path = self._blobs.path(file.blob)
        if not await asyncio.to_thread(path.is_file):
            if self._is_over(date.fromisoformat(file.blob[:10].replace("/", "-"))):
                raise Expired
            log.error("blob_missing", blob=file.blob)
            raise TryAgain(RETRY_AFTER, "the file is not on this gateway")
        return web.FileResponse(path, headers=_headers(file))

    def _is_over(self, day: date) -> bool:
        return self._keep_days > 0 and day < self._now().date() - timedelta(days=self._keep_days)


def _headers(file: File) -> dict[str, str]:
    return {
        "Content-Type": harmless(file.media_type),
        "Content-Disposition": _saved_as(file.name),
        "Content-Security-Policy": _SANDBOX,
        "Cache-Control": "no-store",
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(file.sha256)).decode()}:",  # RFC 9530
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _saved_as(name: str) -> str:
    """RFC 6266, with the name in full as RFC 8187 writes it, and in ASCII for who cannot read that."""
    name = clean_name(name)
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe=_ATTR_CHAR)}"


class FilesApi:
    """GET …/tickets/{number}/attachments/{sha256} of units and the desk, and of /api/v1/tickets/{reference}."""

    def __init__(self, store: Store, side: UnitSide, served: Files) -> None:
        self._store = store
        self._side = side
        self._files = served

    def register(self, route: Callable[[str, str, Handler, str | None], object]) -> None:
        """Add the routes."""
        for path, work, scope in (
            (f"{units_api.ROOT}/tickets/{{number}}", self.of_unit, UNIT),
            (f"{desk_api.ROOT}/tickets/{{number}}", self.of_desk, DESK),
            ("/api/v1/tickets/{reference}", self.of_ticket, tickets_api.SCOPE),
        ):
            route("GET", f"{path}/{BELOW_A_TICKET}", life_http.guarded(work), scope)

    async def of_unit(self, request: web.Request) -> web.StreamResponse:
        """A file that the unit's view of its ticket names."""
        unit = life_http.unit_of(request).id
        record = await self._side.find(unit, request["path"]["number"])
        return await self._found(request, self._side.view(unit, record, personal=life_http.may_see_people(request)))

    async def of_desk(self, request: web.Request) -> web.StreamResponse:
        """A file that the desk's view of any ticket names."""
        record = await self._record(request["path"]["number"])
        personal = life_http.may_see_people(request)
        return await self._found(request, views.of_ticket(record, unit=None, personal=personal))

    async def of_ticket(self, request: web.Request) -> web.StreamResponse:
        """A file that the ticket names, as GET /api/v1/tickets/{reference} shows it."""
        ticket = (await self._record(request["path"]["reference"])).ticket()
        shown = ticket.model_dump(mode="json") if life_http.may_see_people(request) else views.without_people(ticket)
        return await self._found(request, {"ticket": shown})

    async def _record(self, reference: str) -> Record:
        record = await self._store.find(reference)
        if record is None or not record.complete:
            raise Illegal("missing", "There is no such ticket.")
        return record

    async def _found(self, request: web.Request, view: dict[str, Any]) -> web.StreamResponse:
        file = files.find(files.of_view(view), request["path"]["sha256"])
        if file is None:
            return problem(HTTPStatus.NOT_FOUND, "not_found", "The ticket has no such file that you may see.")
        try:
            return await self._files.answer(file)
        except Expired:
            return problem(HTTPStatus.GONE, "expired", "The file is not kept any more.")
