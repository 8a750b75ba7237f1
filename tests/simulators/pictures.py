"""A host of pictures: any name gives one, and some names give what a picture host may do to whoever asks.

`missing-…` 404, `html-…` a page that says it is a JPEG, `redirect-…` 302 to another host, `huge-…` bytes without end,
`slow-…` nothing. May not know whose pictures they are.
"""

from __future__ import annotations

import asyncio
import io
import zlib
from functools import cache

from aiohttp import web
from PIL import Image

LONGEST = 30.0


@cache
def picture(name: str) -> bytes:
    """A small JPEG, another one for every name."""
    seed = zlib.crc32(name.encode())
    drawn = Image.new("RGB", (64, 48), (seed & 255, seed >> 8 & 255, seed >> 16 & 255))
    out = io.BytesIO()
    drawn.save(out, "JPEG", quality=80)
    return out.getvalue()


async def serve(request: web.Request) -> web.StreamResponse:
    """The handler of `…/{name}`."""
    name = request.match_info["name"]
    match name.partition("-")[0]:
        case "missing":
            return web.Response(status=404, text="Not Found")
        case "html":
            return web.Response(body=b"<html><script>1</script></html>", content_type="image/jpeg")
        case "redirect":
            return web.Response(status=302, headers={"Location": "http://localhost:1/elsewhere.jpg"})
        case "huge":
            return await _endless(request)
        case "slow":
            await asyncio.sleep(LONGEST)
    return web.Response(body=picture(name), content_type="image/jpeg")


async def _endless(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "image/jpeg"})
    await answer.prepare(request)
    await answer.write(picture("huge")[:200])
    try:
        while True:
            await answer.write(bytes(65_536))
    except ConnectionError:
        return answer
