"""The measure: an aiohttp application that decodes the same JSON and answers 201, on the same event loop as ours.

May not do anything else: every figure of the benchmark is a ratio to this.
"""

from __future__ import annotations

import asyncio
import os
import sys

import uvloop
from aiohttp import web


async def _answer(request: web.Request) -> web.Response:
    body = await request.json()
    return web.json_response({"received": len(body["text"])}, status=201)


async def _serve(port: int) -> None:
    application = web.Application()
    application.router.add_post("/api/v1/requests", _answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    uvloop.run(_serve(int(sys.argv[1])))
