"""For programs: a ticket by its number or id, whether this gateway lives and can accept, and what it serves.

May not change anything, and may not say in an error what was asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from aiohttp import web
from redis import RedisError

from channels.contract import Handler
from channels.problem import problem
from gateway import life_http
from gateway.config import Config
from gateway.intake import Intake
from workers import views
from workers.connect import is_away
from workers.store import Store

SCOPE: Final = "tickets:read"
RETRY_AFTER: Final = 5
JSON: Final = "application/json"
_FRESH: Final = {"Cache-Control": "no-store"}


class TicketsApi:
    """GET /api/v1/tickets/{reference}, /healthz, /readyz and /api/v1/openapi.json."""

    def __init__(self, store: Store, intake: Intake, config: Config) -> None:
        self._store = store
        self._intake = intake
        self._config = config
        self._document: bytes | None = None

    def register(self, route: Callable[[str, str, Handler, str | None], object]) -> None:
        """Add the routes; only tickets need a token."""
        route("GET", "/api/v1/tickets/{reference}", self.ticket, SCOPE)
        route("GET", "/healthz", self.health, None)
        route("GET", "/readyz", self.ready, None)
        route("GET", "/api/v1/openapi.json", self.openapi, None)

    async def ticket(self, request: web.Request) -> web.StreamResponse:
        """The current ticket behind a number, an alias, a ticket id or the id of an appended submission; who asked
        only for a token that may see people."""
        try:
            record = await self._store.find(request["path"]["reference"])
        except (RedisError, OSError) as error:
            if not is_away(error):
                raise
            detail = "The tickets cannot be read now. Please ask again."
            headers = {"Retry-After": str(RETRY_AFTER)}
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "try_again", detail, headers=headers)
        if record is None or not record.complete:
            return problem(HTTPStatus.NOT_FOUND, "not_found", "There is no such ticket.")
        ticket = record.ticket()
        if life_http.may_see_people(request):
            return _json(HTTPStatus.OK, ticket.model_dump_json().encode())
        return _json(HTTPStatus.OK, json.dumps(views.without_people(ticket), ensure_ascii=False).encode())

    async def health(self, request: web.Request) -> web.StreamResponse:
        """200 while the process answers at all."""
        return _json(HTTPStatus.OK, b'{"status":"ok"}')

    async def ready(self, request: web.Request) -> web.StreamResponse:
        """200 while accept can succeed, Redis away included; else 503."""
        if self._intake.can_accept():
            return _json(HTTPStatus.OK, b'{"status":"ready"}')
        return _json(HTTPStatus.SERVICE_UNAVAILABLE, b'{"status":"not_ready"}')

    async def openapi(self, request: web.Request) -> web.StreamResponse:
        """The OpenAPI document of this server; made at the first call, for it costs more than a start should."""
        if self._document is None:
            from gateway.openapi import document

            self._document = json.dumps(document(self._config), ensure_ascii=False).encode()
        return web.Response(body=self._document, content_type=JSON)


def _json(status: HTTPStatus, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type=JSON, headers=_FRESH)
