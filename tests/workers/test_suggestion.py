"""What past tickets suggest: only where no rule decides, never whom the ticket accuses; a person where it is unsure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.training.examples import Example
from gateway.training.fit import Recipe, fit
from normalizer.life import StepName
from normalizer.models import Linear
from normalizer.ticket import Inbound, Kind, Ticket
from tests.accuracy.drafts import draft
from tests.workers.regions import town
from workers.catalogue import decide
from workers.region import Region
from workers.routing import concluded
from workers.suggestion import Suggester

PAST = [
    *(Example(f"{who}半夜打架斗殴，有人受伤", "市公安局") for who in ("邻居", "楼下", "酒吧", "工地")),
    *(Example(f"{what}井盖松动响个不停", "north_lamp") for what in ("门口", "路边", "桥头", "巷子")),
    *(Example(f"{what}合同纠纷想要调解", "某已撤销的单位") for what in ("租房", "买车", "装修", "健身")),
]


@pytest.fixture(scope="module")
def region() -> Region:
    return town()


@pytest.fixture(scope="module")
def model() -> Linear:
    return replace(fit(PAST, Recipe(bits=14)), lead=3.0, threshold=0.8)


def ticket(text: str) -> Ticket:
    return draft(Inbound(text=text, digest="0" * 64)).model_copy(update={"kind": Kind.COMPLAINT})


def test_what_is_sure_is_dispatched_and_says_why(region: Region, model: Linear) -> None:
    name, by, says = concluded(ticket("昨晚有人打架斗殴受伤"), region, Suggester(model, region))
    assert (name, by.id, says["lead"], says["rule"]) == (StepName.DISPATCH, "catalogue", "police", None)
    assert str(says["reason"]).startswith("suggested by past tickets")
    assert says["suggested"][0]["unit"] == "police"  # type: ignore[index]


def test_what_is_unsure_goes_to_a_person_with_the_likeliest(region: Region, model: Linear) -> None:
    timid = Suggester(replace(model, threshold=1.0), region)
    name, _, says = concluded(ticket("昨晚有人打架斗殴受伤"), region, timid)
    assert name is StepName.TRIAGE
    assert says["candidates"] == ("police", "north_lamp")
    assert all(0 <= one["confidence"] < 1 for one in says["suggested"])  # type: ignore[attr-defined]


def test_a_rule_comes_first(region: Region, model: Linear) -> None:
    words = ticket("停水了，昨晚有人打架斗殴受伤")
    assert concluded(words, region, Suggester(model, region)) == concluded(words, region)
    assert decide(words, region).lead == "water"


def test_nobody_is_suggested_whom_the_ticket_accuses(region: Region, model: Linear) -> None:
    decided = decide(ticket("昨晚打架斗殴有人受伤，市公安局不作为"), region)
    assert "police" in decided.accused
    advised = Suggester(model, region).advise(decided, ticket("昨晚打架斗殴有人受伤，市公安局不作为"))
    assert advised.lead != "police"
    assert "police" not in advised.candidates


def test_an_answer_that_is_no_unit_of_ours_dispatches_nothing(region: Region, model: Linear) -> None:
    asked = Suggester(model, region)
    assert asked.strangers == ("某已撤销的单位",)
    words = ticket("租房合同纠纷想要调解")
    assert asked.advise(decide(words, region), words).lead is None


def test_without_a_model_nothing_changes(region: Region) -> None:
    name, _, says = concluded(ticket("昨晚有人打架斗殴受伤"), region)
    assert name is StepName.TRIAGE
    assert "suggested" not in says
