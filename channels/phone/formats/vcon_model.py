"""The shape of a vCon, versions 0.0.1 to 0.4.0 and without version, and every fault that a document has against it.

May not read what was said: it checks the members that a reader relies on and names those at fault by JSON pointer.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from channels.phone.formats.members import as_list, as_number, as_record
from normalizer.errors import Fault, Rejected

FAULTS_MAX: Final = 100
SHA512_BYTES: Final = 64
SUPPORTED_EXTENSIONS: Final = frozenset({"CC"})
"""What a vCon may call critical: the contact-centre extension, whose `role` we read."""

_VERSION: Final = re.compile(r"0\.0\.[1-9][0-9]?|0\.[1-3]\.[0-9]{1,2}|0\.4\.0")
_MEDIA_TYPE: Final = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}\s*(;.*)?", re.ASCII | re.DOTALL)
_ABSOLUTE_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
# Which members of a list's entries point into which list (vcon-core: Dialog, Analysis, Attachment Objects).
_REFERENCES: Final[Mapping[str, Mapping[str, str]]] = {
    "dialog": {
        "parties": "parties",
        "originator": "parties",
        "transferee": "parties",
        "transferor": "parties",
        "transfer_target": "parties",
        "transfer-target": "parties",
        "original": "dialog",
        "consultation": "dialog",
        "target_dialog": "dialog",
        "target-dialog": "dialog",
        "recordings": "dialog",
        "recording_set": "dialog",
    },
    "analysis": {"dialog": "dialog"},
    "attachments": {"party": "parties", "dialog": "dialog"},
}


def _timestamp(value: object) -> object:
    """RFC 3339; a missing zone is forgiven, since public writers of 0.0.1 leave it out."""
    try:
        return datetime.fromisoformat(value.strip().upper()) if isinstance(value, str) else _no_timestamp()
    except ValueError:
        return _no_timestamp()


def _no_timestamp() -> object:
    raise PydanticCustomError("date_time", "must be a date and time as in RFC 3339")


def _version(value: str) -> str:
    if not _VERSION.fullmatch(value):
        raise PydanticCustomError("version_unknown", "must be 0.0.1 to 0.4.0, or be left out")
    return value


def _supported(value: str) -> str:
    if value not in SUPPORTED_EXTENSIONS:
        raise PydanticCustomError("extension_unsupported", "is an extension that is not understood here")
    return value


def _media_type(value: str) -> str:
    if value and not _MEDIA_TYPE.fullmatch(value):
        raise PydanticCustomError("media_type", "must be a media type such as audio/wav")
    return value


def _url(value: str) -> str:
    if value and not _ABSOLUTE_URL.fullmatch(value):
        raise PydanticCustomError("url", "must be an absolute URL")
    return value


def _hashes(value: object) -> object:
    """content_hash since 0.0.2: `sha512-` and base64url, or a list of such."""
    for entry in value if isinstance(value, list) else [value]:
        algorithm, dash, digest = entry.partition("-") if isinstance(entry, str) else ("", "", "")
        if not dash or (algorithm.lower() == "sha512" and not _is_sha512(digest)):
            raise PydanticCustomError("content_hash", "must be an algorithm, a dash and the hash in base64url")
    return value


def _is_sha512(digest: str) -> bool:
    """In base64url as the drafts say, or in base64 or hexadecimal as public writers do."""
    try:
        if len(digest) == 2 * SHA512_BYTES:
            return len(bytes.fromhex(digest)) == SHA512_BYTES
        padded = digest.rstrip("=") + "=" * (-len(digest.rstrip("=")) % 4)
        return len(base64.b64decode(padded, altchars=_altchars(digest), validate=True)) == SHA512_BYTES
    except (ValueError, binascii.Error):
        return False


def _altchars(digest: str) -> bytes:
    return b"+/" if "+" in digest or "/" in digest else b"-_"


Timestamp = Annotated[datetime, BeforeValidator(_timestamp)]
MediaType = Annotated[str, AfterValidator(_media_type)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    """Members that we do not read are no business of ours; null says as much as leaving a member out."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, coerce_numbers_to_str=True)


class Party(_Part):
    """Who took part. `role` belongs to the contact-centre extension; older writers put it into `meta`."""

    tel: str | None = None
    sip: str | None = None
    mailto: str | None = None
    name: str | None = None
    role: object = None
    meta: object = None


class Content(_Part):
    """Bytes or text that a vCon carries inline (`body`) or names (`url`), with the member names of all versions."""

    mediatype: MediaType | None = None
    mimetype: MediaType | None = None
    filename: str | None = None
    body: object = None
    encoding: str | None = None
    url: Annotated[str, AfterValidator(_url)] | None = None
    content_hash: Annotated[object, AfterValidator(_hashes)] | None = None
    alg: str | None = None
    signature: str | None = None

    @property
    def media_type(self) -> str:
        """Without parameters, lower case, "" when not given."""
        return (self.mediatype or self.mimetype or "").partition(";")[0].strip().lower()

    @property
    def hash(self) -> str:
        """The content hash as the source writes it, "" when it gives none."""
        if isinstance(self.content_hash, list):
            return " ".join(map(str, self.content_hash))
        if self.content_hash is not None:
            return str(self.content_hash)
        return f"{self.alg or ''} {self.signature}".strip() if self.signature else ""


class Dialog(Content):
    """One stretch of the conversation, or one that did not come about."""

    type: Annotated[str, StringConstraints(min_length=1)]
    start: Timestamp
    duration: Seconds | None = None
    parties: object = None
    originator: object = None
    disposition: str | None = None
    meta: object = None


class Analysis(Content):
    """What somebody's software made of the conversation, a transcript above all."""

    type: Annotated[str, StringConstraints(min_length=1)]
    dialog: object = None
    vendor: str | None = None


class Attachment(Content):
    """A document that goes with the conversation; `type` is the old name of `purpose`."""

    purpose: str | None = None
    type: str | None = None
    dialog: object = None


class Prior(_Part):
    """The instance that this one amends or redacts."""

    uuid: str | None = None


class Vcon(_Part):
    """The unsigned form. `created_at` and `vcon` are not asked for: the working group's own examples lack them."""

    vcon: Annotated[str, AfterValidator(_version)] | None = None
    uuid: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None
    subject: str | None = None
    critical: tuple[Annotated[str, AfterValidator(_supported)], ...] | None = None
    must_support: tuple[Annotated[str, AfterValidator(_supported)], ...] | None = None
    redacted: Prior | None = None
    amended: Prior | None = None
    appended: Prior | None = None
    meta: object = None
    parties: tuple[Party, ...] = ()
    dialog: tuple[Dialog, ...] = ()
    analysis: tuple[Analysis, ...] = ()
    attachments: tuple[Attachment, ...] = ()


def indices(reference: object) -> list[int]:
    """The entries that a reference names: an index, a list of indices, or a list with lists (several channels)."""
    found: list[int] = []
    for entry in as_list(reference) or [reference]:
        found += (index for index in (as_list(entry) or [entry]) if type(index) is int)
    return found


def parse(document: object) -> Vcon:
    """The document as a vCon.

    Raises:
        Rejected: `vcon_invalid`, with all faults (the first 100), each with its JSON pointer.
    """
    vcon: Vcon | None = None
    faults: list[Fault] = []
    try:
        vcon = Vcon.model_validate(document)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        faults += [Fault(_pointer(entry["loc"]), entry["type"], entry["msg"]) for entry in errors[:FAULTS_MAX]]
    for fault in _across(document):
        if len(faults) >= FAULTS_MAX:
            break
        faults.append(fault)
    if vcon is None or faults:
        faults += _in_vendor_meta(document)
        raise Rejected("vcon_invalid", "This vCon is invalid; the pointers name what its maker must mend.", faults)
    return vcon


def _across(document: object) -> Iterator[Fault]:
    """What no member shows alone: references to entries that are not there, a hash that is none of its algorithm."""
    lists = as_record(document)
    for name, references in _REFERENCES.items():
        for number, entry in enumerate(as_list(lists.get(name))):
            record = as_record(entry)
            for member in references.keys() & record.keys():
                target = lists.get(references[member], [])
                if isinstance(target, list):
                    yield from _dangling(record[member], len(target), _pointer((name, number, member)), depth=0)
            if _is_wrong_hash(record.get("alg"), record.get("signature")):
                detail = "must be a SHA-512 hash in base64url, as `alg` says"
                yield Fault(_pointer((name, number, "signature")), "content_hash", detail)


def _is_wrong_hash(algorithm: object, digest: object) -> bool:
    """Of `alg` and `signature`, the names in 0.0.1; other algorithms than SHA-512 are nobody's standard."""
    sha512 = isinstance(algorithm, str) and algorithm.upper().replace("-", "") == "SHA512"
    return sha512 and isinstance(digest, str) and not _is_sha512(digest)


def _dangling(reference: object, count: int, pointer: str, depth: int) -> Iterator[Fault]:
    if reference is None:
        return
    if isinstance(reference, list) and depth < 2:
        for number, entry in enumerate(reference):
            yield from _dangling(entry, count, f"{pointer}/{number}", depth + 1)
    elif not isinstance(reference, int) or isinstance(reference, bool):
        yield Fault(pointer, "index_type", "must be the index of an entry")
    elif not 0 <= reference < count:
        yield Fault(pointer, "index_out_of_range", "is the index of no entry")


def _in_vendor_meta(document: object) -> Iterator[Fault]:
    """vCon defines no `meta`, so it never is the reason for a refusal; beside other faults its maker may want to know
    that this too cannot be what it says."""
    meta = as_record(as_record(document).get("meta"))
    if meta.get("duration") is not None and as_number(meta["duration"]) is None:
        yield Fault("/meta/duration", "number", "must be a number")
    if meta.get("call_started_on") is not None:
        try:
            _timestamp(meta["call_started_on"])
        except PydanticCustomError as error:
            yield Fault("/meta/call_started_on", error.type, error.message())


def _pointer(path: tuple[int | str, ...]) -> str:
    """RFC 6901."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
