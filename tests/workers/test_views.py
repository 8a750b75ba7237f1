"""What of a ticket is shown to whom, whoever wrote what where."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from normalizer.life import Actor, Role, StepName
from normalizer.ticket import AttachmentRef, Flag, Kind, Requester, Ticket
from tests.workers.turns import NOW, client
from workers import views
from workers.life import Lives
from workers.store import Record, Store

__all__ = ["client"]

CITIZEN = Requester(name="欧阳锋", phone="+8613911112222", email="ouyang@white.example")
CATALOGUE = Actor(role=Role.SYSTEM, id="catalogue")
LAMP = Actor(role=Role.UNIT, id="lamp")
DISPATCHED = (StepName.DISPATCH, CATALOGUE, {"lead": "lamp", "co": ("police",), "cc": ("willow",), "reason": "市容"})


@pytest.fixture
def lived(client, queue, make_item):
    """A ticket that went these steps."""

    async def make(*steps: tuple[StepName, Actor, dict[str, object]], text: str = "灯坏了", **more) -> Record:
        one = make_item("a", text, requester=CITIZEN, **more)
        queue.enqueue([one])
        store = Store(client, domain="hotline.example")
        for number, (step, by, says) in enumerate(steps):
            await Lives(store).take(one.ticket_id, step, by, NOW, operation=str(number), says=says)
        record = await store.load(one.ticket_id)
        assert record is not None
        return record

    return make


def seen(record: Record, unit: str | None, *, personal: bool = True) -> str:
    return json.dumps(views.of_ticket(record, unit=unit, personal=personal), ensure_ascii=False)


async def test_who_works_on_it_knows_whom_to_call_and_who_is_informed_does_not(lived):
    record = await lived(DISPATCHED)
    knows = {unit: "13911112222" in seen(record, unit) for unit in ("lamp", "police", "willow", None)}
    assert knows == {"lamp": True, "police": True, "willow": False, None: True}
    assert "13911112222" not in seen(record, "lamp", personal=False)


async def test_what_is_flagged_as_confidential_is_shown_to_no_unit(lived):
    record = await lived(DISPATCHED, flags=(Flag.CONFIDENTIAL,))
    assert Flag.CONFIDENTIAL in record.ticket().flags
    assert "欧阳锋" not in seen(record, "lamp")


@pytest.mark.parametrize(
    "written",
    [
        "13911112222",
        "139 1111 2222",
        "139-1111-2222",
        "+86 139 1111 2222",
        "8613911112222",
        "欧阳锋",
        "OUYANG@white.example",
    ],
)
async def test_what_is_hidden_is_blotted_out_of_everybodys_words(lived, written):
    said = f"联系了{written}，约好明天"
    record = await lived(
        DISPATCHED, (StepName.SIGN, LAMP, {}), (StepName.CONTACT, LAMP, {"text": said}), text=f"我是{written}，灯坏了"
    )
    shown = seen(record, "willow")
    assert written not in shown
    assert shown.count(views.BLOT) >= 2
    assert "约好明天" in shown
    assert "灯坏了" in shown


PHOTO = AttachmentRef(
    name="a.jpg", media_type="image/jpeg", size=1, sha256="0" * 64, blob="2026/01/15/" + "0" * 64,
    public_blob="2026/01/15/" + "1" * 64, lat=39.9123, lon=116.4012,
)  # fmt: skip
PAPER = AttachmentRef(
    name="a.pdf", media_type="application/pdf", size=1, sha256="2" * 64, blob="2026/01/15/" + "2" * 64
)


async def test_where_a_reporter_stood_is_hidden_and_so_are_the_files_that_tell(lived):
    """A camera writes the place of whoever holds it; the original is not named, only what is without its metadata."""
    record = await lived(DISPATCHED, kind=Kind.REPORT)
    doc = json.loads(record.doc) | {"attachments": [one.model_dump(mode="json") for one in (PHOTO, PAPER)]}
    record = replace(record, doc=json.dumps(doc).encode())
    for view in (seen(record, "lamp"), json.dumps(views.without_people(record.ticket()))):
        assert "39.9123" not in view
        assert "116.4012" not in view
        assert PHOTO.blob not in view
        assert PAPER.blob not in view
        assert PHOTO.public_blob in view
    assert PHOTO.blob in seen(record, None), "the centre's desk sees all"


async def test_files_of_an_answer_are_hidden_in_the_history_as_they_are_in_the_ticket(lived):
    """No program can blot a name out of a scanned letter."""
    says = {"text": "修好了", "outcome": "resolved", "attachments": (PHOTO, PAPER)}
    record = await lived(DISPATCHED, (StepName.SIGN, LAMP, {}), (StepName.REPLY, LAMP, says))
    view = views.of_ticket(record, unit="willow", personal=True)
    for shown in (view["ticket"]["attachments"], view["history"][-1]["attachments"]):
        assert [one["blob"] for one in shown] == [PHOTO.public_blob, None]
        assert PHOTO.public_blob.endswith(shown[0]["sha256"]), "it names what can be fetched"
        assert PHOTO.sha256 not in json.dumps(shown)
        assert "39.9123" not in json.dumps(shown)
    assert PAPER.blob in seen(record, "lamp"), "who works on it has them"


async def test_a_ticket_without_people_is_still_a_ticket(lived):
    """Whatever the citizen is called: our own words are never blotted."""
    record = await lived(DISPATCHED, text="我是web，灯坏了")
    named = record.ticket().model_copy(update={"requester": Requester(name=record.ticket().channel, phone="1.0")})
    shown = Ticket.model_validate(views.without_people(named))
    assert (shown.channel, shown.requester.name, shown.requester.phone) == (named.channel, None, None)


async def test_numbers_that_are_not_the_citizens_stay(lived):
    record = await lived(DISPATCHED, text="请打 13800138000，路灯编号 139111")
    shown = seen(record, "willow")
    assert "13800138000" in shown
    assert "139111" in shown
    assert record.number in shown


async def test_a_citizen_who_takes_a_step_has_no_name_in_the_history(lived):
    reopened = (StepName.REOPEN, Actor(role=Role.CITIZEN, id="email:ouyang@white.example"), {"reason": "又坏了"})
    record = await lived((StepName.ANSWER, CATALOGUE, {"text": "修好了"}), reopened)
    last = views.of_ticket(record, unit=None, personal=False)["history"][-1]
    assert (last["step"], last["by"]) == ("reopen", {"role": "citizen"})


async def test_the_rule_and_the_candidates_are_the_centres_matter(lived):
    record = await lived((StepName.TRIAGE, CATALOGUE, {"reason": "?", "candidates": ("lamp",)}), DISPATCHED)
    assert "candidates" in seen(record, None)
    assert "candidates" not in seen(record, "lamp")


async def test_what_a_unit_objected_with_is_the_centres_matter_and_its_own(lived):
    paper = AttachmentRef(
        name="三定方案.pdf", media_type="application/pdf", size=1, sha256="a" * 64, blob=f"2026/01/15/{'a' * 64}"
    )
    objected = (StepName.OBJECT, LAMP, {"reason": "不归我们", "attachments": (paper,)})
    record = await lived(DISPATCHED, objected)
    sees = {unit: "三定方案" in seen(record, unit) for unit in ("lamp", "police", "willow", None)}
    assert sees == {"lamp": True, "police": False, "willow": False, None: True}
