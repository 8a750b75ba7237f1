"""The OpenAPI 3.1 document of the HTTP API, from the models that check the requests. May not serve it."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, Final

from openapi_pydantic import OpenAPI
from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from channels.alerts import AlertReceipt
from channels.desk import PATH, CameBy, DeskForm
from channels.phone.formats import READERS
from channels.phone.formats.call import CallDocument
from channels.web.config import WebConfig
from channels.web.models import ANY_WORDS, FollowUp, RequestForm
from channels.web.parse import FLAG_WORDS
from gateway import openapi_alarms, openapi_calls, openapi_life
from gateway.files_api import BELOW_A_TICKET
from gateway.openapi_parts import (
    JSON,
    TOKEN,
    File,
    Problem,
    file_of,
    json_answer,
    operation,
    problem,
    segment,
    submission,
)
from normalizer.ticket import Ticket

if TYPE_CHECKING:
    from gateway.config import Config

NDJSON: Final = "application/x-ndjson"
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


class Status(BaseModel):
    """How this gateway is."""

    status: str


class DeskUpload(RequestUpload):
    """A request that an operator types, as the parts of a form, with files."""

    came_by: CameBy


_ASKED: Final[tuple[type[BaseModel], ...]] = (
    CallDocument,
    FollowUp,
    FollowUpUpload,
    RequestForm,
    RequestUpload,
    DeskForm,
    DeskUpload,
    *openapi_life.FORMS,
    *openapi_calls.FORMS,
)
_ANSWERED: Final[tuple[type[BaseModel], ...]] = (
    Problem,
    Status,
    Ticket,
    AlertReceipt,
    *openapi_life.ANSWERS,
    *openapi_calls.ANSWERS,
    *openapi_alarms.ANSWERS,
)
_BOUND: Final[tuple[type[BaseModel], ...]] = (
    FollowUp,
    FollowUpUpload,
    RequestForm,
    RequestUpload,
    DeskForm,
    DeskUpload,
    *openapi_life.BOUND,
)
"""Forms with a text or files, whose limits are the site's."""


def document(config: Config) -> dict[str, Any]:
    """What this gateway serves to programs; the paths of a channel only while it is on."""
    limits = WebConfig.model_validate(config.channels.get("web", {}))
    by_channel = {"web": _web, "phone": _phone, "desk": _desk}
    paths = _health() | _tickets() | openapi_life.paths() | openapi_calls.paths() | openapi_alarms.paths()
    for name, describe in by_channel.items():
        paths |= describe() if name in config.channels else {}
    _, schemas = models_json_schema(_modes(), ref_template="#/components/schemas/{model}")
    for model in _BOUND:
        _bound(schemas["$defs"][model.__name__]["properties"], limits)
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


def _modes() -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    return [*((model, "validation") for model in _ASKED), *((model, "serialization") for model in _ANSWERED)]


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
    ready = operation("ready", "Whether a request would be accepted", {200: json_answer("Ready", "Status")})
    ready["responses"]["503"] = json_answer("Not ready", "Status")
    own = {"description": "OpenAPI 3.1", "content": {JSON: {"schema": {"type": "object"}}}}
    return {
        "/healthz": {"get": operation("health", "Whether the gateway lives", {200: json_answer("It lives", "Status")})},
        "/readyz": {"get": ready},
        "/api/v1/openapi.json": {"get": operation("openapi", "This document", {200: own})},
    }


def _tickets() -> dict[str, Any]:
    read = operation(
        "ticket", "A ticket as it is now", {200: json_answer("The ticket", "Ticket")}, (401, 403, 404, 503)
    )
    read["description"] = "Who asked is shown to a token that has the scope `personal` besides; else it is blotted out."
    reference = segment("reference", "Number or ticket id")
    read["parameters"] = [reference]
    read["security"] = TOKEN
    path = "/api/v1/tickets/{reference}"
    file = file_of("ticketFile", "A file of a ticket", reference)
    return {path: {"get": read}, f"{path}/{BELOW_A_TICKET}": {"get": file}}


def _web() -> dict[str, Any]:
    submit = submission("submit", "A new request", "RequestForm", "RequestUpload")
    more = submission("followUp", "More about a request made before", "FollowUp", "FollowUpUpload")
    more["parameters"].append(segment("number", "The receipt's number"))
    more["responses"]["404"] = problem(404)
    return {"/api/v1/requests": {"post": submit}, "/api/v1/requests/{number}/messages": {"post": more}}


def _phone() -> dict[str, Any]:
    submit = submission("submitCall", "A telephone call with its transcript", "CallDocument")
    lines = {"schema": {"type": "string", "description": "A call a line, and an answer a line"}}
    submit["requestBody"]["content"] |= {NDJSON: lines}
    submit["responses"]["200"]["content"] |= {NDJSON: lines}
    submit["responses"] |= {str(status): problem(status) for status in (401, 403)}
    submit["parameters"].append(
        {
            "name": "format",
            "in": "query",
            "description": "Of the transcript; left out: recognised by its content",
            "schema": {"enum": [*READERS, "vcon"]},
        }
    )
    submit["security"] = TOKEN
    return {"/api/v1/calls": {"post": submit}}


def _desk() -> dict[str, Any]:
    enter = submission("enter", "A request that an operator types", "DeskForm", "DeskUpload")
    enter["responses"] |= {str(status): problem(status) for status in (401, 403)}
    enter["security"] = TOKEN
    return {PATH: {"post": enter}}
