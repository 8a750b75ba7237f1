"""The API of programs: JSON or multipart in, a receipt or problem+json out.

May not repeat what was sent, in an answer or in a log.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from aiohttp import web

from channels import problem
from channels.contract import Host
from channels.web.bodies import JSON, MULTIPART
from channels.web.config import WebConfig
from channels.web.follow_up import CHANNEL
from channels.web.parse import parse
from channels.web.receive import TransportError, read, source_id, submit
from normalizer.identity import is_number
from normalizer.ticket import Raw

ALLOWED: Final = (JSON, MULTIPART)


class Api:
    """POST /api/v1/requests and POST /api/v1/requests/{number}/messages."""

    def __init__(self, host: Host, config: WebConfig) -> None:
        self._host = host
        self._config = config

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """A new request: 201 with the receipt, 200 when it is a duplicate."""
        return await self._answer(request, {})

    async def follow_up(self, request: web.Request) -> web.StreamResponse:
        """More about the request {number}; answered like a new one."""
        number = request["path"]["number"]
        if not is_number(number):
            return problem.problem(HTTPStatus.NOT_FOUND, "number_invalid", "There is no such number.")
        return await self._answer(request, {"follows": number})

    async def _answer(self, request: web.Request, meta: dict[str, str]) -> web.Response:
        try:
            body, content_type = await read(request, ALLOWED, self._config)
        except TransportError as error:
            return problem.problem(error.status, error.code, error.detail)
        return await problem.answer(self._take(request, body, content_type, meta))

    async def _take(self, request: web.Request, body: bytes, content_type: str, meta: dict[str, str]) -> web.Response:
        raw = Raw(
            channel=CHANNEL,
            source_id=source_id(request),
            received_at=datetime.now(UTC),
            body=body,
            content_type=content_type,
            meta=meta,
        )
        receipt = await submit(self._host, raw, parse, self._config)
        return web.Response(
            status=HTTPStatus.OK if receipt.duplicate else HTTPStatus.CREATED,
            body=receipt.model_dump_json().encode(),
            content_type=JSON,
            headers={"Location": receipt.status_url, "Cache-Control": "no-store"},
        )
