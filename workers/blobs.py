"""Bytes too big for a database row: content-addressed files `YYYY/MM/DD/<sha256>`, durable before they are named.

May not delete a single blob: whole days expire by retention, so nothing has to count references.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from datetime import date
from pathlib import Path

from normalizer.ticket import BlobRef
from workers.durable import sync_directory


class Blobs:
    """A folder of blobs. Safe for any number of processes: a file appears whole, under the name of its content."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, content: bytes, day: date) -> BlobRef:
        """Store `content` under `day`; returns when file and directory are on disk.

        Raises:
            OSError: not stored (disk full …); nothing half-written remains under the blob's name.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        ref = BlobRef(blob=f"{day:%Y/%m/%d}/{sha256}", sha256=sha256, size=len(content))
        path = self.root / ref.blob
        if path.exists():
            sync_directory(path.parent)  # who wrote it may not have come that far yet
        else:
            self._make_folder(path.parent)
            self._write(path, content)
        return ref

    def get(self, ref: str) -> bytes:
        """The bytes of `ref`. Raises FileNotFoundError when the day has expired."""
        return self.path(ref).read_bytes()

    def path(self, ref: str) -> Path:
        """Where a blob lies. Raises ValueError for a reference that is no blob's."""
        BlobRef(blob=ref, sha256=ref[-64:], size=0)
        return self.root / ref

    def _make_folder(self, folder: Path) -> None:
        """Create a day's folder, each new level made durable in the level above."""
        if folder.exists():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True, mode=0o700)
        sync_directory(folder.parent)

    def _write(self, path: Path, content: bytes) -> None:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_directory(path.parent)
