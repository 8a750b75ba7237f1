"""The drop folder: a complete file is one call; taken, fsynced, then moved to `done/`; refused, to `failed/`.

May not delete or change what was dropped, and takes no file that is still being written.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from channels.contract import Host
from channels.phone.config import PhoneConfig
from channels.phone.parse import CHANNEL, Site, understand
from normalizer.errors import Rejected, TryAgain
from normalizer.identity import content_digest
from normalizer.ticket import Raw

log = structlog.get_logger(__name__)

DONE: Final = "done"
FAILED: Final = "failed"
UNFINISHED: Final = (".tmp", ".part", ".partial", ".crdownload", ".filepart")
"""Endings under which programs write files that they rename when complete."""
NAME_MAX: Final = 220
"""Bytes of a name to which `.reason.json` and a counter can be added: most file systems allow 255."""
CUT_OFF: Final = frozenset({"json_invalid", "no_speech", "unknown_format", "encoding_unknown"})
"""What a file may look like of which only the beginning is there yet."""


class Inbox:
    """Looks into one folder until cancelled."""

    def __init__(self, folder: Path, host: Host, config: PhoneConfig, site: Site) -> None:
        self._folder = folder
        self._host = host
        self._config = config
        self._site = site
        self._seen: dict[Path, tuple[int, int, float]] = {}

    async def run(self) -> None:
        """Look, take what is complete, wait; while the gateway cannot accept, everything stays where it is."""
        while True:
            try:
                for path in await asyncio.to_thread(self._complete):
                    await self._take(path)
                pause = self._config.poll
            except TryAgain as error:
                pause = max(error.after, self._config.poll)
            except OSError as error:
                log.error("inbox_unreadable", error=type(error).__name__)
                pause = self._config.poll
            await asyncio.sleep(pause)

    def _complete(self) -> list[Path]:
        """Files that have not changed for `settle` seconds, the oldest first. Our own clock decides: a file copied
        with its old times is as new as any other."""
        for name in (DONE, FAILED):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        now = time.monotonic()
        self._seen = {path: self._since(path, state, now) for path, state in self._files()}
        ready = [path for path, (*_, since) in self._seen.items() if now - since >= self._config.settle]
        return sorted(ready, key=lambda path: (self._seen[path][1], path.name))

    def _since(self, path: Path, state: tuple[int, int], now: float) -> tuple[int, int, float]:
        """Since when the file is in this state."""
        before = self._seen.get(path)
        return (*state, before[2] if before is not None and before[:2] == state else now)

    def _files(self) -> Iterator[tuple[Path, tuple[int, int]]]:
        with os.scandir(self._folder) as entries:
            for entry in entries:
                unfinished = entry.name.startswith(".") or entry.name.lower().endswith(UNFINISHED)
                state = None if unfinished else _state_of(entry)
                if state is not None:
                    yield Path(entry.path), state

    async def _take(self, path: Path) -> None:
        """Raises TryAgain: nothing was accepted, the file stays. It stays too when anything else goes wrong (not ours
        to read, taken away again, no room in `done/`): the next file must not wait for it."""
        try:
            await self._accept(path)
        except TryAgain:
            raise
        except Exception as error:
            log.error("call_not_taken", error=type(error).__name__)

    async def _accept(self, path: Path) -> None:
        try:
            body = await asyncio.to_thread(self._read, path)
            if body is None:
                return
            raw = await asyncio.to_thread(self._submission, path.name, body)
            receipt = await self._host.accept(raw)
        except Rejected as error:
            if error.code not in CUT_OFF or self._quiet(path) >= self._config.patience:
                await asyncio.to_thread(self._fail, path, error)
        else:
            await asyncio.to_thread(self._move, path, DONE)
            log.info("call_taken", number=receipt.number)

    def _submission(self, name: str, body: bytes) -> Raw:
        """The call; or, when our own code fails at it, the bare file: that is parked, and replayed by newer code."""
        otherwise, now = f"file:{content_digest(os.fsencode(name), body)}", datetime.now(UTC)
        try:
            return understand(body, None, self._site).raw(body, None, otherwise, now)
        except Rejected:
            raise
        except Exception as error:
            log.error("call_not_understood", error=type(error).__name__)
            return Raw(channel=CHANNEL, source_id=f"transcript:{otherwise}", received_at=now, body=body)

    def _quiet(self, path: Path) -> float:
        """Seconds since which the file has not changed."""
        return time.monotonic() - self._seen[path][2]

    def _read(self, path: Path) -> bytes | None:
        """What the file holds; None when it changed since the look."""
        seen = self._seen[path][:2]
        if seen[0] > self._config.max_bytes:
            raise Rejected("body_too_large", f"A call may have {self._config.max_bytes} bytes at most.")
        with path.open("rb") as file:
            body = file.read(seen[0] + 1)
            facts = os.fstat(file.fileno())
        return body if (facts.st_size, facts.st_mtime_ns) == seen else None

    def _fail(self, path: Path, error: Rejected) -> None:
        """The reason first: a file in `failed/` without one would be a riddle."""
        target = _free(self._folder / FAILED / path.name)
        faults = [{"pointer": f.pointer, "code": f.code, "detail": f.detail} for f in error.faults]
        reason = {"code": error.code, "detail": error.detail, "errors": faults}
        target.with_name(f"{target.name}.reason.json").write_text(json.dumps(reason, ensure_ascii=False), "utf-8")
        os.replace(path, target)
        log.warning("call_refused", code=error.code)

    def _move(self, path: Path, folder: str) -> None:
        os.replace(path, _free(self._folder / folder / path.name))


def _state_of(entry: os.DirEntry[str]) -> tuple[int, int] | None:
    """Size and time of the last change; None for what is no file, or was taken away again."""
    if not entry.is_file(follow_symlinks=False):
        return None
    try:
        facts = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return facts.st_size, facts.st_mtime_ns


def _free(path: Path) -> Path:
    """The path, or one beside it with a counter, so that nothing is overwritten; a name so long that no ending fits
    any more is cut."""
    name = os.fsencode(path.name)
    if len(name) > NAME_MAX:
        path = path.with_name(name[:NAME_MAX].decode("utf-8", "ignore"))
    candidate, count = path, 1
    while candidate.exists():
        candidate = path.with_name(f"{path.stem}.{count}{path.suffix}")
        count += 1
    return candidate
