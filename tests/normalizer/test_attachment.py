"""An attachment is what its bytes are; a photo says where it was taken; its public copy does not."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from normalizer.attachment import Described, clean_name, describe, sniff
from normalizer.ticket import Attachment


def photo(fmt: str = "JPEG", *, lat: tuple[float, ...] = (26, 4, 30), refs: str = "NE", orientation: int = 1) -> bytes:
    """A 40 x 20 picture with a position, a camera's name and a comment."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "CAMERA-OF-ZHANG-SAN"
    exif[ExifTags.Base.Orientation] = orientation
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {
            ExifTags.GPS.GPSLatitudeRef: refs[0],
            ExifTags.GPS.GPSLatitude: lat,
            ExifTags.GPS.GPSLongitudeRef: refs[1],
            ExifTags.GPS.GPSLongitude: (119.0, 18.0, 0.0),
        }
    )
    out = io.BytesIO()
    Image.new("RGB", (40, 20), (200, 30, 30)).save(out, fmt, exif=exif)
    return out.getvalue()


def zipped(*members: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member in members:
            archive.writestr(member, "x")
    return out.getvalue()


def described(content: bytes, name: str = "a.jpg", declared: str | None = "image/png") -> Described:
    return describe(Attachment(name=name, declared_type=declared, content=content))


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP"])
def test_a_photo_tells_its_place_and_its_public_copy_tells_nothing(fmt: str) -> None:
    found = described(photo(fmt), declared="text/plain")
    assert found.media_type == f"image/{fmt.lower()}"
    assert (found.lat, found.lon) == (26.075, 119.3)
    assert found.public_copy is not None
    assert b"ZHANG-SAN" not in found.public_copy
    copy = Image.open(io.BytesIO(found.public_copy))
    assert copy.format == fmt
    assert copy.size == (40, 20)
    assert not copy.getexif()
    assert not copy.getexif().get_ifd(ExifTags.IFD.GPSInfo)


def test_the_public_copy_stands_upright_though_the_tag_that_said_so_is_gone() -> None:
    copy = described(photo(orientation=6)).public_copy
    assert copy is not None
    assert Image.open(io.BytesIO(copy)).size == (20, 40)


def test_south_and_west_are_negative() -> None:
    found = described(photo(refs="SW"))
    assert (found.lat, found.lon) == (-26.075, -119.3)


@pytest.mark.parametrize("lat", [(99.0, 0.0, 0.0), (1e9, 0.0, 0.0)])
def test_an_impossible_position_is_not_a_position(lat: tuple[float, ...]) -> None:
    found = described(photo(lat=lat))
    assert (found.lat, found.lon) == (None, None)
    assert found.public_copy is not None


def test_a_palette_picture_keeps_its_colours() -> None:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (0, 128, 255)).quantize().save(out, "GIF")
    copy = described(out.getvalue()).public_copy
    assert copy is not None
    assert Image.open(io.BytesIO(copy)).convert("RGB").getpixel((3, 3)) == (0, 128, 255)


def test_a_decompression_bomb_is_named_but_never_unpacked() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )
    assert described(bomb) == Described("image/png")


def test_half_a_photo_still_has_a_type_but_no_public_copy() -> None:
    assert described(photo()[:400]).public_copy is None


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1", b"GIF89a", b"PK\x03\x04"]),
)
def test_describe_never_raises(content: bytes, start: bytes) -> None:
    assert isinstance(described(start + content), Described)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"%PDF-1.7\n", "application/pdf"),
        ("路灯坏了\n".encode(), "text/plain"),
        ("路灯坏了\n".encode("gb18030"), "text/plain"),
        (b"<html><script>alert(1)</script>", "text/html"),
        (b"\xef\xbb\xbf  <svg onload=x>", "text/html"),
        (
            zipped("[Content_Types].xml", "docProps/app.xml", "word/document.xml"),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        (zipped("xl/workbook.xml"), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (zipped("OFD.xml"), "application/ofd"),
        (zipped("a.txt"), "application/zip"),
        (b"PK\x03\x04broken", "application/zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "application/x-ole-storage"),
        (b"MZ\x90\x00", "application/x-msdownload"),
        (b"#!AMR\n" + b"\x04" * 20, "audio/amr"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"\x00\x01\x02", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_the_bytes_decide_the_type(content: bytes, media_type: str) -> None:
    assert sniff(content) == media_type


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("照片.jpg", "照片.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\张三\\合同.pdf", "合同.pdf"),
        ("a\0b\r\nc.txt", "abc.txt"),
        ("gpj\u202eexe.jpg", "gpjexe.jpg"),
        ("...", "attachment"),
        ("", "attachment"),
        ('x<y>:"|?*.png', "x_y______.png"),
        ("长" * 300 + ".jpeg", "长" * 195 + ".jpeg"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_file_name_is_only_a_name(given_name: str, kept: str) -> None:
    assert clean_name(given_name) == kept
