"""The progress page: a proof opens it, wrong proofs run out, and what is added is taken once."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from channels.fake_host import FakeHost
from channels.web import Web, WebConfig
from gateway.files_api import Files
from gateway.limits import Guesses
from gateway.progress import PASS_SECONDS, WORDS, Progress
from gateway.routes import Routes
from normalizer import identity
from normalizer.errors import TryAgain
from normalizer.life import Actor, Outcome, Role, State, StepName
from normalizer.ticket import Attachment, AttachmentRef, Requester
from tests.gateway.people import PHOTO
from tests.workers.regions import town
from workers.blobs import Blobs
from workers.life import Lives

PHONE = "+8613800138000"
NAME = "欧阳小明"
EN = {"lang": "en"}
SAID = WORDS["en"]
UNKNOWN = identity.number(date(2026, 1, 15), 7, 99999)


class Site:
    """The page of one gateway, served."""

    def __init__(self, client: aiohttp.ClientSession, host: FakeHost) -> None:
        self.client = client
        self.host = host

    async def post(self, number: str, **fields: str) -> tuple[aiohttp.ClientResponse, str]:
        answer = await self.client.post(f"/t/{number}", params=EN, data=fields)
        return answer, html.unescape(await answer.text())


@pytest.fixture
def open_site(serve: Callable[..., Any], clock: Any, far_side: Any, tmp_path: Path) -> Callable[..., Any]:
    async def start(store: Any = None) -> Site:
        host = FakeHost()
        web = Web(WebConfig())
        guesses = Guesses(5, clock=clock)
        zone = ZoneInfo("Asia/Shanghai")
        progress = Progress(
            store or far_side.store,
            host.accept,
            web.parse,
            far_side.secret,
            guesses,
            zone,
            town(),
            Files(Blobs(tmp_path), 730, lambda: NOW),
            clock=clock,
        )
        routes = Routes()
        progress.register(routes.add)
        return Site((await serve(routes)).client, host)

    return start


@pytest.fixture
def queued(far_side: Any) -> Any:
    return far_side.enqueue("one", 1, requester=Requester(name=NAME, phone=PHONE))


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return found[1]


async def test_the_page_asks_before_it_says_anything(open_site: Any, queued: Any) -> None:
    site = await open_site()
    pages = []
    for number in (queued.number, UNKNOWN):
        answer = await site.client.get(f"/t/{number}", params=EN)
        assert answer.status == 200
        pages.append((await answer.text()).replace(number, "N"))
    assert SAID["progress"]["ask"] in pages[0]
    assert pages[0] == pages[1], "the page must not tell which numbers exist"


@pytest.mark.parametrize("proof", [{"last4": "8000"}, {"last4": "８０００"}, {"code": ""}, {"code": " lower "}])
async def test_a_code_or_the_last_four_digits_open_it(open_site: Any, queued: Any, proof: dict[str, str]) -> None:
    site = await open_site()
    if "code" in proof:
        proof = {"code": f" {queued.code.lower()} " if proof["code"] else queued.code}
    answer, page = await site.post(queued.number, **proof)
    assert answer.status == 200
    assert SAID["states"]["received"] in page
    assert "2026-01-15 10:30" in page, "the site's time zone"
    assert answer.headers["Cache-Control"] == "no-store"
    for secret in (NAME, PHONE, "13800138000", "路灯坏了", queued.code):
        assert secret not in page


async def test_every_state_has_words_in_both_languages() -> None:
    for state in State:
        if state is State.OBJECTED:
            continue  # shown as dispatched
        assert WORDS["zh"]["states"][state] != WORDS["en"]["states"][state]
    assert [{k: set(v)} for k, v in WORDS["zh"].items()] == [{k: set(v)} for k, v in WORDS["en"].items()]
    for words in WORDS.values():
        assert set(words["story"]["replied"]) == set(Outcome)


LEAD = Actor(role=Role.UNIT, id="north_lamp")
DESK = Actor(role=Role.OPERATOR, id="wang")
NOW = datetime(2026, 1, 16, 1, 0, tzinfo=UTC)


async def test_the_story_is_told_step_by_step_in_plain_words(open_site: Any, queued: Any, far_side: Any) -> None:
    site = await open_site()
    lives, story = Lives(far_side.store), SAID["story"]
    unit = town().units["north_lamp"].name

    async def shown(step: StepName, by: Actor, **says: object) -> str:
        await lives.take(queued.ticket_id, step, by, NOW, operation=f"t:{step}:{len(says)}", says=says)
        return (await site.post(queued.number, code=queued.code))[1]

    page = await shown(StepName.DISPATCH, DESK, lead="north_lamp", reason="因为举报人是邻居")
    assert SAID["states"]["dispatched"] in page
    assert story["dispatched"].format(unit=unit) in page
    page = await shown(StepName.OBJECT, LEAD, reason="不归我们管")
    assert SAID["states"]["dispatched"] in page, "what units argue about is not the citizen's matter"
    page = await shown(StepName.OVERRULE, DESK, reason="就归你们管")
    assert page.count(story["dispatched"].format(unit=unit)) == 1
    assert story["signed"].format(unit=unit) in await shown(StepName.SIGN, LEAD)
    page = await shown(StepName.EXTEND, LEAD, until="2026-01-30T10:00:00+08:00", reason="等配件")
    assert story["extended"].format(until="2026-01-30 10:00") in page
    assert "等配件" in page
    await shown(StepName.PROGRESS, LEAD, text="内部进展记录")
    page = await shown(StepName.PROGRESS, LEAD, text="又一条内部记录", reason="x")
    assert page.count(story["in_progress"].format(unit=unit)) == 1
    page = await shown(StepName.REPLY, LEAD, text="路灯<b>已</b>修好", outcome="resolved")
    assert story["replied"]["resolved"].format(unit=unit) in page
    assert "路灯<b>已</b>修好" in page
    raw = await (await site.client.post(f"/t/{queued.number}", params=EN, data={"code": queued.code})).text()
    assert "<b>" not in raw, "what a unit wrote is no markup"
    for secret in ("举报人", "不归我们管", "就归你们管", "内部", "objected", NAME, PHONE, "路灯坏了"):
        assert secret not in page


async def test_files_of_the_answer_are_named_with_their_size(open_site: Any, queued: Any, far_side: Any) -> None:
    site, lives = await open_site(), Lives(far_side.store)
    photo = AttachmentRef(
        name="修好<i>.jpg",
        media_type="image/jpeg",
        size=34_000,
        sha256="0" * 64,
        blob="2026/01/16/" + "0" * 64,
        public_blob="2026/01/16/" + "1" * 64,
        lat=39.9,
    )
    says = {"text": "修好了", "outcome": "resolved", "attachments": (photo,)}
    for step, by, said in (
        (StepName.DISPATCH, DESK, {"lead": "north_lamp", "reason": "x"}),
        (StepName.SIGN, LEAD, {}),
        (StepName.REPLY, LEAD, says),
    ):
        await lives.take(queued.ticket_id, step, by, NOW, operation=step, says=said)
    _, page = await site.post(queued.number, code=queued.code)
    assert "修好<i>.jpg (34.0 kB)" in page
    for secret in ("0" * 64, "39.9"):
        assert secret not in page
    raw = await (await site.client.post(f"/t/{queued.number}", data={"code": queued.code})).text()
    assert "<i>" not in raw


@pytest.fixture
async def answered(queued: Any, far_side: Any, tmp_path: Path) -> Any:
    """The ticket with an answer of two files: its number, and their hashes as the page has them."""
    blobs, lives = Blobs(tmp_path), Lives(far_side.store)
    page = blobs.keep(Attachment(name="清单.html", content=b"<html>lamps"), NOW.date())
    photo = blobs.keep(Attachment(name="修好.jpg", content=PHOTO.content), NOW.date())
    inner = blobs.keep(Attachment(name="内部.txt", content=b"among units"), NOW.date())
    for step, by, said in (
        (StepName.DISPATCH, DESK, {"lead": "north_lamp", "reason": "x"}),
        (StepName.SIGN, LEAD, {}),
        (StepName.PROGRESS, LEAD, {"text": "在修", "attachments": (inner,)}),
        (StepName.REPLY, LEAD, {"text": "修好了", "outcome": "resolved", "attachments": (page, photo)}),
    ):
        await lives.take(queued.ticket_id, step, by, NOW, operation=step, says=said)
    return SimpleNamespace(number=queued.number, code=queued.code, page=page, photo=photo, inner=inner, blobs=blobs)


async def saved(site: Site, number: str, sha256: str, **fields: str) -> tuple[aiohttp.ClientResponse, bytes]:
    answer = await site.client.post(f"/t/{number}/files/{sha256}", params=EN, data=fields)
    return answer, await answer.read()


async def test_the_files_of_the_answer_are_saved_from_the_page_without_a_second_proof(
    open_site: Any, answered: Any
) -> None:
    site = await open_site()
    _, page = await site.post(answered.number, code=answered.code)
    addresses = re.findall(r'action="(/t/[0-9]+/files/([0-9a-f]{64}))[?"]', page)
    assert [sha256 for _, sha256 in addresses] == [answered.page.sha256, answered.photo.public_blob[-64:]]
    got = [await saved(site, answered.number, one, **{"pass": hidden(page, "pass")}) for _, one in addresses]
    assert [answer.status for answer, _ in got] == [200, 200]
    assert got[0][1] == b"<html>lamps"
    assert got[1][1] == answered.blobs.get(answered.photo.public_blob) != PHOTO.content, "where units stand is theirs"
    assert [answer.headers["Content-Type"] for answer, _ in got] == ["application/octet-stream", "image/jpeg"]
    for answer, _ in got:
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        assert answer.headers["Content-Security-Policy"].startswith("sandbox;")
        assert answer.headers["Cache-Control"] == "no-store"


async def test_without_the_pass_no_file_is_given_and_none_is_told_of(
    open_site: Any, answered: Any, far_side: Any, clock: Any
) -> None:
    site = await open_site()
    _, page = await site.post(answered.number, code=answered.code)
    token = hidden(page, "pass")
    other = far_side.enqueue("two", 2, requester=Requester(phone=PHONE))
    _, of_other = await site.post(other.number, code=other.code)
    for number, fields in (
        (answered.number, {}),
        (answered.number, {"pass": hidden(of_other, "pass")}),
        (answered.number, {"pass": token + "0"}),
        (answered.number, {"code": answered.code}),
        (UNKNOWN, {"pass": token}),
    ):
        answer, body = await saved(site, number, answered.page.sha256, **fields)
        assert (answer.status, b"lamps" in body) == (422, False), fields
        assert SAID["mistakes"]["expired"] in html.unescape(body.decode())
    assert (await site.client.get(f"/t/{answered.number}/files/{answered.page.sha256}")).status == 405
    clock.now += PASS_SECONDS + 1
    answer, _ = await saved(site, answered.number, answered.page.sha256, **{"pass": token})
    assert answer.status == 422


async def test_only_files_of_an_answer_that_the_page_shows_are_given(
    open_site: Any, answered: Any, far_side: Any, tmp_path: Path
) -> None:
    """Not what the units exchanged, not the original of a picture, not another ticket's, and not what was expired."""
    site = await open_site()
    _, page = await site.post(answered.number, code=answered.code)
    proof = {"pass": hidden(page, "pass")}
    own = Blobs(tmp_path).keep(Attachment(name="mine.txt", content=b"what a citizen sent"), NOW.date())
    other = far_side.enqueue("two", 2, requester=Requester(phone=PHONE), attachments=(own,))
    _, of_other = await site.post(other.number, code=other.code)
    for number, sha256, mine in (
        (answered.number, answered.inner.sha256, proof),
        (answered.number, answered.photo.sha256, proof),
        (answered.number, "..%2F..%2Fsecret", proof),
        (answered.number, own.sha256, proof),
        (other.number, own.sha256, {"pass": hidden(of_other, "pass")}),
        (other.number, answered.page.sha256, {"pass": hidden(of_other, "pass")}),
    ):
        answer, body = await saved(site, number, sha256, **mine)
        assert (answer.status, SAID["progress"]["no_file"] in body.decode()) == (404, True)
    answered.blobs.path(answered.page.blob).unlink()
    answer, body = await saved(site, answered.number, answered.page.sha256, **proof)
    assert (answer.status, SAID["progress"]["busy"] in body.decode()) == (503, True), "not here, and not expired"


async def test_a_file_that_retention_removed_is_said_to_be_gone(
    open_site: Any, queued: Any, far_side: Any, tmp_path: Path
) -> None:
    site, old = await open_site(), Blobs(tmp_path).keep(Attachment(name="a.txt", content=b"a"), date(2020, 1, 1))
    for step, by, said in (
        (StepName.DISPATCH, DESK, {"lead": "north_lamp", "reason": "x"}),
        (StepName.SIGN, LEAD, {}),
        (StepName.REPLY, LEAD, {"text": "修好了", "outcome": "resolved", "attachments": (old,)}),
    ):
        await Lives(far_side.store).take(queued.ticket_id, step, by, NOW, operation=step, says=said)
    _, page = await site.post(queued.number, code=queued.code)
    Blobs(tmp_path).expire(date(2020, 1, 2), ())
    answer, body = await saved(site, queued.number, old.sha256, **{"pass": hidden(page, "pass")})
    assert (answer.status, SAID["progress"]["gone"] in body.decode()) == (410, True)


async def test_an_answer_given_in_the_call_is_not_repeated(open_site: Any, queued: Any, far_side: Any) -> None:
    intake = Actor(role=Role.SYSTEM, id="intake")
    await Lives(far_side.store).take(
        queued.ticket_id, StepName.ANSWER, intake, NOW, operation="a", says={"text": "answered_internally"}
    )
    _, page = await (await open_site()).post(queued.number, code=queued.code)
    assert SAID["story"]["answered_at_once"] in page
    assert "answered_internally" not in page


async def test_a_referral_is_told_in_the_readers_language(open_site: Any, queued: Any, far_side: Any) -> None:
    says = {"referral": "advice", "reason": "法定途径", "text": "请拨打 12348。"}
    await Lives(far_side.store).take(queued.ticket_id, StepName.REFER, DESK, NOW, operation="r", says=says)
    _, page = await (await open_site()).post(queued.number, code=queued.code)
    assert "Please call 12348." in page
    assert "法定途径" not in page


async def test_a_mistyped_number_is_called_mistyped(open_site: Any, queued: Any) -> None:
    site = await open_site()
    wrong = queued.number[:-1] + str((int(queued.number[-1]) + 1) % 10)
    answer = await site.client.get(f"/t/{wrong}", params=EN)
    assert answer.status == 404
    assert SAID["progress"]["mistyped_text"] in await answer.text()
    posted, page = await site.post(wrong, code=queued.code)
    assert posted.status == 404
    assert SAID["progress"]["mistyped_text"] in page


async def test_nothing_entered_is_no_guess(open_site: Any, queued: Any) -> None:
    site = await open_site()
    for _ in range(6):
        answer, page = await site.post(queued.number, code=" ")
        assert answer.status == 422
        assert SAID["mistakes"]["missing"] in page


@pytest.mark.parametrize("wrong", [{"code": "AAAAAAAA"}, {"last4": "0000"}, {"last4": "000"}, {"last4": "138000"}])
async def test_five_wrong_tries_close_the_number_for_an_hour(
    open_site: Any, queued: Any, clock: Any, wrong: dict[str, str]
) -> None:
    site = await open_site()
    for _ in range(5):
        answer, page = await site.post(queued.number, **wrong)
        assert answer.status == 403
        assert SAID["mistakes"]["wrong"] in page
    answer, page = await site.post(queued.number, code=queued.code)
    assert answer.status == 429
    assert answer.content_type == "text/html"
    assert 0 < int(answer.headers["Retry-After"]) <= 3600
    assert SAID["progress"]["too_many_text"] in page
    clock.sleep(3600)
    assert (await site.post(queued.number, code=queued.code))[0].status == 200


async def test_right_codes_never_run_out(open_site: Any, queued: Any) -> None:
    site = await open_site()
    for _ in range(7):
        assert (await site.post(queued.number, code=queued.code))[0].status == 200


async def test_an_unknown_number_answers_as_a_wrong_code_does(open_site: Any, queued: Any) -> None:
    site = await open_site()
    unknown = [(await site.post(UNKNOWN, code="AAAAAAAA"))[0].status for _ in range(6)]
    known = [(await site.post(queued.number, code="AAAAAAAA"))[0].status for _ in range(6)]
    assert unknown == known == [403] * 5 + [429]


async def test_a_ticket_without_a_phone_has_no_last_four_digits(open_site: Any, far_side: Any) -> None:
    site = await open_site()
    queued = far_side.enqueue("no phone", 2)
    assert (await site.post(queued.number, last4="0000"))[0].status == 403


async def test_an_alias_opens_with_its_own_code_and_with_the_tickets(
    open_site: Any, queued: Any, far_side: Any
) -> None:
    later = far_side.enqueue(
        "two", 2, text="还没修", threads=(f"number:{queued.number}",), senders=(f"code:{queued.code}",)
    )
    other = far_side.enqueue("three", 3)
    site = await open_site()
    for code in (later.code, queued.code):
        answer, page = await site.post(later.number, code=code)
        assert answer.status == 200
        assert SAID["story"]["followed_up"] in page
    assert (await site.post(later.number, code=other.code))[0].status == 403
    assert (await site.post(queued.number, code=later.code))[0].status == 403


async def test_the_pass_lets_the_last_four_digits_add_information_once(
    open_site: Any, queued: Any, far_side: Any
) -> None:
    site = await open_site()
    _, page = await site.post(queued.number, last4="8000")
    form = {name: hidden(page, name) for name in ("pass", "submission_id")}
    first, said = await site.post(queued.number, text="门口也黑了", **form)
    again, _ = await site.post(queued.number, text="门口也黑了", **form)
    assert (first.status, again.status) == (201, 200)
    assert SAID["progress"]["added"] in said
    [raw] = site.host.taken.values()
    assert json.loads(raw.body) == {"text": "门口也黑了", "code": queued.code}
    assert raw.meta["follows"] == queued.number
    inbound = Web(WebConfig()).parse(raw)
    assert raw.meta["digest"] == inbound.digest
    grown = far_side.enqueue("grown", 9, text=inbound.text, threads=inbound.threads, senders=inbound.senders)
    found = await far_side.store.find(grown.number)
    assert found.ticket_id == queued.ticket_id, "what the page sends joins the ticket"


async def test_text_with_a_code_is_added_at_once(open_site: Any, queued: Any) -> None:
    site = await open_site()
    answer, _ = await site.post(queued.number, code=queued.code, text="再说一句")
    assert answer.status == 201
    assert len(site.host.taken) == 1


async def test_changed_text_under_the_same_id_is_kept_and_sent_next_time(open_site: Any, queued: Any) -> None:
    site = await open_site()
    id = str(uuid4())
    await site.post(queued.number, code=queued.code, text="一", submission_id=id)
    answer, page = await site.post(queued.number, code=queued.code, text="二", submission_id=id)
    assert answer.status == 422
    assert SAID["mistakes"]["conflict"] in page
    assert hidden(page, "submission_id") != id
    assert "\n二</textarea>" in page


async def test_too_long_a_text_is_refused_and_kept(open_site: Any, queued: Any) -> None:
    site = await open_site()
    text = "字" * 20_001
    answer, page = await site.post(queued.number, code=queued.code, text=text)
    assert answer.status == 422
    assert SAID["mistakes"]["too_long"] in page
    assert text in page
    assert not site.host.taken


async def test_a_pass_is_forged_expired_or_of_another_ticket(
    open_site: Any, queued: Any, far_side: Any, clock: Any
) -> None:
    site = await open_site()
    other = far_side.enqueue("other", 2)
    token = hidden((await site.post(queued.number, code=queued.code))[1], "pass")
    expiry, _, mac = token.partition(".")
    for number, bad in ((queued.number, f"{int(expiry) + 1}.{mac}"), (queued.number, "x"), (other.number, token)):
        answer, page = await site.post(number, text="话", **{"pass": bad})
        assert answer.status == 422
        assert SAID["mistakes"]["expired"] in page
        assert "\n话</textarea>" in page
    clock.sleep(PASS_SECONDS)
    assert (await site.post(queued.number, **{"pass": token}))[0].status == 200
    clock.sleep(1)
    assert (await site.post(queued.number, **{"pass": token}))[0].status == 422
    assert not site.host.taken


async def test_markup_that_was_typed_stays_text(open_site: Any, queued: Any) -> None:
    site = await open_site()
    answer = await site.client.post(f"/t/{queued.number}", data={"text": "</textarea><script>", "pass": "x"})
    page = await answer.text()
    assert "&lt;/textarea&gt;&lt;script&gt;" in page
    assert "<script" not in page


async def test_an_emergency_shows_whom_to_call(open_site: Any, queued: Any) -> None:
    site = await open_site()
    _, page = await site.post(queued.number, code=queued.code, text="着火了，有人被困，快来救人")
    assert 'href="tel:119"' in page


async def test_redis_away_is_503_keeps_the_words_and_is_no_guess(open_site: Any, away: Any) -> None:
    site = await open_site(away)
    for _ in range(6):
        answer, page = await site.post(UNKNOWN, code="AAAAAAAA", text="别丢了我", **{"pass": "p"})
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert "\n别丢了我</textarea>" in page
    asked = await site.client.get(f"/t/{UNKNOWN}")
    assert asked.status == 200, "asking needs no Redis"


async def test_a_full_spool_is_503_and_keeps_words_and_id(open_site: Any, queued: Any) -> None:
    site = await open_site()
    site.host.outcomes.append(TryAgain(30))
    id = str(uuid4())
    answer, page = await site.post(queued.number, code=queued.code, text="等等", submission_id=id)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
    assert hidden(page, "submission_id") == id
    assert "\n等等</textarea>" in page


async def test_another_content_type_is_415(open_site: Any, queued: Any) -> None:
    site = await open_site()
    answer = await site.client.post(f"/t/{queued.number}", json={"code": queued.code})
    assert answer.status == 415


def test_the_pages_words_are_not_in_the_code() -> None:
    source = Path(__file__).parents[2] / "gateway/progress.py"
    assert source.read_text("utf-8").isascii()
