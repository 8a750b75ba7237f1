"""`jiesu normalize`: what a file would become, without a server. May not store, send or number anything."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import bodies
from gateway.cli.common import ConfigFile, DataDir, emit, explained, settings

if TYPE_CHECKING:
    from channels.contract import Channel
    from gateway.config import Config
    from normalizer.ticket import Attachment, AttachmentRef


def normalize(
    channel: Annotated[str, typer.Argument(help="As whose submissions the files are read, such as web")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="web: one JSON body, or JSON Lines of them")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """One ticket JSON a line, or why there is none."""
    from gateway.registry import Registry

    with explained():
        chosen = settings(config, data_dir)
        only = chosen.model_copy(update={"channels": {channel: chosen.channels.get(channel, {})}})
        built = Registry().configured(only)[channel]
    for file in files:
        for document in _documents(built, chosen, file):
            emit({"file": str(file), **document})


def _documents(channel: Channel, config: Config, file: Path) -> list[dict[str, Any]]:
    from channels.listing import Listing

    try:
        found = bodies.listed(channel, file) if isinstance(channel, Listing) else bodies.submissions(channel.name, file)
    except OSError as error:
        return [_error("unreadable", error.strerror or type(error).__name__)]
    return [_document(channel, config, file, body) for body in found]


def _document(channel: Channel, config: Config, file: Path, body: bytes) -> dict[str, Any]:
    from normalizer.errors import Rejected

    try:
        return _ticket(channel, config, file, body)
    except Rejected as error:
        return _error(error.code, error.detail)
    except Exception as error:  # a bug of a channel; its message may quote the citizen
        return _error("exception", type(error).__name__)


def _ticket(channel: Channel, config: Config, file: Path, body: bytes) -> dict[str, Any]:
    from normalizer import Raw, identity, pipeline

    now = datetime.now(config.zone)
    raw = Raw(
        channel=channel.name,
        source_id=_name(channel, body)
        or "file:" + identity.content_digest(file.name.encode("utf-8", "surrogateescape"), body),
        received_at=now,
        body=body,
        content_type=bodies.content_type(channel.name, file),
    )
    inbound = channel.parse(raw)
    if inbound.set_aside is not None:
        return _error(inbound.set_aside.code, inbound.set_aside.detail)
    ticket = pipeline.normalize(
        raw,
        inbound,
        number=identity.number(now.date(), 0, 0),
        attachments=tuple(_reference(attachment, now) for attachment in inbound.attachments),
        config=config.normalizer,
    )
    return ticket.model_dump(mode="json")


def _name(channel: Channel, body: bytes) -> str | None:
    """As the channel names what it receives, where a body alone tells."""
    from channels.listing import Listing

    return channel.source_id(body) if isinstance(channel, Listing) else None


def _reference(attachment: Attachment, now: datetime) -> AttachmentRef:
    """As the gateway would name its blobs, which are not written here."""
    from hashlib import sha256

    from normalizer.attachment import describe
    from normalizer.ticket import AttachmentRef

    facts = describe(attachment)
    folder = f"{now:%Y/%m/%d}"
    digest = sha256(attachment.content).hexdigest()
    return AttachmentRef(
        name=attachment.name,
        media_type=facts.media_type,
        size=len(attachment.content),
        sha256=digest,
        blob=f"{folder}/{digest}",
        public_blob=f"{folder}/{sha256(facts.public_copy).hexdigest()}" if facts.public_copy else None,
        lat=facts.lat,
        lon=facts.lon,
    )


def _error(code: str, detail: str | None) -> dict[str, Any]:
    return {"error": {"code": code, "detail": detail}}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(normalize)
