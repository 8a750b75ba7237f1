"""Files on their way with an answer or a letter: what the channel carries goes along, the rest is named.

May not change an answer's words, only say behind them what is not enclosed and where it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from channels.contract import Reply
from channels.reply import Enclosing
from normalizer.attachment import harmless
from normalizer.ticket import Attachment
from workers.blobs import Blobs
from workers.files import File
from workers.words import WORDS, language_of


def room_of(channel: object) -> int:
    """Bytes of files that the channel sends with one answer."""
    return channel.files_max if isinstance(channel, Enclosing) else 0


def enclose(message: Reply, files: Sequence[File], blobs: Blobs, *, room: int, url: str) -> Reply:
    """`message` with those of the `files` that fit into `room`, in their order; the others are named, with the progress
    page's `url`. The same at every try. Raises OSError: a file that is there cannot be read."""
    enclosed, named = fitting(files, blobs, room)
    words = WORDS[language_of(message.language)]["files"]
    said: dict[str, object] = {"attachments": enclosed}
    if named:
        said["text"] = message.text + "\n\n" + words["text"].format(names=words["between"].join(named), url=url)
    if named and message.short is not None:
        said["short"] = message.short + words["behind"]
    return message.model_copy(update=said)


def fitting(files: Sequence[File], blobs: Blobs, room: int) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
    """Those of the `files` that fit into `room` bytes, in their order, and the names of the others. Raises OSError: a
    file that is there cannot be read."""
    enclosed: list[Attachment] = []
    named: list[str] = []
    for file in files:
        content = _content(file, blobs, room)
        if content is None:
            named.append(file.name)
        else:
            room -= len(content)
            enclosed.append(Attachment(name=file.name, declared_type=harmless(file.media_type), content=content))
    return tuple(enclosed), tuple(named)


def _content(file: File, blobs: Blobs, room: int) -> bytes | None:
    """None: it does not fit, or is not here (another host's, or expired)."""
    path = blobs.path(file.blob)
    try:
        return path.read_bytes() if 0 < room >= path.stat().st_size else None
    except FileNotFoundError:
        return None
