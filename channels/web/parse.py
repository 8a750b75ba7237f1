"""A web submission's bytes into what the citizen said.

Pure: the same Raw gives the same Inbound. Raises Rejected only, with every fault at once; repeats no value.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, TypeAdapter, ValidationError

from channels.fields import NO_OFFSET, TIME_INVALID, Moment
from channels.web.bodies import (
    JSON,
    MULTIPART,
    URLENCODED,
    Parts,
    essence,
    multipart,
    pointer,
    refused,
    urlencoded,
)
from channels.web.config import AttachmentLimits, WebConfig
from channels.web.models import (
    BLANK,
    MALFORMED,
    Body,
    FollowUp,
    Message,
    PlaceForm,
    RequestForm,
    SpanForm,
)
from normalizer.attachment import sniff
from normalizer.errors import Fault, Rejected
from normalizer.identity import content_digest, is_number
from normalizer.ticket import Attachment, Inbound, Kind, Place, Raw, Requester, Span

FAULTS_MAX: Final = 50
HONEYPOT: Final = "leave_empty"
FORM_ONLY: Final = frozenset({"submission_id", HONEYPOT})
"""Fields of our own page that say nothing about the request."""

_FLAGS = ("anonymous", "confidential")
FLAG_WORDS: Final = {
    "true": True,
    "on": True,
    "1": True,
    "yes": True,
    "false": False,
    "off": False,
    "0": False,
    "no": False,
}
"""What a part of a form may say for yes and no, in any case of letters."""
_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?")
_JSON: TypeAdapter[object] = TypeAdapter(object)
_KEY_END = re.compile(rb'"[ \t\r\n]*:')
_PHONE_DIGITS = 7  # the shortest local number in China

_BY_PYDANTIC: Final = {
    "missing": ("missing", "The field is required."),
    "string_too_long": ("too_long", "At most {max_length} characters."),
    "extra_forbidden": ("unknown_field", "There is no such field."),
    "literal_error": ("unknown_word", "One of {expected}."),
    MALFORMED: ("malformed", "The value does not have the shape of this field."),
    "string_type": ("wrong_type", "A string is expected."),
    "bool_type": ("wrong_type", "true or false is expected."),
    "float_type": ("wrong_type", "A number is expected."),
    "model_type": ("wrong_type", "An object is expected."),
    "json_invalid": ("json_invalid", "The body is not JSON in UTF-8, or is nested too deeply."),
    NO_OFFSET: ("no_offset", "The offset from UTC is missing, as in 2026-11-23T09:30:00+08:00."),
    TIME_INVALID: ("time_invalid", "An RFC 3339 moment is expected, as in 2026-11-23T09:30:00+08:00."),
    "greater_than_equal": ("out_of_range", "{ge} or more."),
    "less_than_equal": ("out_of_range", "{le} or less."),
    "finite_number": ("out_of_range", "A finite number is expected."),
}
_BY_DATETIME = (TIME_INVALID, "There is no such moment.")
_OTHER = ("invalid", "The value cannot be understood.")

Form = TypeVar("Form", bound=Body)


def parse(raw: Raw, config: WebConfig) -> Inbound:
    """What the sender said. `raw.meta["follows"]` makes it a follow-up of that number; `raw.meta["via"]` is
    `form` when the fields are those of our own page.

    Raises:
        Rejected: every fault that could be found.
    """
    follows = raw.meta.get("follows")
    if follows is not None:
        return _follow_up(raw, follows, config)
    return request_of(*read_body(RequestForm, raw, config))


def request_of(form: RequestForm, files: list[Attachment]) -> Inbound:
    """What a new request says."""
    return Inbound(
        text=form.text,
        digest=_digest(form, files),
        title=_line(form.title),
        requester=Requester(
            name=_line(form.name),
            phone=_line(form.phone),
            email=_line(form.email),
            anonymous=form.anonymous,
            confidential=form.confidential,
        ),
        kind=Kind(form.kind) if form.kind else None,
        category=_line(form.category),
        place=_place(form.place),
        occurred_at=_span(form.occurred_at),
        attachments=tuple(files),
    )


def _follow_up(raw: Raw, number: str, config: WebConfig) -> Inbound:
    if not is_number(number):
        raise refused("number_invalid", "This is not the number of a request.")
    form, files = read_body(FollowUp, raw, config)
    return Inbound(
        text=form.text,
        digest=_digest(form, files, number.encode()),
        attachments=tuple(files),
        threads=(f"number:{number}",),
        senders=(f"code:{form.code.strip().upper()}",),
    )


def read_body(model: type[Form], raw: Raw, config: WebConfig) -> tuple[Form, list[Attachment]]:
    """The body as `model`, and its files, within the limits of `config`.

    Raises:
        Rejected: every fault that could be found.
    """
    faults: list[Fault] = []
    form, files = _read(model, raw, config, faults)
    if form is None or faults:
        raise _rejected(faults)
    return form, files


def _read(model: type[Form], raw: Raw, config: WebConfig, faults: list[Fault]) -> tuple[Form | None, list[Attachment]]:
    if not raw.body:
        raise refused("body_missing", "The request has no body.")
    media_type = essence(raw.content_type)
    if media_type == JSON:
        form = _validate(model, raw.body, faults)
        files: list[Attachment] = []
    elif media_type in (MULTIPART, URLENCODED):
        parts = read_form(raw)
        files = parts.files
        faults.extend(parts.faults)
        if raw.meta.get("via") == "form":
            _own_page(parts, config, faults)
        form = _validate(model, _as_json(parts, faults), faults)
        _check_files(files, config.attachments, faults)
    else:
        raise refused("content_type_unknown", "The body is neither JSON nor a form.")
    if isinstance(form, Message):
        _check_text(form.text, config.max_text, faults)
    return form, files


def read_form(raw: Raw) -> Parts:
    """The fields and files of a form body, unchecked.

    Raises:
        Rejected: the body cannot be read.
    """
    if essence(raw.content_type) == MULTIPART:
        return multipart(raw.body, raw.content_type)
    return urlencoded(raw.body)


def _validate(model: type[Form], body: bytes, faults: list[Fault]) -> Form | None:
    form: Form | None = None
    try:
        form = model.__pydantic_validator__.validate_json(body)
    except ValidationError as error:
        found = [_fault(model, one) for one in error.errors(include_url=False, include_input=False)]
        known = {fault.pointer for fault in faults}
        faults.extend(fault for fault in found if fault.pointer not in known)
        if any(fault.code == "json_invalid" for fault in found):
            return None
    # pydantic keeps the last of two equal keys, silently: one of the two would be lost (RFC 8259 4).
    for name in () if form is not None and _each_once(form, body) else _twice(body):
        at = pointer(name) if name in model.model_fields else ""
        faults.append(Fault(at, "duplicate_key", "A field is given twice."))
    if b"\\u0000" in body and form is not None:
        faults.extend(_nul(form.model_dump(exclude_none=True)))
    return form


def _each_once(form: BaseModel, body: bytes) -> bool:
    """Whether there are as many colons behind a quotation mark as fields that were set: then no key stands there
    twice, and the body need not be read again. Text may hold such colons too; they only cost the second reading."""
    nested = [value for value in form.__dict__.values() if isinstance(value, BaseModel)]
    return len(_KEY_END.findall(body)) == sum(len(one.model_fields_set) for one in (form, *nested))


def _twice(body: bytes) -> list[str]:
    twice: list[str] = []
    json.loads(body, object_pairs_hook=partial(_unique, twice))
    return twice


def _unique(twice: list[str], pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice.extend(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
    return found


def _nul(values: dict[str, Any], prefix: str = "") -> Iterable[Fault]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _nul(value, prefix + pointer(name))
        elif isinstance(value, list | tuple):
            yield from _nul({str(place): one for place, one in enumerate(value)}, prefix + pointer(name))
        elif isinstance(value, str) and "\0" in value:
            yield Fault(prefix + pointer(name), "nul", "The value holds a NUL character.")


def _fault(model: type[Body], error: Any) -> Fault:
    location = error["loc"]
    # The second step of a union's location is the branch, which is no part of the document.
    steps = (*location[:1], *location[2:]) if location[:1] in (("place",), ("occurred_at",)) else location
    # Our own validators raise their code.
    kind = str(error["ctx"]["error"]) if error["type"] == "value_error" else str(error["type"])
    code, detail = _BY_PYDANTIC.get(kind, _BY_DATETIME if kind.startswith("datetime") else _OTHER)
    return Fault("".join(pointer(str(step)) for step in steps), code, detail.format_map(error.get("ctx", {})))


def _check_text(text: str, limit: int, faults: list[Fault]) -> None:
    if BLANK.fullmatch(text):
        faults.append(Fault("/text", "missing", "The field is required."))
    elif len(text) > limit:
        faults.append(Fault("/text", "too_long", f"At most {limit} characters."))


def _as_json(parts: Parts, faults: list[Fault]) -> bytes:
    """The fields as one JSON object, so that one set of rules serves every content type."""
    members = []
    for name, value in parts.fields.items():
        if not value.strip():
            continue
        if name in parts.structured:
            try:
                _JSON.validate_json(value)
            except ValidationError:
                faults.append(Fault(pointer(name), "json_invalid", "The part is not JSON."))
                continue
            text = value
        elif name in _FLAGS and value.lower() in FLAG_WORDS:
            text = json.dumps(FLAG_WORDS[value.lower()])
        else:
            text = json.dumps(value)
        members.append(f"{json.dumps(name)}:{text}")
    return f"{{{','.join(members)}}}".encode()


def _own_page(parts: Parts, config: WebConfig, faults: list[Fault]) -> None:
    """What only our page sends: a trap for robots, local times, a telephone number typed by a person."""
    if parts.fields.get(HONEYPOT):
        faults.append(Fault(pointer(HONEYPOT), "not_empty", "This field must stay empty."))
    for name in FORM_ONLY:
        parts.fields.pop(name, None)
    when = parts.fields.get("occurred_at", "")
    if _LOCAL.fullmatch(when):
        try:
            local = datetime.fromisoformat(when).replace(tzinfo=ZoneInfo(config.timezone))
            parts.fields["occurred_at"] = local.isoformat()
        except (ValueError, OverflowError):
            faults.append(Fault("/occurred_at", *_BY_DATETIME))
    phone = parts.fields.get("phone", "").strip()
    if phone and sum(c.isdecimal() for c in phone) < _PHONE_DIGITS:
        faults.append(Fault("/phone", "malformed", "A telephone number has more digits."))


def _check_files(files: list[Attachment], limits: AttachmentLimits, faults: list[Fault]) -> None:
    if len(files) > limits.max_count:
        faults.append(Fault("/attachments", "too_many", f"At most {limits.max_count} files."))
    if sum(len(file.content) for file in files) > limits.max_total:
        faults.append(Fault("/attachments", "too_large", f"At most {limits.max_total} bytes together."))
    for index, file in enumerate(files[: limits.max_count]):
        at = f"/attachments/{index}"
        if not file.content:
            faults.append(Fault(at, "empty_file", "The file is empty."))
        elif len(file.content) > limits.max_bytes:
            faults.append(Fault(at, "too_large", f"At most {limits.max_bytes} bytes."))
        elif sniff(file.content) not in limits.types:
            faults.append(Fault(at, "type_not_allowed", "Files of this type are not taken."))


def _digest(form: Body, files: list[Attachment], *before: bytes) -> str:
    """Over the fields in the model's order and the files: equal however the sender wrote them down."""
    fields = form.__pydantic_serializer__.to_json(form, exclude_defaults=True)
    parts = [part for file in files for part in (file.name.encode("utf-8", "replace"), file.content)]
    return content_digest(*before, fields, *parts)


def _rejected(faults: list[Fault]) -> Rejected:
    shown = list(dict.fromkeys(faults))[:FAULTS_MAX]
    if len(shown) == 1:
        return Rejected(shown[0].code, shown[0].detail, shown)
    return Rejected("invalid", "More than one thing must be corrected.", shown)


def _line(value: str | None) -> str | None:
    return (value.strip() or None) if value else None


def _place(said: str | PlaceForm | None) -> Place | None:
    if said is None:
        return None
    if isinstance(said, str):
        return Place(text=said.strip()) if said.strip() else None
    place = Place(**said.model_dump())
    return None if place == Place() else place


def _span(said: Moment | SpanForm | None) -> Span | None:
    if said is None:
        return None
    if not isinstance(said, SpanForm):
        return Span(start=said)
    if said.end is None:
        return Span(start=said.start)
    return Span(start=min(said.start, said.end), end=max(said.start, said.end))
