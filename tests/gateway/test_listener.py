"""The HTTP server: routes, callers and limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from channels.contract import SIGNED
from gateway.auth import new_token
from gateway.routes import NoMatch, Routes
from tests.gateway.wire import one, problem, talk, whole_answer
from tests.waiting import HANGS

Serve = Callable[..., Any]
BEHIND = {"X-Forwarded-For": "198.51.100.7"}


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


@pytest.mark.parametrize("path", ["/exact", "/with/{name}"])
def test_a_route_can_be_taken_away_and_added_again(echo: Any, path: str) -> None:
    """A channel that failed adds the same routes in its next run."""
    routes = one("GET", path, echo)
    routes.remove("GET", path)
    assert routes.match("GET", path.replace("{name}", "x")) == NoMatch()
    routes.add("GET", path, echo)
    assert not isinstance(routes.match("GET", path.replace("{name}", "x")), NoMatch)


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


async def test_a_platform_that_signs_needs_no_token_and_is_not_limited(serve: Serve, echo: Any) -> None:
    routes = Routes()
    routes.add("POST", "/x", echo, SIGNED)
    client = (await serve(routes, burst=1, max_body_bytes=1000)).client
    answers = [await client.post("/x", headers=BEHIND | {"Authorization": "Bearer nobody's"}) for _ in range(5)]
    assert {answer.status for answer in answers} == {200}
    assert {(await answer.json())["caller"] for answer in answers} == {"ip:198.51.100.7"}
    assert (await client.post("/x", data=b"x" * 1001)).status == 413


# --- how much


async def test_a_body_announced_too_large_is_refused_before_it_is_sent(serve: Serve, echo: Any) -> None:
    running = await serve(one("POST", "/x", echo), max_body_bytes=1000)
    reader, writer = await asyncio.open_connection(running.host, running.port)
    writer.write(b"POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HANGS)
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
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HANGS) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"body")
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HANGS)).startswith(b"HTTP/1.1 200 ")
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
    await asyncio.wait_for(reader.readuntil(b"Continue\r\n\r\n"), HANGS)  # 100,000 bytes are now under way
    refused = await running.client.post("/x", data=b"x" * 100_000, expect100=True)
    await problem(refused, 503, "try_again")
    assert int(refused.headers["Retry-After"]) > 0
    assert (await running.client.post("/x", data=b"x" * 1000)).status == 200
    writer.write(b"x" * 100_000)
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HANGS)).startswith(b"HTTP/1.1 200 ")
    writer.close()
    assert (await running.client.post("/x", data=b"x" * 100_000, expect100=True)).status == 200


async def test_a_body_of_unannounced_length_is_refused_while_it_comes(serve: Serve, written: Any) -> None:
    """The handler streams it, is told, and the client sees the answer although it goes on sending."""
    seen = 0

    async def stream(request: web.Request) -> web.Response:
        nonlocal seen
        async for chunk in request.content.iter_any():
            seen += len(chunk)
        return web.Response()

    running = await serve(one("POST", "/x", stream), max_body_bytes=1_000_000)
    answer = await running.client.post("/x", data=chunks(100, 100_000))
    await problem(answer, 413, "body_too_large")
    assert (answer.headers["Connection"], answer.headers["Server"]) == ("close", "jiesu")
    assert seen < 2_000_000, "at most one more read from the socket"
    assert written.text == ""


async def test_a_body_that_does_not_arrive_gets_408_and_the_connection_closed(
    serve: Serve, echo: Any, written: Any
) -> None:
    """And is not in the log: a slow client is no error of ours, and could fill it."""
    running = await serve(one("POST", "/x", echo), body_timeout=0.05)
    reader, writer = await asyncio.open_connection(running.host, running.port)
    writer.write(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nab")
    answer = await whole_answer(reader)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"body_timeout"' in answer
    assert b"Server: jiesu\r\n" in answer
    assert b"Connection: close\r\n" in answer
    writer.write(b"x" * 999_998)  # what comes late is dropped; were the socket closed, it would be met by a reset
    await writer.drain()
    assert await asyncio.wait_for(reader.read(), HANGS) == b""
    writer.close()
    assert written.text == ""


async def test_a_client_that_says_nothing_is_hung_up_on(serve: Serve, echo: Any) -> None:
    running = await serve(one("GET", "/x", echo), keepalive_timeout=0.05)
    assert await talk(running, b"GET /x HT") == b""
