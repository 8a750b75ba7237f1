"""The tree of parts into what was said (text, HTML) and what came with it (files), as a reader of the mail sees it.

Pure and total. May not open what is encrypted, nor drop a part: what is no text of the mail is a file of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from channels.email import charsets, headers, html, pgp, structure, tnef
from channels.email.structure import Part
from normalizer.ticket import Attachment, Note

STEP: Final = "email"
TEXT_MAX: Final = 1_000_000
BYTES_MAX: Final = 6_000_000
"""Bytes of a text part that are read: enough for `TEXT_MAX` of any script, with markup."""

PLAIN, HTML, CALENDAR, MAIL = "text/plain", "text/html", "text/calendar", "message/rfc822"
_TNEF: Final = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_SMIME: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_SIGNATURES: Final = frozenset(
    {"application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"}
)
_ENCRYPTED: Final = "multipart/encrypted"
_PGP_VERSION: Final = "application/pgp-encrypted"
_ENDINGS: Final = {
    PLAIN: "txt", HTML: "html", "text/csv": "csv", "text/rfc822-headers": "txt", "text/enriched": "txt",
    "image/jpeg": "jpg", "image/jpg": "jpg", "image/pjpeg": "jpg", "image/png": "png", "image/gif": "gif",
    "image/bmp": "bmp", "image/webp": "webp", "image/tiff": "tif", "image/heic": "heic", "image/svg+xml": "svg",
    "audio/mpeg": "mp3", "audio/amr": "amr", "audio/wav": "wav", "audio/x-wav": "wav", "audio/mp4": "m4a",
    "video/mp4": "mp4", "video/quicktime": "mov", "video/3gpp": "3gp", "application/pdf": "pdf",
    "application/zip": "zip", "application/msword": "doc", "application/rtf": "rtf", "text/rtf": "rtf",
    "application/vnd.ms-excel": "xls", "application/json": "json", "application/xml": "xml", "text/xml": "xml",
    "text/vcard": "vcf", "text/x-vcard": "vcf", "application/pgp-signature": "asc", "application/pgp-keys": "asc",
}  # fmt: skip
_NAMES: Final = {
    CALENDAR: "invite.ics",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s",
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
    _PGP_VERSION: "version.txt",
    "message/delivery-status": "delivery-status.txt",
    "message/disposition-notification": "disposition-notification.txt",
}
_CMS: Final = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"
"""How the type of S/MIME content begins (RFC 5652 4); 2 behind it: signed data."""
_LETTERS: Final = re.compile(r"[\w]")


@dataclass(slots=True)
class Block:
    """One stretch of the mail: its plain text and its HTML, either may be missing."""

    plain: str = ""
    html: str = ""

    def text(self) -> str:
        return self.plain if self.plain.strip() or not self.html else html.to_text(self.html)


@dataclass(slots=True)
class Bodies:
    """What the tree held. `charset`: of the first text, a hint for raw bytes in the head; `spare`: texts of files that
    stand in when the mail itself says nothing; `wrapping`: those of the files that only hold the others together."""

    blocks: list[Block] = field(default_factory=list)
    files: list[Attachment] = field(default_factory=list)
    wrapping: list[Attachment] = field(default_factory=list)
    spare: list[str] = field(default_factory=list)
    notes: dict[str, Note] = field(default_factory=dict)
    encrypted: bool = False
    signed: bool = False
    calendar: bool = False
    charset: str | None = None

    def note(self, code: str, detail: str) -> None:
        self.notes.setdefault(code, Note(step=STEP, code=code, detail=detail))

    def text(self) -> str:
        said = [block.text().strip("\n") for block in self.blocks]
        return self._cut(self._unframed("\n\n".join(text for text in said if text.strip())))

    def seal(self) -> None:
        """Something in it is encrypted."""
        self.encrypted = True
        self.note("encrypted", "The mail or a part of it is encrypted; that part is kept as it came, unopened.")

    def sign(self) -> None:
        """It is signed, and can be read."""
        self.signed = True
        self.note("signed", "The mail is signed; the signature stands in the original and was not checked.")

    def html(self) -> str:
        return self._cut("\n".join(block.html for block in self.blocks if block.html))

    def _unframed(self, text: str) -> str:
        found = pgp.unframe(text)
        if found.encrypted:
            self.seal()
        if found.signed:
            self.sign()
        for at, sealed in enumerate(found.sealed, 1):
            name = "encrypted.asc" if at == 1 else f"encrypted-{at}.asc"
            self.files.append(_file(name, "application/octet-stream", sealed.encode()))
        return found.text.strip("\n")

    def _cut(self, text: str) -> str:
        if len(text) <= TEXT_MAX:
            return text
        self.note("text_cut", f"The text was cut after {TEXT_MAX} characters; the original mail is kept.")
        return text[:TEXT_MAX]


def read(root: Part) -> Bodies:
    """Everything in the tree, in the order it stands there."""
    found = Bodies()
    found.blocks = _blocks(root, found, "", 0)
    return found


def _blocks(part: Part, found: Bodies, parent: str, index: int) -> list[Block]:
    kind = part.content.value
    if not kind.startswith("multipart/"):
        return _leaf(part, found, parent, index)
    opened = part if part.is_multipart() else structure.reopened(part)
    if opened is None:
        return _unopened(part, found)
    if opened is not part:
        found.note("boundary_guessed", "The boundary that the mail names does not occur; another one was used.")
    if kind == "multipart/signed":
        found.sign()
    elif kind == _ENCRYPTED:
        found.seal()
    children = [child for child in opened.get_payload() if isinstance(child, Part)]
    each = [_blocks(child, found, kind, place) for place, child in enumerate(children)]
    blocks = [_chosen(each)] if kind == "multipart/alternative" else [block for blocks in each for block in blocks]
    return [block for block in blocks if block.plain or block.html]


def _chosen(alternatives: list[list[Block]]) -> Block:
    """RFC 2046 5.1.4: the same said twice or more. The first plain text and the last HTML."""
    plains = ["\n\n".join(block.plain for block in blocks if block.plain.strip()) for blocks in alternatives]
    pages = ["\n".join(block.html for block in blocks if block.html) for blocks in alternatives]
    return Block(next(filter(str.strip, plains), ""), next(filter(str.strip, reversed(pages)), ""))


def _unopened(part: Part, found: Bodies) -> list[Block]:
    """A multipart without any part, or nested too deep: its lines are all there is to read."""
    if part.depth >= structure.DEPTH_MAX:
        found.note("nested_too_deep", f"Parts nested deeper than {structure.DEPTH_MAX} levels were kept as one file.")
        found.files.append(_file("nested.txt", part.content.value, structure.content(part)))
        return []
    return [Block(_decoded(part, None, found))]


def _leaf(part: Part, found: Bodies, parent: str, index: int) -> list[Block]:
    kind = part.content.value
    if kind in (PLAIN, HTML) and _is_body(part, parent, index):
        return [_body(part, kind, found)]
    content = structure.content(part)
    name = file_name(part)
    if kind in _TNEF or name.lower() == "winmail.dat":
        return _winmail(content, name, kind, found)
    if kind in _SMIME or name.lower() == "smime.p7m":
        _mark_smime(part, content, found)
    found.calendar |= kind == CALENDAR
    if content or name or part.depth == 0:
        made_up = "encrypted.asc" if (parent, index) == (_ENCRYPTED, 1) else ""
        name = name or made_up or _made_up(kind, content, len(found.files) + 1)
        found.files.append(_file(name, kind, content))
        if (parent == "multipart/signed" and kind in _SIGNATURES) or (parent, kind) == (_ENCRYPTED, _PGP_VERSION):
            found.wrapping.append(found.files[-1])
    if kind.startswith("text/") and content.strip():
        found.spare.append(_spare(part, kind, found))
    return []


def _is_body(part: Part, parent: str, index: int) -> bool:
    """RFC 8621 4.1.4, but that a mail of nothing else than one text is that text, whatever it calls itself."""
    if part.depth == 0:
        return True
    if part.disposition.value == "attachment":
        return False
    return not file_name(part) or (index == 0 and parent != "multipart/digest")


def _body(part: Part, kind: str, found: Bodies) -> Block:
    if kind == HTML:
        content = structure.content(part)
        return Block(html=_decoded(part, html.charset(content), found, content))
    text = _decoded(part, None, found)
    if part.content.parameters.get("format", "").lower() == "flowed":
        text = unflowed(text, joint="" if part.content.parameters.get("delsp", "").lower() == "yes" else " ")
    return Block(plain=text)


def _decoded(part: Part, inner: str | None, found: Bodies, content: bytes | None = None) -> str:
    """A text part's characters; `inner` is the charset that the content itself names, asked when the field is mute."""
    content = structure.content(part) if content is None else content
    if len(content) > BYTES_MAX:
        found.note("text_cut", f"The text was cut after {BYTES_MAX} bytes; the original mail is kept.")
        cut = content.rfind(b"\n", 0, BYTES_MAX)
        content = content[: cut if cut > 0 else BYTES_MAX]
    label = part.content.parameters.get("charset") or inner
    decoded = charsets.decode(content, label)
    if found.charset is None and decoded.charset not in ("ascii", "utf_8"):
        found.charset = decoded.charset
    if decoded.guessed:
        found.note("charset_guessed", f"The charset is missing or false; read as {decoded.charset}.")
    if decoded.damaged:
        found.note("bytes_damaged", "Some bytes of the text make no character and were replaced.")
    return charsets.clean(decoded.text)


def unflowed(text: str, joint: str) -> str:
    """Lines that were wrapped for sending made whole again (RFC 3676 4.2); `joint`: what the blank at a line's end
    becomes. Quoted lines stay as they are."""
    whole: list[str] = []
    soft = False
    for line in text.split("\n"):
        quoted = line.startswith(">")
        bare = line[1:] if line.startswith(" ") and not quoted else line
        if soft and not quoted and bare != "-- ":
            whole.append(bare)
        else:
            whole.append(("\n" if whole else "") + bare)
        soft = bare.endswith(" ") and bare != "-- " and not quoted
        if soft:
            whole[-1] = whole[-1][:-1] + joint
    return "".join(whole)


def _spare(part: Part, kind: str, found: Bodies) -> str:
    text = _decoded(part, None, found)
    if kind == CALENDAR:
        return invitation(text)
    return html.to_text(text) if kind in (HTML, "text/enriched", "text/richtext") else text


def invitation(text: str) -> str:
    """What a calendar entry says to a person (RFC 5545 3.8.1): its summary, place and description."""
    unfolded = text.replace("\n ", "").replace("\n\t", "")
    wanted = ("SUMMARY", "LOCATION", "DESCRIPTION")
    said: dict[str, str] = {}
    for line in unfolded.split("\n"):
        name, colon, value = line.partition(":")
        if colon and (key := name.partition(";")[0].upper()) in wanted and value.strip():
            plain = re.sub(r"\\([\\;,])", r"\1", re.sub(r"\\[nN]", "\n", value)).strip()
            said.setdefault(key, plain)
    return "\n".join(said[key] for key in wanted if key in said)


def _winmail(content: bytes, name: str, kind: str, found: Bodies) -> list[Block]:
    """Outlook's own wrapping: the files inside take its place."""
    try:
        inside = tnef.unpack(content)
    except tnef.Unreadable:
        inside = tnef.Unpacked(whole=False)
    files = [
        _file(headers.one_line(one.name) or f"attachment-{at}", None, one.data)
        for at, one in enumerate(inside.files, 1)
    ]
    if inside.rtf and not (inside.text.strip() or inside.html.strip()):
        files.append(_file("message.rtf", "application/rtf", inside.rtf))
    if inside.text.strip() or inside.html.strip():
        found.spare.append(Block(inside.text, inside.html).text())
    if not inside.whole or not (files or found.spare):
        found.files.append(_file(name or "winmail.dat", kind, content))
        found.note("winmail_damaged", "winmail.dat could not be read whole; it is kept beside what could be had.")
    else:
        found.note("winmail_unpacked", "The files came wrapped in winmail.dat and were taken out of it.")
    found.files.extend(files)
    return []


def file_name(part: Part) -> str:
    """The name that the sender gave; "" for none. Content-Disposition knows better than Content-Type."""
    return part.disposition.parameters.get("filename") or part.content.parameters.get("name") or ""


def _made_up(kind: str, content: bytes, number: int) -> str:
    if kind == MAIL:
        subject = next(iter(_subjects(content)), "")
        return f"{subject[:80].replace('/', '_') or f'mail-{number}'}.eml"
    ending = _ENDINGS.get(kind) or ("eml" if kind.startswith("message/") else "bin")
    return _NAMES.get(kind) or f"attachment-{number}.{ending}"


def _subjects(content: bytes) -> Iterator[str]:
    head, _ = structure.split(content[: structure.FIELD_MAX])
    for one in structure.fields(head):
        name, _, value = one.partition(b":")
        if name.lower() == b"subject":
            yield headers.decode(value.decode("latin-1"))


def _file(name: str, kind: str | None, content: bytes) -> Attachment:
    return Attachment(name=name, declared_type=kind, content=content)


def _mark_smime(part: Part, content: bytes, found: Bodies) -> None:
    """RFC 8551 3.2.2; where the field does not say what it is, the content does. Certificates alone hide nothing."""
    said = part.content.parameters.get("smime-type", "").lower()
    if said.startswith("signed") or (not said and content[:32].find(_CMS + b"\x02") >= 0):
        found.signed = True
        found.note("signed_opaque", "The words of the mail are wrapped in its signature, which is kept unopened.")
    elif said not in ("certs-only", "compressed-data"):
        found.seal()
