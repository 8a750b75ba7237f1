"""What the listener's tests say and hear on the wire."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import aiohttp

from gateway.routes import Routes
from tests.waiting import HANGS


async def problem(answer: aiohttp.ClientResponse, status: int, code: str) -> dict[str, Any]:
    """The answer is a problem of this kind; returns it."""
    assert answer.status == status
    assert answer.content_type == "application/problem+json"
    body: dict[str, Any] = json.loads(await answer.read())
    assert (body["status"], body["code"]) == (status, code)
    return body


async def talk(running: Any, request: bytes) -> bytes:
    """Sends bytes as they are and reads until the server closes the connection."""
    reader, writer = await asyncio.open_connection(running.host, running.port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), HANGS)
    writer.close()
    return answer


async def whole_answer(reader: asyncio.StreamReader) -> bytes:
    """One answer, to its last byte; the server need not have closed the connection."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HANGS)
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)\r\n", head)
    assert length is not None, head
    return head + await asyncio.wait_for(reader.readexactly(int(length[1])), HANGS)


def one(method: str, path: str, handler: Any, scope: str | None = None) -> Routes:
    routes = Routes()
    routes.add(method, path, handler, scope)
    return routes
