"""GET /docs: the OpenAPI document as a page for people; no script, nothing from elsewhere.

May not know an operation or a model: whatever the document says is shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from channels.contract import Handler
from channels.web.pages import CATALOGUE, HEADERS, STYLESHEET, static
from gateway.pages import environment

if TYPE_CHECKING:
    from gateway.config import Config

_SCHEMAS: Final = "#/components/schemas/"
_LIMITS: Final = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minimum": "from {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "up to {}",
    "exclusiveMaximum": "less than {}",
    "pattern": "matching {}",
    "default": "default {}",
}
"""Keywords of JSON Schema, and how their value is told."""
_QUOTED: Final = ("default",)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a sentence about a type. `schema`: the model it names."""

    text: str
    schema: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a model, or a parameter. `where`: path, query, header; "" for a field."""

    name: str
    type: tuple[Piece, ...]
    required: bool
    description: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A schema with a name."""

    name: str
    description: str
    type: tuple[Piece, ...]
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """A body or an answer. `status` is "" for a body."""

    status: str
    description: str
    media_type: str
    type: tuple[Piece, ...]
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path."""

    id: str
    method: str
    path: str
    summary: str
    token: bool
    parameters: tuple[Field, ...]
    bodies: tuple[Content, ...]
    answers: tuple[Content, ...]


class Reference:
    """The page; made at the first call."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._page: str | None = None

    def register(self, route: Callable[[str, str, Handler], object]) -> None:
        """Add the page, and its stylesheet where no web channel serves it."""
        route("GET", "/docs", self.show)
        if "web" not in self._config.channels:
            route("GET", "/static/{name}", static)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """The same for everybody: in English, as the document is."""
        if self._page is None:
            from gateway.openapi import document

            self._page = render(document(self._config))
        return web.Response(text=self._page, content_type="text/html", headers=HEADERS)


def render(document: Mapping[str, Any]) -> str:
    """The page that shows an OpenAPI 3.1 document."""
    return (
        environment()
        .get_template("reference.html")
        .render(
            lang="en",
            large=False,
            mistakes=(),
            t=CATALOGUE["en"],
            stylesheet=STYLESHEET,
            info=document["info"],
            servers=[server["url"] for server in document["servers"]],
            operations=list(operations(document)),
            models=[_model(name, schema) for name, schema in sorted(document["components"]["schemas"].items())],
        )
    )


def operations(document: Mapping[str, Any]) -> Iterable[Operation]:
    """Every method of every path, in the document's order."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {})
            yield Operation(
                id=operation["operationId"],
                method=method.upper(),
                path=path,
                summary=operation["summary"],
                token=bool(operation.get("security")),
                parameters=tuple(map(_parameter, operation.get("parameters", ()))),
                bodies=tuple(_contents("", body)),
                answers=tuple(
                    one for status, said in operation["responses"].items() for one in _contents(status, said)
                ),
            )


def _contents(status: str, said: Mapping[str, Any]) -> Iterable[Content]:
    headers = tuple(said.get("headers", ()))
    for media_type, content in said.get("content", {}).items():
        schema = content.get("schema", {})
        description = said.get("description") or schema.get("description", "")
        yield Content(status, description, media_type, tuple(describe(schema)), headers)


def _parameter(said: Mapping[str, Any]) -> Field:
    type = tuple(describe(said["schema"]))
    return Field(said["name"], type, bool(said.get("required")), said.get("description", ""), said["in"])


def _model(name: str, schema: Mapping[str, Any]) -> Model:
    required = schema.get("required", ())
    fields = tuple(
        Field(field, tuple(describe(said)), field in required, said.get("description", ""))
        for field, said in schema.get("properties", {}).items()
    )
    return Model(name, schema.get("description", ""), () if fields else tuple(describe(schema)), fields)


def describe(schema: Mapping[str, Any]) -> list[Piece]:
    """A type and its limits in words, with the names of the models in it."""
    limits = "".join(f", {_limit(key, schema[key])}" for key in _LIMITS if key in schema)
    return [*_shape(schema), *([Piece(limits)] if limits else [])]


def _shape(schema: Mapping[str, Any]) -> list[Piece]:
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return _joined([describe(one) for one in schema[key]])
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(_SCHEMAS)
        return [Piece(name, name)]
    if "enum" in schema or "const" in schema:
        return [Piece(" | ".join(map(_json, schema.get("enum") or [schema["const"]])))]
    if schema.get("type") == "array":
        return [Piece("list of "), *describe(schema.get("items", {}))]
    kind = str(schema.get("type", "anything"))
    return [Piece(f"{kind} ({schema['format']})" if "format" in schema else kind)]


def _joined(choices: list[list[Piece]]) -> list[Piece]:
    pieces: list[Piece] = []
    for choice in choices:
        pieces += [Piece(" or "), *choice] if pieces else choice
    return pieces


def _limit(key: str, value: Any) -> str:
    number = isinstance(value, float) and value.is_integer()
    return _LIMITS[key].format(_json(value) if key in _QUOTED else int(value) if number else value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
