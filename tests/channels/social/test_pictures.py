"""Pictures from a real server on loopback: within limits, from listed hosts, and never a reason to lose a post."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest
from aiohttp import web

from channels.social.envelope import Envelope, File, pack, unpack
from channels.social.pictures import Limits, Pictures
from normalizer.errors import Rejected

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
LOOPBACK = (ip_network("127.0.0.0/8"),)


@dataclass
class Server:
    """Serves one picture and several things that are none."""

    host: str = ""
    asked: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://{self.host}/{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.strip("/")
        self.asked.append(path)
        assert "Cookie" not in request.headers
        if path == "moved":
            raise web.HTTPFound("/a.png")
        if path == "gone":
            raise web.HTTPNotFound
        if path == "page.png":
            return web.Response(text="<html>sign in</html>", content_type="image/png")
        if path == "large.png":
            return web.Response(body=PNG + b"\0" * 100_000)
        if path == "broken.png":
            response = web.StreamResponse(headers={"Content-Length": "100000"})
            await response.prepare(request)
            await response.write(PNG)
            assert request.transport is not None
            request.transport.close()
            return response
        return web.Response(body=PNG)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    found = Server()
    app = web.Application()
    app.router.add_get("/{path:.*}", found.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.host = f"127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


async def test_pictures_are_fetched_in_order_and_the_rest_is_counted(server: Server) -> None:
    pictures = Pictures((server.host,), LOOPBACK, Limits(size=50_000))
    paths = ["a.png", "gone", "moved", "page.png", "large.png", "broken.png", "b.png"]
    fetched = await pictures.fetch([server.url(path) for path in paths])
    assert [file.url for file in fetched.files] == [server.url("a.png"), server.url("b.png")]
    assert {(file.media_type, file.content) for file in fetched.files} == {("image/png", PNG)}
    assert fetched.missing == 5
    assert sorted(server.asked) == sorted(paths), "a redirect is not followed, nothing is asked twice"


async def test_only_listed_hosts_and_public_addresses_are_asked(server: Server) -> None:
    assert (await Pictures(("*.example.com",), LOOPBACK).fetch([server.url("a.png")])).missing == 1
    assert (await Pictures((server.host,)).fetch([server.url("a.png")])).missing == 1
    assert (await Pictures(()).fetch([server.url("a.png"), "nonsense"])).missing == 2
    assert server.asked == []


async def test_there_is_an_end_to_number_and_bytes(server: Server) -> None:
    urls = [server.url(f"{n}.png") for n in range(5)]
    fetched = await Pictures((server.host,), LOOPBACK, Limits(count=3)).fetch(urls)
    assert (len(fetched.files), fetched.missing) == (3, 2)
    fetched = await Pictures((server.host,), LOOPBACK, Limits(total=2 * len(PNG))).fetch(urls)
    assert (len(fetched.files), fetched.missing) == (2, 3)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://wx1.sinaimg.cn/large/a.jpg", True),
        ("http://WX1.SinaImg.cn/large/a.jpg", True),
        ("http://sinaimg.cn/a.jpg", False),
        ("http://evilsinaimg.cn/a.jpg", False),
        ("http://wx1.sinaimg.cn.example.com/a.jpg", False),
        ("http://wx1.sinaimg.cn:8080/a.jpg", False),
        ("http://user:secret@wx1.sinaimg.cn/a.jpg", False),
        ("ftp://wx1.sinaimg.cn/a.jpg", False),
        ("//wx1.sinaimg.cn/a.jpg", False),
        ("http://[::1", False),
        ("\ud800", False),
        ("", False),
    ],
)
def test_what_may_be_asked(url: str, allowed: bool) -> None:
    assert Pictures(("*.sinaimg.cn",)).allows(url) is allowed


def test_an_envelope_is_read_as_it_was_packed() -> None:
    post = b'{"id": 5234567890123456, "text": "\\ud83c\\udd98"}'
    files = (File("http://x/a/1.png?b=c", "image/png", PNG), File("http://x/", "image/png", PNG))
    body = pack(post, files, missing=1)
    assert post in body
    found = unpack(json.loads(body))
    assert (found.post, found.files, found.missing) == (json.loads(post), files, 1)
    assert [one.name for one in found.attachments()] == ["1.png", "picture-2"]
    assert [note.code for note in found.notes("weibo", 3)] == ["picture_not_fetched"]


def test_a_bare_object_is_its_own_envelope() -> None:
    assert unpack({"post": 1}) == Envelope({"post": 1})
    assert Envelope({}).notes("weibo", 0) == ()
    assert "2" in Envelope({}).notes("weibo", 2)[0].detail


@pytest.mark.parametrize(
    "files",
    ["x", [1], [{}], [{"url": 1, "media_type": "a", "content": ""}], [{"url": "", "media_type": "", "content": "ä"}],
     [{"url": "", "media_type": "", "content": "A"}], [{}] * 51],
)  # fmt: skip
def test_a_damaged_envelope_is_refused(files: object) -> None:
    with pytest.raises(Rejected) as caught:
        unpack({"post": {}, "files": files})
    assert caught.value.code == "bad_envelope"


@pytest.mark.parametrize("missing", ["1", -1, True, 1.5, 10**6, None])
def test_a_count_is_a_count(missing: object) -> None:
    with pytest.raises(Rejected):
        unpack({"post": {}, "files": [], "missing": missing})
