"""The form of people: no JavaScript, every mistake at once, no word lost, a double click is one request."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientResponse, ClientSession, FormData

from channels.fake_host import FakeHost
from channels.web import Web, WebConfig
from channels.web.pages import CATALOGUE, STYLESHEET
from normalizer import TryAgain

VOID = {"meta", "link", "input", "br", "img", "hr"}


class Page(HTMLParser):
    """A page as a reader without scripts sees it: elements with their text, and whether the tags nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[list[str]] = []
        self._open: list[tuple[str, int]] = []
        self.feed(html)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice: {names}"
        if tag not in VOID:
            self._open.append((tag, len(self.elements)))
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.texts.append([])

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1][0] == tag, f"{tag} closes {self._open[-1][0]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for _, index in self._open:
            self.texts[index].append(data)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        return [a for t, a in self.elements if t == tag and wanted.items() <= a.items()]

    def one(self, tag: str, **wanted: str) -> dict[str, str]:
        (found,) = self.all(tag, **wanted)
        return found

    def text(self, tag: str, **wanted: str) -> str:
        found = [i for i, (t, a) in enumerate(self.elements) if t == tag and wanted.items() <= a.items()]
        return "".join(self.texts[found[0]]).strip()


async def page(response: ClientResponse) -> Page:
    assert response.content_type == "text/html"
    return Page(await response.text())


def filled(shown: Page, **values: str) -> dict[str, str]:
    """The form as a browser sends it: every field, those that were typed into and those that were not."""
    form = {
        field["name"]: field.get("value", "")
        for field in shown.all("input")
        if field["type"] not in ("checkbox", "file")
    }
    return {**form, "text": shown.text("textarea"), "kind": "", **values}


async def test_the_form_is_chinese_and_needs_no_script(client: ClientSession) -> None:
    async with client.get("/") as response:
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert "script-src" not in response.headers["Content-Security-Policy"]
        shown = await page(response)
    assert shown.one("html")["lang"] == "zh-CN"
    assert not shown.all("script")
    form = shown.one("form")
    assert form["method"] == "post"
    assert form["enctype"] == "multipart/form-data"
    assert "novalidate" in form
    assert str(UUID(shown.one("input", name="submission_id")["value"]))


async def test_every_field_has_a_label_and_personal_ones_can_be_filled_in_by_the_browser(
    client: ClientSession,
) -> None:
    shown = await page(await client.get("/"))
    labelled = {label["for"] for label in shown.all("label")}
    fields = [*shown.all("input"), *shown.all("select"), *shown.all("textarea")]
    assert {field["id"] for field in fields if field.get("type") != "hidden"} == labelled
    assert {n: shown.one("input", name=n)["autocomplete"] for n in ("name", "phone", "email")} == {
        "name": "name",
        "phone": "tel",
        "email": "email",
    }
    ids = {attributes["id"] for _, attributes in shown.elements if "id" in attributes}
    described = {part for _, a in shown.elements for part in a.get("aria-describedby", "").split()}
    assert described
    assert described <= ids


@pytest.mark.parametrize(
    ("query", "accept", "lang"),
    [
        ("", "en-GB,en;q=0.9", "en"),
        ("", "en;q=0.5, zh-TW;q=0.8", "zh-CN"),
        ("", "fr, de", "zh-CN"),
        ("", "en;q=0", "zh-CN"),
        ("", "en;q=nonsense,,;", "zh-CN"),
        ("?lang=en", "zh-CN", "en"),
        ("?lang=zh", "en", "zh-CN"),
        ("?lang=xx", "en", "en"),
    ],
)
async def test_the_language_is_asked_for_or_negotiated(
    client: ClientSession, query: str, accept: str, lang: str
) -> None:
    shown = await page(await client.get(f"/{query}", headers={"Accept-Language": accept}))
    assert shown.one("html")["lang"] == lang


async def test_the_large_version_stays_large_and_in_its_language(client: ClientSession) -> None:
    shown = await page(await client.get("/?lang=en&large=1"))
    assert shown.one("html")["class"] == "large"
    assert shown.one("form")["action"] == "/?lang=en&large=1"


async def test_a_filled_form_is_answered_with_the_number_in_large_print(host: FakeHost, client: ClientSession) -> None:
    shown = await page(await client.get("/"))
    async with client.post("/", data=filled(shown, text="路灯坏了", phone="13800138000", anonymous="true")) as response:
        assert response.status == 201
        receipt = await page(response)
    (kept,) = host.taken.values()
    inbound = Web(WebConfig()).parse(kept)
    assert (inbound.text, inbound.requester.phone, inbound.requester.anonymous) == (
        "路灯坏了",
        "13800138000",
        True,
    )
    assert re.fullmatch(r"\d{16}", receipt.text("p", **{"class": "number"}))
    assert receipt.text("p", **{"class": "number"}) in receipt.all("a")[1]["href"]
    assert not receipt.all("div", role="alert")


async def test_multipart_as_browsers_send_it_is_taken(host: FakeHost, client: ClientSession) -> None:
    shown = await page(await client.get("/"))
    form = FormData(quote_fields=False)
    for name, value in filled(shown, text="见附件\r\n谢谢", occurred_at="2026-11-23T09:30").items():
        form.add_field(name, value)
    form.add_field("attachments", "说明".encode(), filename="说明.txt", content_type="text/plain")
    async with client.post("/", data=form) as response:
        assert response.status == 201
    (kept,) = host.taken.values()
    inbound = Web(WebConfig()).parse(kept)
    assert inbound.text == "见附件\n谢谢"
    assert inbound.occurred_at is not None
    assert inbound.occurred_at.start.isoformat() == "2026-11-23T09:30:00+08:00"
    assert [file.name for file in inbound.attachments] == ["说明.txt"]


async def test_a_double_click_is_one_request(host: FakeHost, client: ClientSession) -> None:
    form = filled(await page(await client.get("/")), text="路灯坏了")
    answers = await asyncio.gather(client.post("/", data=form), client.post("/", data=form))
    numbers = {(await page(answer)).text("p", **{"class": "number"}) for answer in answers}
    assert sorted(answer.status for answer in answers) == [200, 201]
    assert len(numbers) == len(host.taken) == 1


async def test_two_forms_are_two_requests(host: FakeHost, client: ClientSession) -> None:
    for _ in range(2):
        await client.post("/", data=filled(await page(await client.get("/")), text="路灯坏了"))
    assert len(host.taken) == 2


async def test_going_back_and_changing_the_text_is_asked_about_then_taken(
    host: FakeHost, client: ClientSession
) -> None:
    form = filled(await page(await client.get("/")), text="路灯坏了")
    await client.post("/", data=form)
    async with client.post("/", data={**form, "text": "路灯和井盖都坏了"}) as response:
        assert response.status == 422
        again = await page(response)
    assert again.text("textarea") == "路灯和井盖都坏了"
    async with client.post("/", data=filled(again)) as response:
        assert response.status == 201
    assert len(host.taken) == 2


async def test_all_mistakes_stand_above_and_beside_and_nothing_typed_is_lost(
    host: FakeHost, client: ClientSession
) -> None:
    form = filled(
        await page(await client.get("/")),
        text=" ",
        title="<script>alert(1)</script>",
        kind="complaint",
        phone="1380",
        email="nobody",
        occurred_at="2026-02-30T09:30",
        confidential="true",
    )
    async with client.post("/", data=form) as response:
        assert response.status == 422
        shown = await page(response)
    zh: Mapping[str, Any] = CATALOGUE["zh"]
    assert shown.text("title").startswith("错误：")
    links = [a["href"] for a in shown.all("a") if a["href"].startswith("#") and a["href"] != "#main"]
    assert links == ["#text", "#occurred_at", "#phone", "#email"]
    ids = {attributes["id"]: tag for tag, attributes in shown.elements if "id" in attributes}
    assert all(ids[link[1:]] in ("input", "textarea") for link in links)
    assert zh["faults"]["phone"]["malformed"] in shown.text("p", id="phone-error")
    assert shown.one("input", id="phone")["aria-invalid"] == "true"
    assert shown.one("input", id="phone")["value"] == "1380"
    assert shown.one("input", id="title")["value"] == "<script>alert(1)</script>"
    assert "checked" in shown.one("input", id="confidential")
    assert "checked" not in shown.one("input", id="anonymous")
    assert shown.one("option", value="complaint").get("selected") == ""
    assert shown.one("input", name="submission_id")["value"] == form["submission_id"]
    assert not host.taken


async def test_the_english_form_says_error_in_english(client: ClientSession) -> None:
    form = filled(await page(await client.get("/?lang=en")))
    shown = await page(await client.post("/?lang=en", data=form))
    assert shown.text("title").startswith("Error: ")
    assert shown.text("h2") == "There is a problem"
    assert CATALOGUE["en"]["faults"]["text"]["missing"] in shown.text("p", id="text-error")


async def test_when_nothing_can_be_taken_the_text_stays_and_the_next_press_works(
    host: FakeHost, client: ClientSession
) -> None:
    host.outcomes.extend([TryAgain(7), RuntimeError("planted")])
    form = filled(await page(await client.get("/")), text="路灯坏了")
    for wait in ("7", "5"):
        async with client.post("/", data=form) as response:
            assert response.status == 503
            assert response.headers["Retry-After"] == wait
            form = filled(await page(response))
    assert form["text"] == "路灯坏了"
    async with client.post("/", data=form) as response:
        assert response.status == 201
    assert len(host.taken) == 1


async def test_whom_to_call_comes_before_everything_else(client: ClientSession) -> None:
    form = filled(await page(await client.get("/")), text="楼上着火了，有人被困")
    shown = await page(await client.post("/", data=form))
    tags = [tag for tag, _ in shown.elements]
    calls = [a["href"] for a in shown.all("a") if a["href"].startswith("tel:")]
    assert calls[0] == "tel:119"
    assert shown.elements.index(("div", {"class": "alarm", "role": "alert"})) < tags.index("h1")


async def test_a_robot_that_fills_the_trap_is_refused(host: FakeHost, client: ClientSession) -> None:
    form = filled(await page(await client.get("/")), text="buy now", leave_empty="http://spam.example")
    async with client.post("/", data=form) as response:
        assert response.status == 422
    assert not host.taken


async def test_an_invented_submission_id_does_not_choose_the_ticket(host: FakeHost, client: ClientSession) -> None:
    for _ in range(2):
        form = filled(await page(await client.get("/")), text="a", submission_id="' OR 1=1 --")
        assert (await client.post("/", data=form)).status == 201
    assert all(re.fullmatch(r"form:[0-9a-f-]{36}", kept.source_id) for kept in host.taken.values())
    assert len(host.taken) == 2


async def test_too_large_a_form_is_said_in_words(host: FakeHost, client: ClientSession) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with client.post("/", data=io.BytesIO(b"text=" + b"x" * 1_100_000), headers=headers) as response:
        assert response.status == 413
        assert (await page(response)).all("a", href="#attachments")
    assert not host.taken


async def test_a_body_that_is_no_form_is_unsupported(client: ClientSession) -> None:
    async with client.post("/", json={"text": "a"}) as response:
        assert response.status == 415


async def test_the_stylesheet_may_be_kept_for_ever(client: ClientSession) -> None:
    shown = await page(await client.get("/"))
    async with client.get(shown.one("link", rel="stylesheet")["href"]) as response:
        assert response.status == 200
        assert response.content_type == "text/css"
        assert "immutable" in response.headers["Cache-Control"]
        css = await response.text()
    assert "PingFang SC" in css
    assert "html.large" in css


@pytest.mark.parametrize(
    "name", ["jiesu.css", "..%2fpages.py", "%2e%2e%2fjiesu.css", f"{STYLESHEET}%00", "..%5c..%5cx"]
)
async def test_nothing_but_the_table_is_served(client: ClientSession, name: str) -> None:
    async with client.get(f"/static/{name}") as response:
        assert response.status == 404


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2, relative luminance and contrast ratio."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


async def test_every_colour_of_words_is_readable_on_white(client: ClientSession) -> None:
    css = await (await client.get(f"/static/{STYLESHEET}")).text()
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", css))
    assert {"ink", "soft", "link", "bad"} <= colours.keys()
    # 4.5 : 1 is AA for text; white words stand on `link` and `bad`, so it serves both directions.
    assert all(_contrast(colours[name], "#ffffff") >= 4.5 for name in ("ink", "soft", "link", "bad"))


def test_both_languages_have_the_same_words() -> None:
    def keys(words: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
        for name, value in words.items():
            yield from keys(value, f"{prefix}{name}.") if isinstance(value, dict) else [f"{prefix}{name}"]

    assert set(keys(CATALOGUE["zh"])) == set(keys(CATALOGUE["en"]))
