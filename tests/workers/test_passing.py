"""What units are told by push: each step that concerns them, in order, as each may see it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from normalizer.life import Actor, Outcome, Role, StepName
from normalizer.ticket import Kind, Requester
from tests.workers.regions import town
from tests.workers.turns import NOW, Receiver, build, client
from workers.delivery import deliver
from workers.destinations.contract import Delivered, Disabled, TryLater
from workers.life import Lives

__all__ = ["build", "client"]

LEAD = Actor(role=Role.UNIT, id="north_lamp")
DESK = Actor(role=Role.OPERATOR, id="zhang")
SAID = "城北柳树街的路灯坏了"


@pytest.fixture
def line(queue, make_item, build):
    """A ticket for 城北区城管局, and the runtime of its worker; units are given by name."""

    async def run(*units: Receiver, now=NOW, source_id="a", sequence=1, **more):
        one = make_item(source_id, SAID, sequence=sequence, **more)
        queue.enqueue([one])
        runtime = build(Receiver("file"), units=units, region=town(), now=now)
        await deliver(runtime, one.ticket_id)
        return one, runtime

    return run


def told(unit: Receiver) -> list[tuple[str, str]]:
    return [(json.loads(event.document)["data"]["because"], event.id) for event in unit.had]


async def test_lead_and_informed_units_are_told_of_the_dispatch(line):
    lead, street, other = Receiver("north_lamp"), Receiver("willow"), Receiver("south_lamp")
    one, runtime = await line(lead, street, other)
    assert told(lead) == [("dispatch", f"{one.ticket_id}.2.north_lamp")]
    assert told(street) == [("dispatch", f"{one.ticket_id}.2.willow")]
    assert other.had == []
    data = json.loads(lead.had[0].document)["data"]
    assert (data["life"]["lead"], data["life"]["cc"]) == ("north_lamp", ["willow"])
    assert data["ticket"]["text"] == SAID
    await deliver(runtime, one.ticket_id)
    assert len(lead.had) == len(street.had) == 1


async def test_only_who_works_on_it_sees_the_citizen(line):
    lead, street = Receiver("north_lamp"), Receiver("willow")
    citizen = Requester(name="王芳", phone="+8613900000000")
    await line(lead, street, requester=citizen)
    assert "王芳" in lead.had[0].document.decode()
    assert "王芳" not in street.had[0].document.decode()
    assert "13900000000" not in street.had[0].document.decode()


@pytest.mark.parametrize("asked", [{"confidential": True}, {"anonymous": True}])
async def test_nobody_sees_a_citizen_who_asked_to_stay_hidden(line, asked):
    lead = Receiver("north_lamp")
    await line(lead, requester=Requester(name="王芳", phone="+8613900000000", **asked))
    assert "王芳" not in lead.had[0].document.decode()


async def test_nobody_sees_a_reporter(line):
    lead = Receiver("north_lamp")
    await line(lead, requester=Requester(name="王芳"), kind=Kind.REPORT)
    assert "王芳" not in lead.had[0].document.decode()


async def test_an_upheld_objection_is_told_to_both(line):
    lead, other = Receiver("north_lamp"), Receiver("south_lamp")
    one, runtime = await line(lead, other)
    lives = Lives(runtime.store)
    await lives.take(one.ticket_id, StepName.OBJECT, LEAD, NOW, operation="o", says={"reason": "不归我们"})
    await lives.take(
        one.ticket_id, StepName.UPHOLD, DESK, NOW, operation="u", says={"lead": "south_lamp", "reason": "对"}
    )
    await deliver(runtime, one.ticket_id)
    assert [because for because, _ in told(lead)] == ["dispatch", "uphold"]
    assert [because for because, _ in told(other)] == ["uphold"]


async def test_who_lost_a_ticket_hears_that_and_nothing_of_it(line):
    lead, other = Receiver("north_lamp"), Receiver("south_lamp")
    one, runtime = await line(lead, other, requester=Requester(name="王芳"))
    lives = Lives(runtime.store)
    new, taken = Actor(role=Role.UNIT, id="south_lamp"), {}
    for step, by, says in (
        (StepName.OBJECT, LEAD, {"reason": "不归我们"}),
        (StepName.UPHOLD, DESK, {"lead": "south_lamp", "reason": "中心内部意见"}),
        (StepName.SIGN, new, {}),
        (StepName.CONTACT, new, {"text": "来电人说原单位不作为"}),
    ):
        taken[step] = await lives.take(one.ticket_id, step, by, NOW, operation=step, says=says)
    await deliver(runtime, one.ticket_id)
    gone = json.loads(lead.had[-1].document)["data"]
    version = taken[StepName.UPHOLD].version
    head = {"unit": "north_lamp", "because": "uphold", "version": version, "number": one.number}
    assert gone == head | {"yours": False}
    theirs = json.loads(other.had[-1].document)["data"]
    assert (theirs["yours"], theirs["number"], theirs["ticket"]["text"]) == (True, one.number, SAID)
    await lives.take(one.ticket_id, StepName.REPLY, new, NOW, operation="r", says={"text": "好", "outcome": "resolved"})
    await lives.take(one.ticket_id, StepName.REOPEN, DESK, NOW, operation="again", says={"reason": "又坏了"})
    await deliver(runtime, one.ticket_id)
    assert [json.loads(event.document)["data"]["yours"] for event in other.had] == [True, False]
    assert "又坏了" not in other.had[-1].document.decode()


async def test_a_unit_that_is_down_holds_up_no_other_and_gets_the_same_id_later(line, build):
    lead, street = Receiver("north_lamp", [TryLater("status_500", None), Delivered()]), Receiver("willow")
    one, _ = await line(lead, street)
    assert len(street.had) == 1
    await deliver(
        build(Receiver("file"), units=(lead, street), region=town(), now=NOW + timedelta(minutes=1)), one.ticket_id
    )
    assert [event.id for event in lead.had] == [f"{one.ticket_id}.2.north_lamp"] * 2
    assert len(street.had) == 1


async def test_a_unit_that_is_gone_is_listed_as_dead_and_can_be_replayed(line):
    lead = Receiver("north_lamp", [Disabled("status_410"), Delivered()])
    one, runtime = await line(lead)
    [entry] = await runtime.dead.list()
    assert (entry.destination, entry.event_id) == ("unit:north_lamp", f"{one.ticket_id}.2.north_lamp")
    await runtime.dead.replay(entry, NOW.timestamp())
    await deliver(runtime, one.ticket_id)
    assert len(lead.had) == 2
    assert await runtime.dead.list() == []


async def test_a_citizens_message_reaches_the_unit_at_work(line, queue, make_item):
    lead = Receiver("north_lamp")
    one, runtime = await line(lead)
    later = make_item("b", "今天更暗了", sequence=2, threads=(f"number:{one.number}",), senders=(f"code:{one.code}",))
    queue.enqueue([later])
    await deliver(runtime, one.ticket_id)
    assert [because for because, _ in told(lead)] == ["dispatch", "follow_up"]
    assert "今天更暗了" in lead.had[-1].document.decode()


async def test_what_a_unit_does_itself_is_not_told_to_it(line):
    lead = Receiver("north_lamp")
    one, runtime = await line(lead)
    lives = Lives(runtime.store)
    await lives.take(one.ticket_id, StepName.SIGN, LEAD, NOW, operation="s")
    says = {"text": "修好了", "outcome": Outcome.RESOLVED}
    await lives.take(one.ticket_id, StepName.REPLY, LEAD, NOW, operation="r", says=says)
    await deliver(runtime, one.ticket_id)
    assert [because for because, _ in told(lead)][:1] == ["dispatch"]
    assert "reply" not in [because for because, _ in told(lead)]
