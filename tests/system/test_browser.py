"""The form as a citizen meets it: in Chromium, without JavaScript, by keyboard, on a narrow screen."""

from __future__ import annotations

import asyncio
import io
import re
import shutil
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from tests.waiting import HANGS

pytestmark = pytest.mark.system
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NARROW = {"width": 360, "height": 740}
WIDE = {"width": 1280, "height": 900}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: .ci/run installs Debian's package `chromium`")
    async with async_playwright() as playwright:
        # Without the sandbox because CI is root; it opens our own pages only.
        started = {"args": ["--no-sandbox"], "timeout": HANGS * 1000}
        running = await playwright.chromium.launch(executable_path=CHROMIUM, **started)
        yield running
        await running.close()


@pytest.fixture
async def page(browser: Browser, steady: Any) -> Page:
    """A citizen's browser with JavaScript switched off."""
    context = await browser.new_context(
        base_url=steady.base, java_script_enabled=False, locale="zh-CN", viewport=NARROW
    )
    context.set_default_timeout(HANGS * 1000)
    return await context.new_page()


def photo() -> dict[str, Any]:
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), "navy").save(picture, "PNG")
    return {"name": "路灯.png", "mimeType": "image/png", "buffer": picture.getvalue()}


async def stored(steady: Any) -> None:
    async with asyncio.timeout(HANGS):
        while steady.counts()["in_flight"]:
            await asyncio.sleep(0.05)


async def test_all_mistakes_stand_above_and_lead_to_their_fields(page: Page) -> None:
    await page.goto("/")
    await page.fill("#phone", "12")
    await page.fill("#email", "nobody")
    await page.fill("#title", "路灯")
    await page.click("button[type=submit]")
    assert (await page.title()).startswith("错误：")
    links = page.locator(".summary a")
    targets = [await link.get_attribute("href") for link in await links.all()]
    assert targets == ["#text", "#phone", "#email"]
    for target in targets:
        assert target
        field = page.locator(target)
        assert await field.get_attribute("aria-invalid") == "true"
        described = (await field.get_attribute("aria-describedby") or "").split()
        assert f"{target[1:]}-error" in described
        for one in described:
            assert (await page.locator(f"#{one}").inner_text()).strip()
    await links.nth(1).click()
    await page.keyboard.press("End")
    await page.keyboard.type("3")
    assert await page.input_value("#phone") == "123", "the link leads into the field, which kept what was typed"
    assert await page.input_value("#title") == "路灯"


async def test_a_citizen_files_a_request_follows_it_and_adds_to_it(page: Page, steady: Any) -> None:
    await page.goto("/")
    await page.fill("#text", "楼下路灯坏了三天")
    await page.select_option("#kind", "complaint")
    await page.fill("#phone", "13800138000")
    await page.check("#confidential")
    await page.set_input_files("#attachments", photo())
    await page.click("button[type=submit]")
    number, code = [(await one.inner_text()).strip() for one in await page.locator(".number").all()]
    assert re.fullmatch(r"\d{16,24}", number)
    assert await page.locator(".number").first.evaluate("e => parseFloat(getComputedStyle(e).fontSize)") >= 24
    await stored(steady)
    await page.click(f"a[href$='/t/{number}']")
    await page.fill("#code", code)
    await page.click("button[type=submit]")
    assert number in await page.locator("main").inner_text()
    await page.fill("#text", "今晚又不亮")
    await page.click("button[type=submit]")
    assert await page.locator("[role=status]").is_visible()
    await stored(steady)
    with steady.client() as redis:
        ticket_id = redis.get(f"jiesu:number:{number}").decode()
        assert redis.llen(f"jiesu:steps:{ticket_id}") >= 1


async def test_a_double_click_is_one_request(page: Page, steady: Any) -> None:
    await stored(steady)
    before = steady.counts()["received"]
    await page.goto("/")
    await page.fill("#text", "按了两次")
    await page.dblclick("button[type=submit]")
    await page.wait_for_selector(".number")
    await stored(steady)
    assert steady.counts()["received"] == before + 1


async def every_page(page: Page, steady: Any) -> AsyncIterator[str]:
    """The pages one after another; says which one it is."""
    await page.goto("/?large=1")
    yield "large form"
    await page.goto("/?lang=en")
    yield "English form"
    await page.goto("/")
    yield "form"
    await page.fill("#phone", "12")
    await page.click("button[type=submit]")
    yield "mistakes"
    await page.fill("#text", "有人掉进河里了，快救人")
    await page.fill("#phone", "13800138000")
    await page.click("button[type=submit]")
    yield "receipt with an alarm"
    code = await page.locator(".number").nth(1).inner_text()
    await stored(steady)
    await page.click("a[href*='/t/']")
    yield "question for the code"
    await page.fill("#code", "WRONGONE")
    await page.click("button[type=submit]")
    yield "wrong code"
    await page.fill("#code", code)
    await page.click("button[type=submit]")
    yield "progress"
    await page.fill("#text", "他已经上来了")
    await page.click("button[type=submit]")
    yield "information added"


@pytest.mark.parametrize("viewport", [NARROW, WIDE])
async def test_every_page_is_accessible_and_fits_its_screen(
    browser: Browser, steady: Any, viewport: dict[str, int]
) -> None:
    """axe-core finds nothing (it needs scripts, which our own policy forbids: both are waived for it)."""
    context = await browser.new_context(
        base_url=steady.base, bypass_csp=True, locale="zh-CN", viewport={"width": viewport["width"], "height": 740}
    )
    context.set_default_timeout(HANGS * 1000)
    page = await context.new_page()
    async for name in every_page(page, steady):
        found = await Axe().run(page)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
    assert urlsplit(page.url).path.startswith("/t/")


async def test_the_keyboard_reaches_every_field_in_reading_order_and_no_trap(page: Page) -> None:
    await page.goto("/")
    reached = []
    for _ in range(30):  # a date has several stops
        await page.keyboard.press("Tab")
        reached.append(await page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert reached[0] == "skip"
    visible = await page.locator("form [id]:is(input,select,textarea)").evaluate_all(
        "all => all.filter(e => e.tabIndex >= 0).map(e => e.id)"
    )
    in_form = list(dict.fromkeys(name for name in reached if name in visible))
    assert in_form == visible == [
        "text", "title", "kind", "place", "occurred_at", "attachments", "name", "phone", "email",
        "anonymous", "confidential",
    ]  # fmt: skip
    assert "leave_empty" not in reached
