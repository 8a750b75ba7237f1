"""What past tickets suggest: only where no rule decides, never whom the ticket accuses; a person where it is unsure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.training.examples import Example
from gateway.training.fit import Recipe, fit
from normalizer import models
from normalizer.life import State, StepName
from normalizer.models import Linear
from normalizer.ticket import Flag, Inbound, Kind, Ticket, Tier
from tests.accuracy.drafts import draft
from tests.workers.regions import town
from tests.workers.turns import build, client
from workers.catalogue import decide
from workers.delivery import deliver
from workers.dispatch_config import DispatchConfig
from workers.region import Region
from workers.routing import concluded
from workers.suggestion import Suggester

__all__ = ["build", "client"]

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


def test_a_street_leads_and_its_district_is_informed(region: Region, model: Linear) -> None:
    named = replace(model, labels=tuple("willow" if label == "north_lamp" else label for label in model.labels))
    _, _, says = concluded(ticket("桥头井盖松动响个不停"), region, Suggester(named, region))
    assert (says["lead"], says["cc"]) == ("willow", ("north",)), "art. 12"


def test_a_unit_by_two_names_is_suggested_once(region: Region, model: Linear) -> None:
    named = replace(model, labels=tuple("police" if label == "north_lamp" else label for label in model.labels))
    told = Suggester(named, region).suggest(ticket("昨晚有人打架斗殴受伤"))
    assert [one.unit for one in told] == ["police", None]
    assert sum(one.confidence for one in told) == pytest.approx(1, abs=1e-3)


def test_who_is_accused_without_a_name_may_be_the_one_suggested(region: Region, model: Linear) -> None:
    words = ticket("昨晚打架斗殴有人受伤，出警的人不管")
    against = words.model_copy(update={"flags": (Flag.AGAINST_OFFICIAL,)})
    unnamed = words.model_copy(update={"flags": (Flag.AGAINST_OFFICIAL,), "accused": ("出警的人",)})
    asked = Suggester(model, region)
    assert concluded(words, region, asked)[0] is StepName.DISPATCH
    for one in (against, unnamed):
        assert concluded(one, region, asked)[0] is StepName.TRIAGE


def test_nothing_is_dispatched_out_of_the_district_that_is_named(region: Region, model: Linear) -> None:
    asked = Suggester(model, region)
    here = concluded(ticket("城北区桥头井盖松动响个不停"), region, asked)[2]
    there = concluded(ticket("城南区桥头井盖松动响个不停"), region, asked)[2]
    assert here["lead"] == "north_lamp"
    assert there["lead"] == "south", "the district that is named coordinates (art. 12)"
    assert there["suggested"][0]["unit"] == "north_lamp"  # type: ignore[index]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A town's past, exported and trained from as its operator would."""
    folder, chance = tmp_path_factory.mktemp("past"), Random(3)
    lines = ["number,text,unit"]
    for at in range(240):
        unit, what = chance.choice((("市公安局", "打架斗殴有人受伤"), ("north_lamp", "井盖松动响个不停")))
        unit = "市公安局" if at % 30 == 0 else unit  # what nobody could foresee
        lines.append(f"{2000 + at},{chance.choice(('门口', '路边', '桥头', '巷子'))}{what}第{at}次,{unit}")
    (folder / "past.csv").write_text("\n".join(lines), encoding="utf-8")
    words = ("train", "units", "--from", folder / "past.csv", "--text", "text", "--out", folder)
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return folder / "units.model"


@pytest.mark.parametrize(
    ("text", "tier", "state", "first"),
    [
        ("桥头井盖松动响个不停", Tier.DAYS_7, State.DISPATCHED, "north_lamp"),
        ("巷子打架斗殴有人受伤", Tier.IMMEDIATE, State.DISPATCHED, "police"),
        ("打听图书馆几点开门", Tier.DAYS_7, State.TRIAGE, None),
    ],
)
async def test_a_trained_site_dispatches_on_the_queue_and_tells_how_sure(
    queue, make_item, build, region, trained, text, tier, state, first
) -> None:
    config = DispatchConfig.model_validate({"suggest": trained})
    assert config.suggest is not None
    runtime = replace(build(region=region), suggester=Suggester(models.load(config.suggest), region))
    item = make_item("past", text, tier=tier)
    queue.enqueue([item])
    assert await deliver(runtime, item.ticket_id) == "settled"
    record = await runtime.store.load(item.ticket_id)
    assert record.state == state
    told = next((event["data"]["suggested"] for event in record.events() if event["data"].get("suggested")), [])
    assert bool(told) == (first is not None), "hardly a word of it was ever said there"
    if told:
        assert record.fields["lead"] == told[0]["unit"] == first
        assert 1 >= told[0]["confidence"] >= models.load(trained).threshold
        assert len(told) <= 3
