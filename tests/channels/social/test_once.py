"""A request whose connection breaks is not repeated unseen: whoever counts calls counts all of them."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from channels.social.once import once


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_broken_connection_is_one_call(method: str) -> None:
    calls: list[str] = []

    async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append((await reader.readline()).decode())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(breaks, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    async with server, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.request(method, f"http://{host}:{port}/", middlewares=(once(),))
    assert len(calls) == 1


async def test_what_answers_is_read() -> None:
    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answers, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    async with (
        server,
        aiohttp.ClientSession() as session,
        session.get(f"http://{host}:{port}/", middlewares=(once(),)) as response,
    ):
        assert await response.text() == "ok"
