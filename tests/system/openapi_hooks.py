"""What a schema cannot say, for Schemathesis: files of types that are taken, and one request per key."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.file_samples import FILE_SAMPLES
from schemathesis.specs.openapi.formats import Binary

UNIT = re.compile(r"[a-z0-9_]{1,40}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d.*")
KNOWN = {"lead": "d110102", "co": ["centre"], "cc": ["d110102"], "referral": "police_110"}
"""Units and a place to refer to that the running gateway's region has."""
TO_COME = "2126-01-01T00:00:00+08:00"
KEY = re.compile(r"[!#-\[\]-~]{1,255}")
SCALARS = (bool, int, float, type(None))

taken = st.sampled_from([FILE_SAMPLES[kind] for kind in ("png", "jpg", "gif", "pdf")]) | st.just("路灯坏了".encode())
schemathesis.openapi.format("binary", taken.map(Binary))


def name_what_is_there(body: dict[str, Any]) -> None:
    """A unit that could be, and a limit that is over, are refused, rightly: in their places, ones that are taken."""
    for name, known in KNOWN.items():
        given = body.get(name)
        words = given if isinstance(given, list) else [given]
        if words and all(isinstance(word, str) and UNIT.fullmatch(word) for word in words):
            body[name] = known if isinstance(known, str) == isinstance(given, str) else given
    if isinstance(until := body.get("until"), str) and MOMENT.fullmatch(until):
        body["until"] = TO_COME


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """The same valid key with other content is refused, rightly (draft-ietf-httpapi-idempotency-key-header-07).

    A part of a form is text: null is a word there; an object is a JSON part by default (OpenAPI 3.1.1, 4.8.15.1).
    Schemathesis looks again whether what is changed here is valid, which it does not do where there are files: so
    bodies that it means to be wrong have none.
    """
    positive = case.meta.generation.mode.is_positive
    if positive and case.query and "format" in case.query:
        case.query["format"] = "call"  # the body is one: named as another format it is refused, rightly
    if KEY.fullmatch(str((case.headers or {}).get("Idempotency-Key", ""))):
        case.headers["Idempotency-Key"] = uuid4().hex
    if isinstance(case.body, dict):
        name_what_is_there(case.body)
    if case.media_type == "multipart/form-data" and isinstance(case.body, dict):
        if not positive:
            words = {name: json.dumps(value) for name, value in case.body.items() if isinstance(value, SCALARS)}
            case.body = {name: value for name, value in (case.body | words).items() if name != "attachments"}
        objects = {name: "application/json" for name, value in case.body.items() if isinstance(value, dict)}
        case.multipart_content_types = (case.multipart_content_types or {}) | objects
