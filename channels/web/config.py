"""The block `channels.web` of config.yaml. May hold limits only: nothing here changes a request's meaning."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from channels.fields import ZoneName
from normalizer.ticket import TEXT_MAX

MIB = 1024 * 1024

TYPES = (
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "image/bmp",
    "image/tiff",
    "image/heic",
    "image/avif",
    "application/pdf",
    "application/ofd",
    "application/rtf",
    "application/msword",
    "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint",
    "application/x-ole-storage",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.oasis.opendocument.presentation",
    "text/plain",
    "audio/mpeg",
    "audio/wav",
    "audio/amr",
    "audio/aac",
    "audio/mp4",
    "audio/ogg",
    "audio/x-flac",
    "video/mp4",
    "video/quicktime",
    "video/3gpp",
    "video/webm",
    "video/x-matroska",
    "video/mpeg",
    "video/vnd.avi",
)
"""What a citizen may attach, by the bytes and not by the name."""


class Limits(BaseModel):
    """A block whose unknown keys are errors that name their path."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class AttachmentLimits(Limits):
    """How many files a citizen may send with one submission, how large, and of which types."""

    max_count: int = Field(default=9, ge=0, description="Files in one submission")
    max_bytes: int = Field(default=10 * MIB, gt=0, description="Bytes of one file")
    max_total: int = Field(default=32 * MIB, gt=0, description="Bytes of all files of one submission")
    types: tuple[str, ...] = Field(default=TYPES, description="Media types, as sniffed from the bytes")


class WebConfig(Limits):
    """Limits of the form and the API."""

    max_json_bytes: int = Field(default=MIB, gt=0, description="Bytes of a request without attachments")
    max_text: int = Field(default=TEXT_MAX, gt=0, le=TEXT_MAX, description="Characters of the text")
    attachments: AttachmentLimits = AttachmentLimits()
    timezone: ZoneName = Field(
        default="Asia/Shanghai", description="Where a time on the form is local; left out: the site's"
    )
