"""The HTTP server: an RFC 9457 answer for whatever goes wrong, pages, and stopping."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.listener import bind
from normalizer.errors import Fault, Rejected, TryAgain
from tests.gateway.wire import one, problem, talk, whole_answer
from tests.ports import free_port
from tests.waiting import HANGS

Serve = Callable[..., Any]


# --- what goes wrong


def raising(error: BaseException) -> Any:
    async def handler(request: web.Request) -> web.Response:
        raise error

    return handler


async def test_our_bug_never_bounces_a_citizen(serve: Serve, written: Any) -> None:
    client = (await serve(one("POST", "/t/{number}", raising(ValueError("张三 13800138000"))))).client
    answer = await client.post("/t/20261123")
    body = await problem(answer, 503, "failed")
    assert int(answer.headers["Retry-After"]) > 0
    assert "张三" not in json.dumps(body, ensure_ascii=False)
    (event,) = written.take()
    assert (event["event"], event["error"], event["route"]) == ("handler_failed", "ValueError", "/t/{number}")
    assert "138" not in json.dumps(event)


@pytest.mark.parametrize("error", [TimeoutError(), OSError(5, "x"), KeyError("x"), RecursionError()])
async def test_any_other_exception_is_503_too(serve: Serve, error: Exception) -> None:
    client = (await serve(one("POST", "/x", raising(error)))).client
    await problem(await client.post("/x"), 503, "failed")


async def test_a_handler_that_returns_nothing_is_our_bug(serve: Serve) -> None:
    async def forgets(request: web.Request) -> Any:
        return None

    client = (await serve(one("GET", "/x", forgets))).client
    await problem(await client.get("/x"), 503, "failed")


async def test_the_two_errors_of_the_contract_are_answered_for_every_handler(serve: Serve) -> None:
    rejected = Rejected("missing", "Text is needed.", [Fault("/text", "missing", "Text is needed.")])
    client = (await serve(one("POST", "/x", raising(rejected)))).client
    body = await problem(await client.post("/x"), 422, "missing")
    assert body["errors"] == [{"pointer": "/text", "code": "missing", "detail": "Text is needed."}]

    client = (await serve(one("POST", "/x", raising(TryAgain(2.5))))).client
    answer = await client.post("/x")
    await problem(answer, 503, "try_again")
    assert answer.headers["Retry-After"] == "3"


async def test_a_redirect_may_be_raised_and_aiohttps_own_refusals_become_problems(serve: Serve) -> None:
    client = (await serve(one("GET", "/x", raising(web.HTTPSeeOther("/y"))))).client
    answer = await client.get("/x", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/y")
    client = (await serve(one("GET", "/x", raising(web.HTTPConflict())))).client
    await problem(await client.get("/x"), 409, "refused")


async def test_an_answer_that_had_begun_is_cut_off_not_patched_up(serve: Serve) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "10"})
        await answer.prepare(request)
        await answer.write(b"half")
        raise ValueError("x")

    running = await serve(one("GET", "/x", half))
    answer = await talk(running, b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nhalf")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad Header\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: nine\r\n\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_bad_http_is_a_problem_too_and_not_in_the_log(
    serve: Serve, echo: Any, written: Any, request_bytes: bytes
) -> None:
    running = await serve(one("POST", "/x", echo))
    answer = await talk(running, request_bytes)
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert b"application/problem+json" in answer
    assert b'"bad_http"' in answer
    assert written.text == ""


async def test_a_body_that_breaks_the_chunked_coding_is_given_up_on(serve: Serve, echo: Any) -> None:
    """aiohttp's C parser does not tell the reader of such a body: it looks like one that never arrives."""
    running = await serve(one("POST", "/x", echo), body_timeout=0.05)
    reader, writer = await asyncio.open_connection(running.host, running.port)
    writer.write(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n")
    answer = await whole_answer(reader)
    writer.close()
    assert answer.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert b"application/problem+json" in answer


async def test_a_client_that_leaves_is_not_an_error(serve: Serve, echo: Any, written: Any) -> None:
    arrived = asyncio.Event()
    left = asyncio.Event()

    async def reads(request: web.Request) -> web.Response:
        arrived.set()
        try:
            await request.read()
        finally:
            left.set()
        return web.Response()

    running = await serve(one("POST", "/x", reads))
    _, writer = await asyncio.open_connection(running.host, running.port)
    writer.write(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    await asyncio.wait_for(arrived.wait(), HANGS)
    writer.close()
    await asyncio.wait_for(left.wait(), HANGS)
    await running.listener.stop(1.0)
    assert written.text == ""


# --- pages


async def test_a_page_gets_the_headers_that_make_it_safe_and_keeps_its_own(serve: Serve) -> None:
    async def page(request: web.Request) -> web.Response:
        answer = web.Response(text="<p>", content_type="text/html")
        answer.headers["Cache-Control"] = "max-age=60"
        return answer

    answer = await (await serve(one("GET", "/", page))).client.get("/")
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "max-age=60"
    assert answer.headers["Server"] == "jiesu"


# --- stopping


async def test_stopping_finishes_what_is_under_way_and_accepts_no_more(serve: Serve) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        arrived.set()
        await go_on.wait()
        return web.Response(text="done")

    running = await serve(one("GET", "/x", slow))
    under_way = asyncio.create_task(running.client.get("/x"))
    await asyncio.wait_for(arrived.wait(), HANGS)
    stopping = asyncio.create_task(running.listener.stop(HANGS))
    while not await refused(running.port):
        await asyncio.sleep(0)
    assert not stopping.done()
    go_on.set()
    assert await (await under_way).text() == "done"
    await stopping


async def refused(port: int) -> bool:
    """Whether nobody listens there any more."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return True
    writer.close()
    return False


async def test_stopping_gives_up_on_a_handler_that_hangs_at_the_deadline(serve: Serve) -> None:
    arrived, cancelled = asyncio.Event(), asyncio.Event()

    async def hangs(request: web.Request) -> web.Response:
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return web.Response()

    running = await serve(one("GET", "/x", hangs))
    under_way = asyncio.create_task(running.client.get("/x"))
    await asyncio.wait_for(arrived.wait(), HANGS)
    await asyncio.wait_for(running.listener.stop(0.2), HANGS)  # else it would wait for ever: nobody ends the handler
    with pytest.raises(aiohttp.ClientError):
        await under_way
    await asyncio.wait_for(cancelled.wait(), HANGS)


async def test_serve_runs_until_cancelled_and_frees_its_port(serve: Serve, echo: Any) -> None:
    running = await serve(one("GET", "/x", echo))
    await running.listener.stop()
    port = free_port()  # nobody else is given it meanwhile
    sock = bind(("127.0.0.1", port))
    serving = asyncio.create_task(running.listener.serve(sock, deadline=1.0))
    async with aiohttp.ClientSession() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/x")).status == 200
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    bind(("127.0.0.1", port)).close()


def test_a_taken_address_is_an_error() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OSError, match="in use"):
            bind(other.getsockname())
