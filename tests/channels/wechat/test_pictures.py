"""Pictures come with their message, from listed hosts only, and never cost the answer."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from channels.wechat import Wechat
from normalizer.ticket import Raw
from tests.channels.wechat.callbacks import NOW, push, running
from tests.channels.wechat.wechats import PLAIN, message

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@asynccontextmanager
async def picture_host(slow: asyncio.Event | None = None) -> AsyncIterator[tuple[str, list[str]]]:
    asked: list[str] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        if slow is not None:
            await slow.wait()
        return web.Response(body=PNG, content_type="image/jpeg")

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        if slow is not None:
            slow.set()
        await runner.cleanup()


async def test_a_picture_comes_with_its_message() -> None:
    async with picture_host() as (at, asked):
        settings = {"picture_hosts": [at], "allow_private": ["127.0.0.0/8"]}
        async with running(**settings) as (host, client):
            body = message("image", PicUrl=f"http://{at}/mmbiz_jpg/abc/0", MediaId="m")
            assert (await push(client, body))[0] == 200
            (kept,) = host.taken.values()
            inbound = Wechat(Wechat.config_type.model_validate(PLAIN)).parse(kept)
            assert [one.content for one in inbound.attachments] == [PNG]
            assert inbound.notes == ()
            assert asked == ["/mmbiz_jpg/abc/0"]
            # A second try without its picture is the same submission.
            bare = Wechat(Wechat.config_type.model_validate(PLAIN)).parse(
                Raw(channel="wechat", source_id=kept.source_id, received_at=NOW, body=body)
            )
            assert bare.digest == inbound.digest


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "file:///etc/passwd", "this is a url", "https://evil.example/"]
)
async def test_a_picture_from_elsewhere_is_not_fetched_and_the_message_is_taken(url: str) -> None:
    async with running() as (host, client):
        assert (await push(client, message("image", PicUrl=url)))[0] == 200
        (kept,) = host.taken.values()
        inbound = Wechat(Wechat.config_type.model_validate(PLAIN)).parse(kept)
        assert [note.code for note in inbound.notes] == ["picture_not_fetched"]


async def test_a_slow_picture_does_not_cost_the_answer() -> None:
    async with picture_host(asyncio.Event()) as (at, asked):
        settings = {"picture_hosts": [at], "allow_private": ["127.0.0.0/8"], "picture_seconds": 0.2}
        async with running(**settings) as (host, client):
            async with asyncio.timeout(4.5):  # WeChat waits 5 s
                assert (await push(client, message("image", PicUrl=f"http://{at}/slow")))[0] == 200
            assert asked == ["/slow"]
            assert len(host.taken) == 1
