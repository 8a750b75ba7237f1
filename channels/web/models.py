"""The web channel's request bodies as pydantic models: one source of validation and of OpenAPI schemas.

May not conclude anything: a field is what the citizen said.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
)

from normalizer.ticket import TEXT_MAX, Receipt

# NUL cannot be stored by every consumer downstream, and no keyboard types it.
_WORDS = {"pattern": r"^[^\u0000]*$"}
_NOT_BLANK = {"pattern": r"^[^\u0000]*[^\u0000\s][^\u0000]*$", "minLength": 1}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)?")

TIME_INVALID: Final = "time_invalid"
NO_OFFSET: Final = "no_offset"

KindWord = Literal["consultation", "help", "complaint", "report", "suggestion", "praise", "other"]


def _rfc3339(value: Any) -> Any:
    """RFC 3339 5.6: pydantic alone would also read bare dates and Unix seconds as moments."""
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(TIME_INVALID)
    if match[3] is None:
        raise ValueError(NO_OFFSET)
    return value


def _shape(value: object) -> str:
    return "text" if isinstance(value, str) else "object"


def _span_shape(value: object) -> str:
    return "span" if isinstance(value, dict | SpanForm) else "moment"


Words60 = Annotated[str, Field(max_length=60, json_schema_extra=_WORDS)]
Words200 = Annotated[str, Field(max_length=200, json_schema_extra=_WORDS)]
Words500 = Annotated[str, Field(max_length=500, json_schema_extra=_WORDS)]
Text = Annotated[str, Field(max_length=TEXT_MAX, json_schema_extra=_NOT_BLANK)]
Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s\u0000]+@[^@\s\u0000]+$")]
Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_rfc3339)]


class Body(BaseModel):
    """Nothing is coerced and nothing is ignored: a field that we would not keep must not look accepted."""

    # python-re: `\s` then means what str.strip strips, and what the published schema means to Python readers.
    model_config = ConfigDict(
        extra="forbid", strict=True, hide_input_in_errors=True, regex_engine="python-re", allow_inf_nan=False
    )


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

    code: str = Field(pattern=r"^[A-Za-z2-7]{8}$", description="The code of the receipt")


class WebReceipt(Receipt):
    """The receipt as the API answers it."""

    call_now: tuple[str, ...] = Field(
        default=(), description="Emergency numbers to call at once: tell the citizen before anything else"
    )
