"""Secrets out of files: a line each, more than one while a secret is being changed. Read anew when the file changed.

May not keep what is no longer in the file, nor say what is in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import structlog

from normalizer.errors import TryAgain

log = structlog.get_logger(__name__)

LATER: Final = 300.0
"""Seconds until an operator may have repaired it."""
_T = TypeVar("_T")


class Keys(Generic[_T]):
    """The lines of `file`, each read by `reader`, which raises ValueError for one that is no such secret."""

    def __init__(self, file: Path, reader: Callable[[str], _T]) -> None:
        self._file = file
        self._reader = reader
        self._as_of: tuple[int, int, int] | None = None
        self._keys: tuple[_T, ...] = ()

    def read(self) -> tuple[_T, ...]:
        """At least one. Raises TryAgain: the file cannot be read, or holds none."""
        try:
            found = os.stat(self._file)
            as_of = (found.st_mtime_ns, found.st_size, found.st_ino)
            if as_of != self._as_of:
                lines = [line.strip() for line in self._file.read_text("utf-8").splitlines()]
                self._keys = tuple(self._reader(line) for line in lines if line)
                self._as_of = as_of
        except (OSError, ValueError) as error:  # ValueError: also bytes that are no text
            self._as_of = None
            log.error("wechat_secret_unreadable", file=str(self._file), error=type(error).__name__)
            raise TryAgain(LATER, "a secret of the account cannot be read") from None
        if not self._keys:
            self._as_of = None
            log.error("wechat_secret_unreadable", file=str(self._file), error="empty")
            raise TryAgain(LATER, "a secret of the account is missing")
        return self._keys


def token_of(line: str) -> str:
    """A Token of 服务器配置: 3 to 32 letters and digits, says WeChat; any visible ASCII here. Raises ValueError."""
    if not (line.isascii() and line.isprintable() and " " not in line):
        raise ValueError("a token is one word of ASCII")
    return line
