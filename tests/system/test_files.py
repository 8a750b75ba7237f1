"""The files of an answer, from the unit's reply to the citizen: with the mail, and from the page in a browser."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from axe_playwright_python.async_playwright import Axe
from PIL import Image
from playwright.async_api import Browser, Page

from gateway.auth import new_token
from tests.system.far_mail import RELAY, FarMail, Letter
from tests.system.test_browser import NARROW, browser, page
from tests.waiting import HANGS

__all__ = ["browser", "page"]

pytestmark = pytest.mark.system
UNIT = "d110102"
CITIZEN = "ouyang@citizen.example"
LIST = "维修清单：7 号灯".encode()


@pytest.fixture(scope="module")
def far_mail() -> Iterator[FarMail]:
    with FarMail().served() as running:
        yield running


@pytest.fixture(scope="module")
def environment(far_mail: FarMail) -> dict[str, str]:
    return {RELAY: far_mail.address}


def photo() -> bytes:
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x010F] = "Telephone of an inspector"
    Image.new("RGB", (40, 30), "navy").save(out, "JPEG", exif=exif)
    return out.getvalue()


async def until(found: Any) -> Any:
    async with asyncio.timeout(HANGS):
        while not (value := found()):
            await asyncio.sleep(0.05)
    return value


async def answered(steady: Any) -> dict[str, Any]:
    """A request by the web form that a unit has answered with two files; its receipt."""
    _, receipt = steady.post({"text": "路灯坏了", "email": CITIZEN, "phone": "13800138000"})
    tokens = steady.directory / "tokens.jsonl"
    desk, unit = new_token(tokens, ["desk"], operator="li"), new_token(tokens, ["unit", "personal"], unit=UNIT)
    base, number = f"{steady.base}/api/v1", receipt["number"]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=HANGS)) as session:

        async def do(token: str, path: str, **body: Any) -> dict[str, Any]:
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
            async with session.post(f"{base}{path}", headers=headers, **body) as answer:
                assert answer.status == 200, await answer.text()
                return dict(await answer.json())

        async with asyncio.timeout(HANGS):
            while not (await do(desk, "/desk/triage/leases", json={"numbers": [number]}))["tickets"]:
                await asyncio.sleep(0.05)
        await do(desk, f"/desk/tickets/{number}/dispatch", json={"lead": UNIT, "reason": "路灯"})
        await do(unit, f"/units/me/tickets/{number}/sign")
        form = aiohttp.FormData({"text": "路灯已修好。", "outcome": "resolved"}, quote_fields=False)
        form.add_field("attachments", photo(), filename="修好.jpg", content_type="image/jpeg")
        form.add_field("attachments", LIST, filename="清单.txt", content_type="text/plain")
        await do(unit, f"/units/me/tickets/{number}/reply", data=form)
    return dict(receipt)


async def test_the_files_of_an_answer_come_with_the_mail_and_are_saved_from_the_page(
    steady: Any, far_mail: FarMail, page: Page
) -> None:
    receipt = await answered(steady)

    def answer() -> list[Letter]:
        return [one for one in far_mail.letters(CITIZEN) if list(one.message.iter_attachments())]

    [letter] = await until(answer)
    mailed = {str(one.get_filename()): one.get_payload(decode=True) for one in letter.message.iter_attachments()}
    assert mailed.keys() == {"修好.jpg", "清单.txt"}
    assert mailed["清单.txt"] == LIST
    assert not Image.open(io.BytesIO(mailed["修好.jpg"])).getexif()

    await page.goto(f"/t/{receipt['number']}")
    await page.fill("#code", receipt["code"])
    await page.click("button[type=submit]")
    saved = {}
    for one in await page.locator(".file button").all():
        async with page.expect_download() as download:
            await one.click()
        found = await download.value
        saved[found.suggested_filename] = (await found.path()).read_bytes()
    assert saved == mailed, "in a browser without JavaScript"
    assert await page.locator(".file button").count() == 2, "and the page is still there"


async def test_the_page_with_files_is_accessible_and_fits_its_screen(browser: Browser, steady: Any) -> None:
    receipt = await answered(steady)
    context = await browser.new_context(base_url=steady.base, bypass_csp=True, locale="zh-CN", viewport=NARROW)
    context.set_default_timeout(HANGS * 1000)
    shown = await context.new_page()
    for address in (f"/t/{receipt['number']}", f"/t/{receipt['number']}?large=1&lang=en"):
        await shown.goto(address)
        await shown.fill("#last4", "8000")
        await shown.click("button[type=submit]")
        assert await shown.locator(".file button").count() == 2
        found = await Axe().run(shown)
        assert found.violations_count == 0, found.generate_report()
        assert await shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
