"""Which stored files go with what: those that a view of a ticket names, those of a unit's letter and of an answer to a
citizen.

Pure. May not read a blob, and may not show a file that the view (workers/views.py) does not show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_SHA256_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is handed out. `size`: bytes of the original, of which this may be the public copy."""

    name: str
    media_type: str
    size: int
    blob: str

    @property
    def sha256(self) -> str:
        """Of the bytes that are handed out: it names the file within its ticket."""
        return self.blob[-_SHA256_LENGTH:]


def of_view(view: Mapping[str, Any]) -> Iterator[File]:
    """Every file that a view names in its `ticket` and its `history`, originals and public copies."""
    steps = (*view.get("history", ()), view["ticket"])
    for one in (file for step in steps for file in step.get("attachments") or ()):
        yield from (_file(one, blob) for blob in (one.get("blob"), one.get("public_blob")) if blob)


def of_letter(view: Mapping[str, Any], version: int) -> tuple[tuple[File, ...], tuple[str, ...]]:
    """The files for a unit's letter about the step that made this `version`, as its view has them, each once: those of
    the step, then the ticket's, the newest first. Beside them the names of those that it may not have."""
    steps = [one for one in view["history"] if one["version"] == version]
    named = [one for step in steps for one in step.get("attachments") or ()]
    each = {one["sha256"]: one for one in (*named, *reversed(view["ticket"]["attachments"]))}.values()
    shown = tuple(_file(one, one["blob"]) for one in each if one.get("blob"))
    return shown, tuple(one["name"] for one in each if not one.get("blob"))


def of_answer(data: Mapping[str, Any]) -> tuple[File, ...]:
    """The files of a reply (its event's data) as the citizen gets them: of a picture the copy without its metadata,
    for where a unit's people stood is nobody's business."""
    each = ((one, one.get("public_blob") or one.get("blob")) for one in data.get("attachments") or ())
    return tuple(_file(one, blob) for one, blob in each if blob)


def find(files: Iterable[File], sha256: str) -> File | None:
    """The file whose bytes have this hash. What was asked for is compared only, it never becomes a path."""
    return next((one for one in files if one.sha256 == sha256), None)


def _file(one: Mapping[str, Any], blob: str) -> File:
    return File(name=one["name"], media_type=one["media_type"], size=one["size"], blob=blob)
