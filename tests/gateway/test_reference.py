"""/docs: what the OpenAPI document says, for people, without a script and within the strict policy of our pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gateway import openapi
from gateway.config import Config
from gateway.node import Node
from gateway.reference import Reference, describe, operations, render
from gateway.routes import Match, Routes


class Page(HTMLParser):
    """The elements of a page, its links and targets, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(attribute)) is not None]


@pytest.fixture
def shown(data_config: Config) -> Page:
    return Page(render(openapi.document(data_config)))


def test_every_operation_parameter_answer_and_model_is_on_the_page(shown: Page, data_config: Config) -> None:
    document = openapi.document(data_config)
    for one in operations(document):
        assert f"{one.method} {one.path}" in shown.text
        assert all(parameter.name in shown.text for parameter in one.parameters)
        assert all(f"{answer.status} {answer.description}" in shown.text for answer in one.answers)
    targets = shown.all("id")
    assert set(targets) >= {f"model-{name}" for name in document["components"]["schemas"]}
    assert len(targets) == len(set(targets))


def test_every_link_within_the_page_leads_somewhere(shown: Page) -> None:
    inner = {href[1:] for href in shown.all("href") if href.startswith("#")}
    assert "model-RequestForm" in inner
    assert inner <= set(shown.all("id"))


def test_the_fields_of_a_body_have_types_and_the_sites_limits(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path, channels={"web": {"max_text": 321}})
    assert "string, at least 1 characters, at most 321 characters" in Page(render(openapi.document(config))).text


def test_nothing_is_run_and_nothing_comes_from_elsewhere(shown: Page) -> None:
    assert not {"script", "style", "iframe", "img"} & {tag for tag, _ in shown.tags}
    assert not [name for _, attributes in shown.tags for name in attributes if name == "style" or name.startswith("on")]
    assert all(href.startswith(("#", "/", "data:,")) for href in shown.all("href"))


def test_what_needs_a_token_says_so(shown: Page, data_config: Config) -> None:
    guarded = {one.path for one in operations(openapi.document(data_config)) if one.token}
    assert {"/api/v1/calls", "/api/v1/tickets/{reference}", "/api/v1/desk/tickets"} <= guarded
    assert not {"/api/v1/requests", "/healthz"} & guarded
    found = list(operations(openapi.document(data_config)))
    assert shown.text.count("With a bearer token") == sum(one.token for one in found)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "format": "date-time"}, "string (date-time)"),
        ({"type": "number", "minimum": 0.0, "maximum": 1.0}, "number, from 0, up to 1"),
        ({"type": "number", "exclusiveMinimum": 0.5}, "number, more than 0.5"),
        ({"enum": ["a", "b"], "default": "a"}, '"a" | "b", default "a"'),
        ({"const": ""}, '""'),
        ({"type": "array", "maxItems": 3, "items": {"$ref": "#/components/schemas/X"}}, "list of X, at most 3 items"),
        ({"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]}, "string, at most 5 characters or null"),
        ({}, "anything"),
    ],
)
def test_types_in_words(schema: dict[str, Any], words: str) -> None:
    assert "".join(piece.text for piece in describe(schema)) == words


@pytest.mark.parametrize("channels", [{}, {"web": False}])
async def test_the_page_is_served_with_its_stylesheet_also_while_web_is_off(
    serve: Callable[..., Any], tmp_path: Path, channels: dict[str, Any]
) -> None:
    routes = Routes()
    config = Config(data_dir=tmp_path, channels=channels)
    Reference(config).register(routes.add)
    client = (await serve(routes)).client
    answer = await client.get("/docs")
    assert (answer.status, answer.content_type) == (200, "text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'")
    (stylesheet,) = [href for href in Page(await answer.text()).all("href") if href.endswith(".css")]
    found = await client.get(stylesheet)
    assert found.status == (404 if "web" in config.channels else 200), "the web channel serves it where it is on"


async def test_a_gateway_has_the_page_and_its_document_names_it(data_config: Config) -> None:
    node = Node(data_config)
    try:
        assert isinstance(node.routes.match("GET", "/docs"), Match)
        assert openapi.document(data_config)["externalDocs"]["url"] == "http://127.0.0.1:8080/docs"
    finally:
        await node.client.aclose()
        node.spool.close()
