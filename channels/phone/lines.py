"""A stream of NDJSON: line after line in, one answer a line out, in order and a few at a time.

May not know what a line holds, nor hold more than AT_ONCE of them.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from pydantic import BaseModel

from normalizer.errors import Fault, Rejected, TryAgain

AT_ONCE: Final = 16
"""Lines under way together: they share an fsync."""
RETRY_AFTER: Final = 5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not blank, without its end. `number` counts from 1, blank lines too. `too_long`: its body is
    left out."""

    number: int
    body: bytes
    too_long: bool = False


async def lines_of(chunks: AsyncIterable[bytes], limit: int) -> AsyncIterator[Line]:
    """The lines of a body that comes in `chunks`; a line over `limit` bytes is read over."""
    held, number = bytearray(), 1
    async for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            held += piece[: limit + 1 - len(held)]
            if (line := _line(number, held, limit)) is not None:
                yield line
            held, number = bytearray(), number + 1
        held += rest[: limit + 1 - len(held)]
    if (line := _line(number, held, limit)) is not None:
        yield line


def _line(number: int, held: bytearray, limit: int) -> Line | None:
    if len(held) > limit:
        return Line(number, b"", too_long=True)
    return Line(number, bytes(held)) if held and not held.isspace() else None


async def answer_in_order(
    lines: AsyncIterator[Line], take: Callable[[Line], Awaitable[BaseModel]]
) -> AsyncGenerator[bytes, None]:
    """What `take` gives for each line, or why it gave nothing, as one JSON object a line with the member `line`. An
    answer waits for those before it, not for the next line; what `lines` raises is raised after the last answer."""
    under_way: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue()
    places = asyncio.Semaphore(AT_ONCE)
    reading = asyncio.create_task(_begin(lines, take, under_way, places))
    try:
        while (first := await under_way.get()) is not None:
            yield await first
            places.release()
        await reading
    finally:
        left: list[asyncio.Task[Any]] = [reading]
        while not under_way.empty():
            left += filter(None, [under_way.get_nowait()])
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _begin(
    lines: AsyncIterator[Line],
    take: Callable[[Line], Awaitable[BaseModel]],
    under_way: asyncio.Queue[asyncio.Task[bytes] | None],
    places: asyncio.Semaphore,
) -> None:
    """Takes the next line only when there is a place for it; None ends the queue."""
    try:
        await places.acquire()
        async for line in lines:
            under_way.put_nowait(asyncio.create_task(_answer(line, take)))
            await places.acquire()
    finally:
        under_way.put_nowait(None)


async def _answer(line: Line, take: Callable[[Line], Awaitable[BaseModel]]) -> bytes:
    try:
        if line.too_long:
            raise Rejected("body_too_large", "The line is longer than a call may be.")
        said: dict[str, Any] = (await take(line)).model_dump(mode="json")
    except Rejected as error:
        said = {"error": {"code": error.code, "detail": error.detail, "errors": list(map(_fault, error.faults))}}
    except TryAgain as error:
        said = _again(math.ceil(error.after))
    except Exception as error:  # not on disk: the sender must keep it; the message may quote the citizen
        log.error("channel.not_accepted", error=type(error).__name__)
        said = _again(RETRY_AFTER)
    return json.dumps({"line": line.number, **said}, ensure_ascii=False).encode() + b"\n"


def _fault(fault: Fault) -> dict[str, str]:
    return {"pointer": fault.pointer, "code": fault.code, "detail": fault.detail}


def _again(seconds: int) -> dict[str, Any]:
    detail = "Nothing was accepted. Please send the same line again."
    return {"error": {"code": "try_again", "detail": detail, "retry_after": max(1, seconds)}}
