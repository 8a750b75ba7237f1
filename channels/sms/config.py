"""The block `channels.sms` of config.yaml: how a vendor's HTTP API is asked, and what its answers mean.

May not hold a secret: files do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, JsonValue, PlainSerializer, field_validator, model_validator

from channels.addresses import Network, is_literal, permitted

PLACE: Final = re.compile(r"\{([a-z_]*)\}")
IN_BODY: Final = frozenset({"to", "text", "text_json", "number", "id", "secret", "time"})
IN_HEADERS: Final = frozenset({"id", "secret", "time"})
SIGNED: Final = frozenset({"id", "time", "body"})
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

Private = Annotated[Network, PlainSerializer(str, return_type=str, when_used="json")]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)


class Signature(_Block):
    """A header with an HMAC by the secret over `over`, in which {time}, {id} and {body} are filled in."""

    header: str = Field(pattern=_HEADER.pattern)
    over: str = Field(default="{time}.{body}", min_length=1)
    algorithm: Literal["sha256", "sha1"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = Field(default="", pattern=r"^[ -~]*$", description="Before the signature, such as sha256=")

    @field_validator("over")
    @classmethod
    def _known(cls, over: str) -> str:
        return _checked(over, SIGNED)


class Answers(_Block):
    """What the vendor's answers mean. An answer of an `accepted` status whose code is in no list is a failure for ever;
    one without a readable code says nothing: it is unknown whether the message went out."""

    status: tuple[int, ...] = Field(default=(200, 201, 202), min_length=1, description="Of a message that was taken")
    code: str | None = Field(
        default=None,
        description="Where the code stands in the JSON, such as SendStatusSet.0.Code; null: the status says all",
    )
    accepted: tuple[str, ...] = Field(default=(), description="Codes of a message that was taken")
    duplicate: tuple[str, ...] = Field(default=(), description="Codes: it was taken before under this id")
    temporary: tuple[str, ...] = Field(default=(), description="Codes: not taken now, the same later")
    not_allowed: tuple[str, ...] = Field(default=(), description="Codes: this number may not be written to")
    reference: str | None = Field(default=None, description="Where the vendor's name of the message stands")

    @model_validator(mode="after")
    def _codes_need_a_place(self) -> Self:
        lists = (self.accepted, self.duplicate, self.temporary, self.not_allowed)
        if self.code is None and any(lists):
            raise ValueError("lists of codes need `code`: where the code stands")
        if self.code is not None and not self.accepted:
            raise ValueError("`code` needs `accepted`: which codes mean that the message was taken")
        codes = [code for one in lists for code in one]
        if len(codes) != len(set(codes)):
            raise ValueError("a code stands in two lists")
        return self


class SmsConfig(_Block):
    """One vendor. Exactly one of `json` and `form` is the body; {to}, {text}, {number} (of the ticket), {id} (of this
    sending), {secret}, {time} (unix seconds) are filled in, {text_json} for JSON inside a text."""

    url: HttpUrl = Field(description="https (or http) address that messages are sent to; nothing is filled in here")
    method: Literal["POST", "PUT"] = "POST"
    headers: dict[str, str] = Field(default={}, description="{secret}, {id} and {time} are filled in")
    json_body: dict[str, JsonValue] | None = Field(default=None, alias="json", description="Sent as application/json")
    form: dict[str, str] | None = Field(default=None, description="Sent as application/x-www-form-urlencoded")
    user: str | None = Field(default=None, min_length=1, description="HTTP Basic with the secret as password")
    secret_file: Path | None = Field(default=None, description="One line, read anew for every message")
    signature: Signature | None = None
    answers: Answers = Answers()
    repeatable: bool = Field(
        default=False, description="The vendor sends two requests of one {id} once: then a doubtful one is repeated"
    )
    national: str = Field(
        default="", pattern=r"^(\+[0-9]{1,3})?$", description="Taken off the number, such as +86; empty: E.164"
    )
    prefix: str = Field(default="", max_length=30, description="Before every text: the signature that a vendor wants")
    max_chars: int = Field(default=300, ge=100, description="Longer ones are cut off")
    timeout: float = Field(default=15, gt=0, le=60, description="Seconds for one message")
    retry_after: float = Field(default=60, gt=0, description="Seconds, when the vendor takes none now")
    allow_private: tuple[Private, ...] = Field(
        default=(), description="Networks that are not public but may be called, e.g. 10.20.0.0/16"
    )

    @field_validator("headers")
    @classmethod
    def _headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER.fullmatch(name) or not value.isprintable() or not value.isascii():
                raise ValueError("a header is a name and one line of ASCII")
            _checked(value, IN_HEADERS)
        return headers

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.json_body is None) == (self.form is None):
            raise ValueError("exactly one of json and form is the body")
        places = {place for text in self._texts() for place in PLACE.findall(_checked(text, IN_BODY))}
        if "to" not in places or not places & {"text", "text_json"}:
            raise ValueError("the body must hold {to} and {text}")
        in_headers = {place for value in self.headers.values() for place in PLACE.findall(value)}
        if self.repeatable and "id" not in places | in_headers:
            raise ValueError("repeatable needs {id} in the body or a header")
        if self.secret_file is None and (
            self.signature is not None or self.user is not None or "secret" in places | in_headers
        ):
            raise ValueError("secret_file is missing")
        return self

    @model_validator(mode="after")
    def _address(self) -> Self:
        if self.url.username is not None or self.url.password is not None or self.url.fragment is not None:
            raise ValueError("url must have no user name, password or #fragment")
        host = (self.url.host or "").strip("[]")
        if is_literal(host) and not permitted(host, self.allow_private):
            raise ValueError("url names an address that is not public; allow_private must list its network")
        return self

    def _texts(self) -> Iterator[str]:
        yield from _texts(self.json_body if self.form is None else dict(self.form))


def _texts(value: JsonValue) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)


def _checked(text: str, known: frozenset[str]) -> str:
    """Raises ValueError: a place to fill in that there is not. Braces around anything else are text."""
    if strangers := [place for place in PLACE.findall(text) if place and place not in known]:
        raise ValueError(f"{{{strangers[0]}}} is not filled in here (known: {', '.join(sorted(known))})")
    return text
