"""The HTTP server: routes, callers, limits, and an RFC 9457 answer for whatever goes wrong."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.auth import new_token
from gateway.listener import bind
from gateway.routes import NoMatch, Routes
from normalizer.errors import Fault, Rejected, TryAgain

Serve = Callable[..., Any]
BEHIND = {"X-Forwarded-For": "198.51.100.7"}


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
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


def one(method: str, path: str, handler: Any, scope: str | None = None) -> Routes:
    routes = Routes()
    routes.add(method, path, handler, scope)
    return routes


# --- routes


async def test_a_handler_sees_path_query_cookies_body_and_caller(serve: Serve, echo: Any) -> None:
    running = await serve(one("POST", "/t/{number}/add/{part}", echo))
    answer = await running.client.post(
        "/t/20261123/add/%E8%B7%AF%2F..", params={"q": "1"}, cookies={"c": "d"}, data=b"abc"
    )
    assert await answer.json() == {
        "path": {"number": "20261123", "part": "路/.."},
        "caller": "ip:127.0.0.1",
        "query": {"q": "1"},
        "cookies": {"c": "d"},
        "length": 3,
    }


async def test_an_exact_path_goes_before_a_template(serve: Serve, echo: Any) -> None:
    routes = one("GET", "/t/{number}", echo)
    routes.add("GET", "/t/help", echo)
    running = await serve(routes)
    assert (await (await running.client.get("/t/help")).json())["path"] == {}
    assert (await (await running.client.get("/t/7")).json())["path"] == {"number": "7"}


async def test_nothing_there_is_404_and_another_method_405_with_allow(serve: Serve, echo: Any) -> None:
    routes = one("GET", "/t/{number}", echo)
    routes.add("POST", "/t/{number}", echo)
    routes.add("DELETE", "/t/7", echo)
    running = await serve(routes)
    for path in ("/", "/t", "/t/", "/t/7/", "/T/7"):
        await problem(await running.client.get(path), 404, "not_found")
    for target in (b"//t/7", b"/t/../t/7", b"http://t/7"):
        raw = await talk(running, b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert raw.startswith(b"HTTP/1.1 404 "), target
    answer = await running.client.put("/t/7")
    await problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "DELETE, GET, HEAD, POST"


async def test_head_is_served_by_get_without_a_body(serve: Serve, echo: Any) -> None:
    running = await serve(one("GET", "/x", echo))
    answer = await running.client.head("/x")
    assert answer.status == 200
    assert int(answer.headers["Content-Length"]) > 0
    assert await answer.read() == b""


async def test_a_route_can_be_added_while_the_server_runs(serve: Serve, echo: Any) -> None:
    running = await serve(Routes())
    running.routes.add("GET", "/late", echo)
    assert (await running.client.get("/late")).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/x"),
        ("GET", "x"),
        ("GET", "/{a}/{a}"),
        ("GET", "/{A}"),
        ("GET", "/a{b}"),
        ("GET", "/a?b"),
        ("TRACE", "/x"),
    ],
)
def test_a_malformed_route_is_refused(echo: Any, method: str, path: str) -> None:
    with pytest.raises(ValueError, match=r"not a route|appears twice"):
        Routes().add(method, path, echo)


def test_a_path_can_be_taken_once_per_method(echo: Any) -> None:
    routes = one("GET", "/t/{number}", echo)
    routes.add("POST", "/t/{number}", echo)
    with pytest.raises(ValueError, match="already served"):
        routes.add("GET", "/t/{other}", echo)
    assert [route.method for route in routes.all()] == ["GET", "POST"]
    assert routes.match("GET", "/t") == NoMatch()


# --- who calls


async def test_a_scope_needs_a_token_that_has_it(serve: Serve, echo: Any, tmp_path: Path) -> None:
    token = new_token(tmp_path / "tokens.jsonl", ["tickets:read"])
    routes = one("GET", "/tickets", echo, "tickets:read")
    routes.add("GET", "/metrics", echo, "metrics:read")
    client = (await serve(routes)).client
    bearer = {"Authorization": f"Bearer {token}"}

    denied = await client.get("/tickets")
    await problem(denied, 401, "token_needed")
    assert denied.headers["WWW-Authenticate"] == 'Bearer realm="jiesu", scope="tickets:read"'
    denied = await client.get("/metrics", headers=bearer)
    await problem(denied, 403, "scope_needed")
    assert "insufficient_scope" in denied.headers["WWW-Authenticate"]
    granted = await client.get("/tickets", headers=bearer)
    assert (await granted.json())["caller"] == f"token:{token.split('.')[1]}"


async def test_on_a_public_route_a_token_names_the_caller_and_an_unknown_one_is_no_reason_to_refuse(
    serve: Serve, echo: Any, tmp_path: Path
) -> None:
    token = new_token(tmp_path / "tokens.jsonl", ["submit:web"])
    client = (await serve(one("POST", "/x", echo))).client
    known = await client.post("/x", headers={"Authorization": f"Bearer {token}"})
    assert (await known.json())["caller"] == f"token:{token.split('.')[1]}"
    for header in ("Bearer gone", "Basic dTpw"):
        unknown = await client.post("/x", headers={"Authorization": header})
        assert (await unknown.json())["caller"] == "ip:127.0.0.1"


async def test_behind_a_trusted_proxy_the_caller_is_the_client(serve: Serve, echo: Any) -> None:
    client = (await serve(one("GET", "/x", echo))).client
    assert (await (await client.get("/x", headers=BEHIND)).json())["caller"] == "ip:198.51.100.7"
    client = (await serve(one("GET", "/x", echo), trusted_proxies=())).client
    assert (await (await client.get("/x", headers=BEHIND)).json())["caller"] == "ip:127.0.0.1"


# --- how often


async def test_submissions_are_limited_per_client_and_reading_is_not(serve: Serve, echo: Any, clock: Any) -> None:
    routes = one("POST", "/x", echo)
    routes.add("GET", "/x", echo)
    client = (await serve(routes, burst=2)).client
    for _ in range(2):
        assert (await client.post("/x", headers=BEHIND)).status == 200
    refused = await client.post("/x", headers=BEHIND)
    await problem(refused, 429, "too_many_requests")
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["RateLimit"] == '"submissions";r=0;t=1'
    assert refused.headers["RateLimit-Policy"] == '"submissions";q=2;w=2'
    assert (await client.get("/x", headers=BEHIND)).status == 200
    assert (await client.post("/x", headers={"X-Forwarded-For": "198.51.100.8"})).status == 200
    clock.sleep(1)
    assert (await client.post("/x", headers=BEHIND)).status == 200


async def test_this_machine_and_token_holders_are_not_limited(serve: Serve, echo: Any, tmp_path: Path) -> None:
    token = new_token(tmp_path / "tokens.jsonl", ["submit:web"])
    client = (await serve(one("POST", "/x", echo), burst=1)).client
    for headers in ({}, BEHIND | {"Authorization": f"Bearer {token}"}):
        assert {(await client.post("/x", headers=headers)).status for _ in range(5)} == {200}


# --- how much


async def test_a_body_announced_too_large_is_refused_before_it_is_sent(serve: Serve, echo: Any) -> None:
    running = await serve(one("POST", "/x", echo), max_body_bytes=1000)
    reader, writer = await asyncio.open_connection(running.host, running.port)
    writer.write(b"POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in head
    writer.close()
    assert (await running.client.post("/x", data=b"x" * 1000)).status == 200


async def chunks(count: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


async def test_a_body_that_turns_out_too_large_is_refused(serve: Serve, echo: Any) -> None:
    client = (await serve(one("POST", "/x", echo), max_body_bytes=100_000)).client
    await problem(await client.post("/x", data=chunks(11, 10_000)), 413, "body_too_large")
    answer = await client.post("/x", data=chunks(10, 10_000))
    assert (await answer.json())["length"] == 100_000


async def test_a_handler_can_read_the_body_as_a_stream_announced_or_chunked(serve: Serve) -> None:
    async def count(request: web.Request) -> web.Response:
        total = 0
        async for chunk in request.content.iter_chunked(1000):
            total += len(chunk)
        return web.json_response(total)

    client = (await serve(one("POST", "/x", count))).client
    for data in (b"x" * 500_000, chunks(50, 10_000), b"", b"abc"):
        answer = await client.post("/x", data=data)
        assert await answer.json() == (len(data) if isinstance(data, bytes) else 500_000)


async def test_a_large_body_is_asked_for_with_100_continue(serve: Serve, echo: Any) -> None:
    running = await serve(one("POST", "/x", echo))
    reader, writer = await asyncio.open_connection(running.host, running.port)
    writer.write(b"POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"body")
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_a_compressed_body_is_refused_because_it_could_be_a_bomb(serve: Serve, echo: Any) -> None:
    client = (await serve(one("POST", "/x", echo))).client
    answer = await client.post("/x", data=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    await problem(answer, 415, "compressed_body")
    assert answer.headers["Accept-Encoding"] == "identity"


async def test_large_bodies_under_way_are_bounded_in_all_and_small_ones_pass(serve: Serve, echo: Any) -> None:
    running = await serve(one("POST", "/x", echo), max_inflight_bytes=150_000)
    reader, writer = await asyncio.open_connection(running.host, running.port)
    head = b"POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n"
    writer.write(head)
    await asyncio.wait_for(reader.readuntil(b"Continue\r\n\r\n"), 5)  # 100,000 bytes are now under way
    refused = await running.client.post("/x", data=b"x" * 100_000, expect100=True)
    await problem(refused, 503, "try_again")
    assert int(refused.headers["Retry-After"]) > 0
    assert (await running.client.post("/x", data=b"x" * 1000)).status == 200
    writer.write(b"x" * 100_000)
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 200 ")
    writer.close()
    assert (await running.client.post("/x", data=b"x" * 100_000, expect100=True)).status == 200


async def test_a_body_that_does_not_arrive_gets_408_and_the_connection_closed(serve: Serve, echo: Any) -> None:
    running = await serve(one("POST", "/x", echo), body_timeout=0.05)
    answer = await talk(running, b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"body_timeout"' in answer


async def test_a_client_that_says_nothing_is_hung_up_on(serve: Serve, echo: Any) -> None:
    running = await serve(one("GET", "/x", echo), keepalive_timeout=0.05)
    assert await talk(running, b"GET /x HT") == b""


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
    answer = await talk(running, b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n")
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
    await asyncio.wait_for(arrived.wait(), 5)
    writer.close()
    await asyncio.wait_for(left.wait(), 5)
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
    await asyncio.wait_for(arrived.wait(), 5)
    stopping = asyncio.create_task(running.listener.stop(5.0))
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
    await asyncio.wait_for(arrived.wait(), 5)
    started = time.monotonic()
    await running.listener.stop(0.2)
    with pytest.raises(aiohttp.ClientError):
        await under_way
    assert time.monotonic() - started < 2
    await asyncio.wait_for(cancelled.wait(), 5)


async def test_serve_runs_until_cancelled_and_frees_its_port(serve: Serve, echo: Any) -> None:
    running = await serve(one("GET", "/x", echo))
    await running.listener.stop()
    sock = bind(("127.0.0.1", 0))
    port = sock.getsockname()[1]
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
