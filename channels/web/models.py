"""The web channel's request bodies as pydantic models: one source of validation and of OpenAPI schemas.

May not conclude anything: a field is what the citizen said.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
)

from channels.fields import Moment
from normalizer.ticket import TEXT_MAX

# NUL cannot be stored by every consumer downstream, and no keyboard types it.
ANY_WORDS: Final = r"^[^\u0000]*$"
_WORDS = {"pattern": ANY_WORDS}
# What `\s` leaves out in one of the two dialects that read it: Python's (the byte order mark), and ECMA-262's, which is
# JSON Schema's (some control characters).
_SPACE = r"\s\u001c-\u001f\u0085\ufeff"
_NOT_BLANK = {"pattern": rf"^[^\u0000]*[^\u0000{_SPACE}][^\u0000]*$", "minLength": 1}
_EMAIL = rf"^[^@{_SPACE}\u0000-\u001f\u007f-\u009f]+@[^@{_SPACE}\u0000-\u001f\u007f-\u009f]+$"
_CODE = r"^[A-Za-z2-7]{8}$"
BLANK: Final = re.compile(rf"[{_SPACE}]*")

MALFORMED: Final = "malformed"

KindWord = Literal["consultation", "help", "complaint", "report", "suggestion", "praise", "other"]


def _shaped(pattern: str) -> AfterValidator:
    """Checks the whole string: in Python, unlike ECMA-262, `$` lets a last line end pass."""
    shape = re.compile(pattern)

    def check(value: str) -> str:
        if not shape.fullmatch(value):
            raise ValueError(MALFORMED)
        return value

    return AfterValidator(check)


def _shape(value: object) -> str:
    return "text" if isinstance(value, str) else "object"


def _span_shape(value: object) -> str:
    return "span" if isinstance(value, dict | SpanForm) else "moment"


Words60 = Annotated[str, Field(max_length=60, json_schema_extra=_WORDS)]
Words200 = Annotated[str, Field(max_length=200, json_schema_extra=_WORDS)]
Words500 = Annotated[str, Field(max_length=500, json_schema_extra=_WORDS)]
Text = Annotated[str, Field(max_length=TEXT_MAX, json_schema_extra=_NOT_BLANK)]
Email = Annotated[str, Field(max_length=254, json_schema_extra={"pattern": _EMAIL}), _shaped(_EMAIL)]
Code = Annotated[str, Field(json_schema_extra={"pattern": _CODE}), _shaped(_CODE)]


class Body(BaseModel):
    """Nothing is coerced and nothing is ignored: a field that we would not keep must not look accepted."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, allow_inf_nan=False)


class PlaceForm(Body):
    """Where it is about, as far as the sender knows (WGS 84 degrees)."""

    text: Words500 | None = None
    province: Words60 | None = None
    city: Words60 | None = None
    district: Words60 | None = None
    street: Words200 | None = None
    detail: Words500 | None = None
    lat: float | None = Field(default=None, ge=-90, le=90)
    lon: float | None = Field(default=None, ge=-180, le=180)


class SpanForm(Body):
    """When it happened, as a span; the two ends may come in either order."""

    start: Moment
    end: Moment | None = None


class Message(Body):
    """What every submission has."""

    text: Text = Field(description="The citizen's own words")


class RequestForm(Message):
    """A new request, in JSON or as the fields of a form. Attachments come as files of a multipart body."""

    title: Words200 | None = None
    name: Words200 | None = None
    phone: Words60 | None = Field(default=None, description="As written; understood later")
    email: Email | None = None
    kind: KindWord | None = Field(default=None, description="What the citizen wants")
    category: Words200 | None = Field(default=None, description="Code of the site's taxonomy, or its words")
    place: (
        Annotated[Annotated[Words500, Tag("text")] | Annotated[PlaceForm, Tag("object")], Discriminator(_shape)] | None
    ) = None
    occurred_at: (
        Annotated[Annotated[Moment, Tag("moment")] | Annotated[SpanForm, Tag("span")], Discriminator(_span_shape)]
        | None
    ) = None
    anonymous: bool = Field(default=False, description="Nobody may be told who it was")
    confidential: bool = Field(default=False, description="The accused must not learn who it was")


class FollowUp(Message):
    """More about a request made before; `code` is the receipt's and proves that it is the same person."""

    code: Code = Field(description="The code of the receipt")
