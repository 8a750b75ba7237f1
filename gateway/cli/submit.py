"""`jiesu submit`: files to a running gateway, as that channel would receive them. May not touch spool or queue."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from gateway.cli import bodies
from gateway.cli.common import AsJson, ConfigFile, DataDir, emit, explained, fail, settings

if TYPE_CHECKING:
    import aiohttp

ATTEMPTS: Final = 6
PATHS: Final = {"web": "/api/v1/requests", "phone": "/api/v1/calls"}
AT_ONCE: Final = 16
PAUSE_MAX: Final = 10.0
"""Seconds between two attempts, whatever the server asks for."""


class Target(NamedTuple):
    """Where submissions go, and what every request says."""

    url: str
    headers: dict[str, str]


def submit(
    channel: Annotated[str, typer.Argument(help="web or phone")],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="One JSON body or transcript, or JSON Lines of them")
    ],
    url: Annotated[
        str | None, typer.Option("--url", help="Of the gateway; left out: the configured one", show_default=False)
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="A bearer token; left out: JIESU_TOKEN", show_default=False)
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Send files to a running gateway; the same file twice is the same request. Exit 1 if any was refused."""
    if channel not in PATHS:
        raise fail(f"channel {channel}: only {' and '.join(PATHS)} can be submitted to from here", 2)
    with explained():
        base = (url or settings(config, data_dir).public_url).rstrip("/")
        target = Target(base + PATHS[channel], _headers(channel, token_file))
        waiting = [(str(file), body) for file in files for body in bodies.submissions(channel, file)]
    if refused := asyncio.run(_send_all(target, waiting, as_json=as_json)):
        raise fail(f"{refused} of {len(waiting)} refused")


def _headers(channel: str, token_file: Path | None) -> dict[str, str]:
    """Raises OSError."""
    token = token_file.read_text("ascii").strip() if token_file else os.environ.get("JIESU_TOKEN", "")
    content_type = bodies.JSON if channel == "web" else bodies.BYTES
    return {"Content-Type": content_type} | ({"Authorization": f"Bearer {token}"} if token else {})


async def _send_all(target: Target, waiting: Sequence[tuple[str, bytes]], *, as_json: bool) -> int:
    """Sends all, a few at once, and prints the answers in order; returns how many were refused."""
    import aiohttp
    from rich.console import Console
    from rich.progress import Progress

    refused = 0
    progress = Progress(console=Console(stderr=True), transient=True)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
        with progress:
            bar = progress.add_task("submitting", total=len(waiting))
            for part in _parts(waiting):
                for answer in await asyncio.gather(*(_send(session, target, *one) for one in part)):
                    refused += "error" in answer
                    emit(answer) if as_json else typer.echo(_line(answer))
                    progress.advance(bar)
    return refused


def _parts(waiting: Sequence[tuple[str, bytes]]) -> Iterator[Sequence[tuple[str, bytes]]]:
    for start in range(0, len(waiting), AT_ONCE):
        yield waiting[start : start + AT_ONCE]


async def _send(session: aiohttp.ClientSession, target: Target, file: str, body: bytes) -> dict[str, Any]:
    """The receipt, or the last reason why there is none; the key makes every repetition harmless."""
    import aiohttp

    name = Path(file).name.encode("utf-8", "surrogateescape")
    headers = {**target.headers, "Idempotency-Key": sha256(name + b"\0" + body).hexdigest()}
    answer: dict[str, Any] = {}
    for attempt in range(ATTEMPTS):
        pause = min(0.2 * 2**attempt, PAUSE_MAX)
        try:
            async with session.post(target.url, data=body, headers=headers) as response:
                answer = {"file": file, **await _answer(response)}
                if response.status not in (429, 503):
                    return answer
                pause = _asked(response, pause)
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            answer = {"file": file, "error": {"code": "unreachable", "detail": type(error).__name__}}
        except (aiohttp.ClientError, ValueError) as error:
            return {"file": file, "error": {"code": "not_sent", "detail": type(error).__name__}}
        if attempt + 1 < ATTEMPTS:
            await asyncio.sleep(pause)
    return answer


async def _answer(response: aiohttp.ClientResponse) -> dict[str, Any]:
    try:
        document = await response.json(content_type=None)
    except ValueError:
        document = None
    if response.status in (200, 201) and isinstance(document, dict):
        return document
    problem = document if isinstance(document, dict) else {"code": "unexpected", "detail": response.reason}
    error = {"status": response.status, **{k: problem[k] for k in ("code", "detail", "errors") if k in problem}}
    return {"error": error}


def _asked(response: aiohttp.ClientResponse, otherwise: float) -> float:
    """Seconds of Retry-After (RFC 9110 10.2.3), as far as we are willing to wait."""
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), PAUSE_MAX) if asked.isascii() and asked.isdigit() else otherwise


def _line(answer: dict[str, Any]) -> str:
    if error := answer.get("error"):
        faults = "; ".join(f"{fault['pointer']} {fault['code']}" for fault in error.get("errors", ()))
        return f"{answer['file']}: refused: {error.get('code')}: {faults or error.get('detail')}"
    repeated = "  (known already)" if answer.get("duplicate") else ""
    warning = f"  call now: {', '.join(answer['call_now'])}" if answer.get("call_now") else ""
    return f"{answer['number']}  {answer['code']}  {answer['status_url']}{repeated}{warning}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(submit)
