"""The OpenAPI 3.1 document of the HTTP API, from the models that check the requests. May not serve it."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, Final

from openapi_pydantic import OpenAPI
from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from channels.alerts import AlertReceipt
from channels.phone.formats import READERS
from channels.phone.formats.call import CallDocument
from channels.problem import CONTENT_TYPE as PROBLEM
from channels.web.config import WebConfig
from channels.web.models import ANY_WORDS, FollowUp, RequestForm
from channels.web.parse import FLAG_WORDS
from normalizer.ticket import Ticket

if TYPE_CHECKING:
    from gateway.config import Config

JSON: Final = "application/json"
MULTIPART: Final = "multipart/form-data"
NDJSON: Final = "application/x-ndjson"
File = Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary", "minLength": 1})]
Flag = Annotated[bool, WithJsonSchema({"enum": list(FLAG_WORDS)})]
_NO: Final[dict[str, JsonValue]] = {"default": "false"}
_FIELDS: Final = RequestForm.model_fields


def _blank_for_null(schema: dict[str, Any]) -> None:
    """A part of a form cannot say null (RFC 7578 4.2): it is blank, as browsers send an empty field."""
    for part in schema["properties"].values():
        if "anyOf" in part:
            shapes = [shape for shape in part.pop("anyOf") if shape != {"type": "null"}]
            part.update(shapes[0] if shapes[0].get("pattern") == ANY_WORDS else {"anyOf": [*shapes, {"const": ""}]})


class RequestUpload(RequestForm):
    """A new request as the parts of a form, with files."""

    model_config = ConfigDict(json_schema_extra=_blank_for_null)

    anonymous: Flag = Field(default=False, description=_FIELDS["anonymous"].description, json_schema_extra=_NO)
    confidential: Flag = Field(default=False, description=_FIELDS["confidential"].description, json_schema_extra=_NO)
    attachments: tuple[File, ...] = ()


class FollowUpUpload(FollowUp):
    """More about a request as the parts of a form, with files."""

    attachments: tuple[File, ...] = ()


class ProblemFault(BaseModel):
    """One faulty field."""

    pointer: str = Field(description="RFC 6901; empty: the whole request")
    code: str = Field(description="For programs")
    detail: str


class Problem(BaseModel):
    """RFC 9457, with a `code` for programs and every faulty field."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[ProblemFault] | None = None


class Status(BaseModel):
    """How this gateway is."""

    status: str


_MODELS: Final[list[tuple[type[BaseModel], JsonSchemaMode]]] = [
    *((model, "validation") for model in (CallDocument, FollowUp, FollowUpUpload, RequestForm, RequestUpload)),
    *((model, "serialization") for model in (Problem, Status, Ticket, AlertReceipt)),
]
_PROBLEMS: Final = {
    400: "The body broke off, or HTTP itself is malformed",
    401: "No token, or none that is known",
    403: "The token does not allow this",
    404: "There is no such thing",
    408: "The body took too long",
    413: "The body is too large",
    415: "A content type that is not taken",
    422: "Every fault at once; or the key was used for other content",
    429: "Too many requests of this client",
    503: "Nothing was accepted: send the same request again",
}
_SUBMITTING: Final = (400, 408, 413, 415, 422, 429, 503)


def document(config: Config) -> dict[str, Any]:
    """What this gateway serves to programs; the paths of a channel only while it is on."""
    limits = WebConfig.model_validate(config.channels.get("web", {}))
    by_channel = {"web": _web, "phone": _phone}
    paths = _health() | _tickets()
    for name, describe in by_channel.items():
        paths |= describe() if name in config.channels else {}
    _, schemas = models_json_schema(_MODELS, ref_template="#/components/schemas/{model}")
    for name in ("FollowUp", "FollowUpUpload", "RequestForm", "RequestUpload"):
        _bound(schemas["$defs"][name]["properties"], limits)
    whole = OpenAPI.model_validate(
        {
            "openapi": "3.1.1",
            "info": {"title": config.site.name, "version": version("jiesu")},
            "servers": [{"url": config.public_url}],
            "externalDocs": {"url": f"{config.public_url}/docs", "description": "This document for people"},
            "paths": paths,
            "components": {
                "schemas": schemas["$defs"],
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            },
        }
    )
    return whole.model_dump(mode="json", by_alias=True, exclude_none=True)


def _bound(fields: dict[str, Any], limits: WebConfig) -> None:
    """The limits that are this site's configuration."""
    fields["text"]["maxLength"] = limits.max_text
    if "attachments" in fields:
        files = limits.attachments
        fields["attachments"]["maxItems"] = files.max_count
        fields["attachments"]["description"] = (
            f"Files, each of {files.max_bytes} bytes at most, {files.max_total} together, whose content is one of "
            f"{', '.join(files.types)}"
        )


def _health() -> dict[str, Any]:
    ready = _operation("ready", "Whether a request would be accepted", {200: _json("Ready", "Status")})
    ready["responses"]["503"] = _json("Not ready", "Status")
    own = {"description": "OpenAPI 3.1", "content": {JSON: {"schema": {"type": "object"}}}}
    return {
        "/healthz": {"get": _operation("health", "Whether the gateway lives", {200: _json("It lives", "Status")})},
        "/readyz": {"get": ready},
        "/api/v1/openapi.json": {"get": _operation("openapi", "This document", {200: own})},
    }


def _tickets() -> dict[str, Any]:
    read = _operation("ticket", "A ticket as it is now", {200: _json("The ticket", "Ticket")}, (401, 403, 404, 503))
    read["parameters"] = [_segment("reference", "Number or ticket id")]
    read["security"] = [{"bearer": []}]
    return {"/api/v1/tickets/{reference}": {"get": read}}


def _web() -> dict[str, Any]:
    submit = _submission("submit", "A new request", "RequestForm", "RequestUpload")
    more = _submission("followUp", "More about a request made before", "FollowUp", "FollowUpUpload")
    more["parameters"].append(_segment("number", "The receipt's number"))
    more["responses"]["404"] = _problem(404)
    return {"/api/v1/requests": {"post": submit}, "/api/v1/requests/{number}/messages": {"post": more}}


def _phone() -> dict[str, Any]:
    submit = _submission("submitCall", "A telephone call with its transcript", "CallDocument")
    lines = {"schema": {"type": "string", "description": "A call a line, and an answer a line"}}
    submit["requestBody"]["content"] |= {NDJSON: lines}
    submit["responses"]["200"]["content"] |= {NDJSON: lines}
    submit["responses"] |= {str(status): _problem(status) for status in (401, 403)}
    submit["parameters"].append(
        {
            "name": "format",
            "in": "query",
            "description": "Of the transcript; left out: recognised by its content",
            "schema": {"enum": [*READERS, "vcon"]},
        }
    )
    submit["security"] = [{"bearer": []}]
    return {"/api/v1/calls": {"post": submit}}


def _submission(name: str, summary: str, form: str, upload: str | None = None) -> dict[str, Any]:
    receipts: dict[int, dict[str, Any]] = {
        200: _json("It was accepted before: the same receipt", "AlertReceipt"),
        201: _json("It is on disk", "AlertReceipt"),
    }
    for receipt in receipts.values():
        receipt["headers"] = {"Location": {"description": "The progress page", "schema": {"type": "string"}}}
    operation = _operation(name, summary, receipts, _SUBMITTING)
    operation["parameters"] = [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "The same key and content is the same request",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[!#-\[\]-~]+$"},
        }
    ]
    content = {JSON: {"schema": _ref(form)}} | ({MULTIPART: {"schema": _ref(upload)}} if upload else {})
    operation["requestBody"] = {"required": True, "content": content}
    return operation


def _operation(
    name: str, summary: str, answers: dict[int, dict[str, Any]], problems: tuple[int, ...] = ()
) -> dict[str, Any]:
    responses = answers | {status: _problem(status) for status in problems}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {str(status): answer for status, answer in responses.items()},
    }


def _json(description: str, model: str) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": _ref(model)}}}


def _problem(status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": _PROBLEMS[status],
        "content": {PROBLEM: {"schema": _ref("Problem")}},
    }
    if status in (429, 503):
        answer["headers"] = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}
    return answer


def _segment(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": description, "schema": {"type": "string"}}


def _ref(model: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model}"}
