"""The transport under tweepy's endpoints: each answer of a server, however broken, is one of our own errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from channels.x import client
from channels.x.client import Answer, InDoubt, Limited, NotSent, Refused, TokenRefused, connected
from channels.x.config import XConfig
from tests.channels.x.accounts import written

Served = Callable[[web.Request], Any]


class Server:
    """Answers everything as the test says."""

    url = ""
    answer: Served
    seen: list[web.Request]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    made.seen = []

    async def serve(request: web.Request) -> web.StreamResponse:
        made.seen.append(request)
        found = made.answer(request)
        return await found if not isinstance(found, web.StreamResponse) else found

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}"
    yield made
    await runner.cleanup()


def config(server: Server, folder: Path, **more: Any) -> XConfig:
    shared: dict[str, Any] = {"user_id": "1", "api": server.url, "allow_private": ["127.0.0.0/8"], "timeout": 0.5}
    return XConfig.model_validate(shared | written(folder, bearer_token_file="the-token") | more)


async def mentions(config: XConfig) -> Answer:
    async with connected(config) as api:
        return await api.mentions(since="5", start=None, token=None)


async def hang(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(5)
    return web.Response()


async def breaks(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


HTML = "<html><h1>502 Bad Gateway</h1></html>"
SAID = [
    (lambda _: web.Response(status=502, text=HTML, content_type="text/html"), InDoubt, "status_502"),
    (lambda _: web.Response(status=503, text="", content_type="application/json"), InDoubt, "status_503"),
    (lambda _: web.Response(status=200, text=HTML, content_type="text/html"), InDoubt, "answer_unreadable"),
    (lambda _: web.json_response([1]), InDoubt, "answer_unreadable"),
    (lambda _: web.Response(status=200, text="[" * 100_000), InDoubt, "answer_unreadable"),
    (lambda _: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), InDoubt, "status_302"),
    (lambda _: web.Response(body=b"x" * (client.ANSWER_MAX + 1)), InDoubt, "answer_too_large"),
    (lambda _: web.Response(status=408), InDoubt, "status_408"),
    (hang, InDoubt, "timeout"),
    (breaks, InDoubt, "connection_lost"),
    (lambda _: web.Response(status=401, text=HTML, content_type="text/html"), TokenRefused, "status_401"),
    (lambda _: web.Response(status=403, text=HTML, content_type="text/html"), Refused, "status_403"),
    (lambda _: web.json_response({"errors": [7, {"message": 8}]}, status=400), Refused, "status_400"),
    (lambda _: web.Response(status=429, text=HTML, content_type="text/html"), Limited, "limited"),
    (lambda _: web.json_response({"title": "CreditsDepleted"}, status=402), Limited, "used_up"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "error", "reason"), SAID)
async def test_an_answer_that_is_none(
    server: Server, tmp_path: Path, answer: Served, error: type[client.CallError], reason: str
) -> None:
    server.answer = answer
    with pytest.raises(client.CallError) as caught:
        await mentions(config(server, tmp_path))
    assert (type(caught.value), caught.value.reason) == (error, reason)
    assert len(server.seen) == 1, "a call is never repeated by the transport"


@pytest.mark.parametrize(
    ("reset", "found"), [("1790000000", 1_790_000_000), ("soon", None), ("-1", None), ("9" * 20, None)]
)
async def test_when_a_limit_ends(server: Server, tmp_path: Path, reset: str, found: float | None) -> None:
    server.answer = lambda _: web.json_response({}, status=429, headers={"x-rate-limit-reset": reset})
    with pytest.raises(Limited) as caught:
        await mentions(config(server, tmp_path))
    assert caught.value.reset == found


async def test_json_is_read_whatever_its_type_says(server: Server, tmp_path: Path) -> None:
    left = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": "1790000000"}
    server.answer = lambda _: web.Response(text='{"meta": {}}', content_type="text/plain", headers=left)
    assert await mentions(config(server, tmp_path)) == Answer({"meta": {}}, 0, 1_790_000_000)
    (request,) = server.seen
    assert request.path == "/2/users/1/mentions"
    assert request.headers["Authorization"] == "Bearer the-token"
    assert request.query["since_id"] == "5"
    assert "note_tweet" in request.query["tweet.fields"].split(",")
    assert "start_time" not in request.query


async def test_no_connection(tmp_path: Path, server: Server) -> None:
    with pytest.raises(NotSent) as caught:
        await mentions(config(server, tmp_path, api="http://127.0.0.1:1"))
    assert caught.value.reason == "no_connection"


async def test_an_address_that_is_not_public_is_not_connected_to(tmp_path: Path, server: Server) -> None:
    where = config(server, tmp_path, api=server.url.replace("127.0.0.1", "localhost"), allow_private=[])
    with pytest.raises(NotSent) as caught:
        await mentions(where)
    assert caught.value.reason == "address_not_allowed"
    assert not server.seen


@pytest.mark.parametrize("content", ["", "two\nlines", "schlüssel"])
async def test_a_file_that_holds_no_key(tmp_path: Path, server: Server, content: str) -> None:
    made = config(server, tmp_path)
    (tmp_path / "bearer_token_file").write_text(content, "utf-8")
    with pytest.raises(TokenRefused):
        await mentions(made)
    assert not server.seen
