"""Bytes too big for a database row: content-addressed files `YYYY/MM/DD/<sha256>`, durable before they are named.

May not delete a single blob: whole days expire by retention (`expire`), so nothing has to count references.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Final

from normalizer.attachment import describe
from normalizer.ticket import Attachment, AttachmentRef, BlobRef
from workers.durable import sync_directory

_DAY: Final = re.compile(r"\d{4}/\d{2}/\d{2}")


class Blobs:
    """A folder of blobs. Safe for any number of processes: a file appears whole, under the name of its content."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def keep(self, attachment: Attachment, day: date) -> AttachmentRef:
        """Store an attachment, and of an image a copy without its metadata. Raises OSError."""
        facts = describe(attachment)
        original = self.put(attachment.content, day)
        public = self.put(facts.public_copy, day) if facts.public_copy else None
        return AttachmentRef(
            name=attachment.name,
            media_type=facts.media_type,
            size=original.size,
            sha256=original.sha256,
            blob=original.blob,
            public_blob=public.blob if public else None,
            lat=facts.lat,
            lon=facts.lon,
        )

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

    def days(self) -> Iterator[date]:
        """The days that have a folder, in no order; what else lies there is none of ours."""
        for folder in self.root.glob("*/*/*"):
            name = folder.relative_to(self.root).as_posix()
            if _DAY.fullmatch(name) and folder.is_dir() and not folder.is_symlink():
                with suppress(ValueError):  # no day of the calendar
                    yield date.fromisoformat(name.replace("/", "-"))

    def expire(self, before: date, keep: Collection[str]) -> int:
        """Remove every day before `before`, except those of the blobs `keep` (references, as `BlobRef.blob`); returns
        how many days. An interrupted removal is finished by the next one.

        Raises:
            OSError: a folder cannot be removed.
        """
        kept = {ref[:10] for ref in keep}
        gone = [day for day in self.days() if day < before and f"{day:%Y/%m/%d}" not in kept]
        for day in gone:
            shutil.rmtree(self.root / f"{day:%Y/%m/%d}")
        # Only months that are over: in a running one somebody may be making the folder of a day just now.
        for month in {day.replace(day=1) for day in gone if day.replace(day=1) < before.replace(day=1)}:
            with suppress(OSError):  # it still has days
                (self.root / f"{month:%Y/%m}").rmdir()
                if month.year < before.year:
                    (self.root / f"{month:%Y}").rmdir()
        return len(gone)

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
