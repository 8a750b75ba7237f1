"""What an attached file really is: its type by its bytes, where a photo was taken, a copy fit to be shown.

Nothing here trusts the sender's word, opens a file or raises: what cannot be understood is simply not said.
"""

from __future__ import annotations

import io
import unicodedata
import warnings
import zipfile
from dataclasses import dataclass
from math import isfinite
from typing import Final

import filetype
from PIL import ExifTags, Image, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from normalizer.ticket import Attachment

UNKNOWN: Final = "application/octet-stream"
NAME_MAX: Final = 200
PIXELS_MAX: Final = 64_000_000
"""A picture that would unpack to more pixels is a decompression bomb, or nothing a phone takes."""

_HEAD = 8192
_OLD_OFFICE = ("application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint")
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Members that tell one zipped document from another: their order is not fixed, their names are.
_ZIPPED = {
    "word/document.xml": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xl/workbook.xml": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ppt/presentation.xml": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "OFD.xml": "application/ofd",  # GB/T 33190, China's own page format
}
_MARKUP = (b"<!doctype", b"<html", b"<svg", b"<script", b"<?xml", b"<head", b"<body", b"<iframe")
_RENAMED = {"audio/x-wav": "audio/wav", "video/x-msvideo": "video/vnd.avi"}
# Formats a browser shows and Pillow writes. MPO is a telephone's JPEG with a second picture inside.
_SHOWN: Final = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WEBP", "GIF": "GIF", "BMP": "BMP"}
# Only these decoders ever see a stranger's bytes; importing them is what makes Pillow know them.
_READ: Final = tuple(
    decoder.format
    for decoder in (BmpImageFile, GifImageFile, JpegImageFile, PngImageFile, TiffImageFile, WebPImageFile)
)

_HARMLESS: Final = frozenset(
    {"application/pdf", "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint", "text/plain"}
    | {"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff", "image/heic", "image/heif"}
    | {"audio/mpeg", "audio/wav", "audio/amr", "audio/ogg", "audio/mp4", "audio/aac", "audio/m4a"}
    | {"video/mp4", "video/quicktime", "video/webm", "video/3gpp", "video/vnd.avi", *_ZIPPED.values()}
)
"""What no program runs as a page of ours: neither markup nor anything with scripts that a browser would start."""


@dataclass(frozen=True, slots=True)
class Described:
    """What we found out about an attachment.

    `media_type` is what the bytes are (`application/octet-stream` when we cannot tell); `lat`, `lon` are
    WGS 84 degrees as the camera recorded them; `public_copy` is the picture in the same format, upright,
    without any metadata, or None when it is no picture or could not be re-encoded.
    """

    media_type: str
    lat: float | None = None
    lon: float | None = None
    public_copy: bytes | None = None


def describe(attachment: Attachment) -> Described:
    """Type, GPS position and public copy of `attachment`. Never raises: a failure leaves its part out."""
    media_type = sniff(attachment.content)
    if not media_type.startswith("image/"):
        return Described(media_type)
    lat, lon, copy = _picture(attachment.content)
    return Described(media_type, lat, lon, copy)


def sniff(content: bytes) -> str:
    """The media type by the content's first bytes (and, for zipped documents, its members)."""
    found: str | None = filetype.guess_mime(content[:_HEAD])  # type: ignore[no-untyped-call]  # filetype ships no types
    if content[:8] == _OLE2 and found not in _OLD_OFFICE:
        return "application/x-ole-storage"
    if content[:4] == b"PK\x03\x04":
        return _zipped(content) or found or "application/zip"
    if found:
        return _RENAMED.get(found, found)
    return _plain(content)


def harmless(media_type: str) -> str:
    """The type under which a stranger's file may be handed out: what a browser might run is just bytes."""
    return media_type if media_type in _HARMLESS else UNKNOWN


def clean_name(name: str) -> str:
    """A file name without path, control or direction characters, 200 characters at most, never empty.

    The ending is kept when a long name is cut, so that people still recognise the kind of file.
    """
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in base)  # readers of mail drop other blanks
    kept = "".join(c for c in spaced if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp"})
    kept = kept.translate({ord(c): "_" for c in '<>:"|?*'}).strip(" .")
    if len(kept) <= NAME_MAX:
        return kept or "attachment"
    stem, dot, ending = kept.rpartition(".")
    if not dot or len(ending) > 16:
        return kept[:NAME_MAX]
    return stem[: NAME_MAX - len(ending) - 1] + dot + ending


def _zipped(content: bytes) -> str | None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())
    except Exception:  # zipfile raises whatever a broken archive leads it to
        return None
    return next((media_type for member, media_type in _ZIPPED.items() if member in names), None)


def _plain(content: bytes) -> str:
    """Text, markup that a browser might run, or unknown."""
    head = content[:_HEAD]
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_MARKUP):
        return "text/html"
    if not content or b"\0" in content or any(c < 9 or (13 < c < 32 and c != 27) for c in head):
        return UNKNOWN
    for charset in ("utf-8", "gb18030"):
        try:
            content.decode(charset)
        except UnicodeDecodeError:
            continue
        return "text/plain"
    return UNKNOWN


def _picture(content: bytes) -> tuple[float | None, float | None, bytes | None]:
    lat: float | None = None
    lon: float | None = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=_READ) as image:
                if image.width * image.height > PIXELS_MAX:
                    return None, None, None
                lat, lon = _position(image)
                return lat, lon, _public(image)
    except Exception:  # the picture is the sender's: Pillow may fail in any way, and then there is no copy
        return lat, lon, None


def _public(image: Image.Image) -> bytes | None:
    fmt = _SHOWN.get(image.format or "")
    if fmt is None:
        return None
    upright = ImageOps.exif_transpose(image)
    # A new image takes the pixels and nothing else: EXIF, XMP, comments and the second picture stay behind.
    bare = Image.new(upright.mode, upright.size)
    if upright.mode == "P" and (palette := upright.getpalette("RGB")) is not None:
        bare.putpalette(palette, "RGB")
    bare.paste(upright)
    out = io.BytesIO()
    if fmt == "JPEG":
        bare.save(out, fmt, quality=88)
    else:
        bare.save(out, fmt)
    return out.getvalue()


def _position(image: Image.Image) -> tuple[float | None, float | None]:
    """Where the picture was taken (EXIF 2.32 tags GPSLatitude, GPSLongitude and their references)."""
    try:
        gps = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
        lat = _degrees(gps[ExifTags.GPS.GPSLatitude], gps[ExifTags.GPS.GPSLatitudeRef], "S")
        lon = _degrees(gps[ExifTags.GPS.GPSLongitude], gps[ExifTags.GPS.GPSLongitudeRef], "W")
    except Exception:  # absent, or nonsense of any type
        return None, None
    # 0, 0 is what cameras write while they do not know yet.
    if (lat, lon) == (0, 0) or not (isfinite(lat) and isfinite(lon) and abs(lat) <= 90 and abs(lon) <= 180):
        return None, None
    return lat, lon


def _degrees(parts: tuple[float, float, float], reference: str, negative: str) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    return round(-value if reference.strip("\0 ").upper() == negative else value, 7)
