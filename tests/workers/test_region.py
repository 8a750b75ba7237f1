"""A region's folder: those that come with us load, and every fault of another is named with file and line, at once."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from normalizer import Raw, identity, normalize
from normalizer.ticket import Inbound
from tests import haikou_catalogue
from workers import region_files
from workers.catalogue import Decided, decide
from workers.names import Names, Vocabulary
from workers.region import Region
from workers.region_files import RegionError

STREETS = Path(__file__).parents[2] / "../shared/data/places/beijing_streets.csv"
MANUAL = Path(__file__).parents[2] / "docs/how-to/write-a-region.md"
JANUARY = datetime(2026, 1, 15, tzinfo=UTC)
REGION = 'name = "小城"\nversion = "1"\ncentre = "centre"\n'
UNITS = """id,name,kind,parent,called,places,duties,hours
centre,热线中心,centre,,,,,24h
north,城北区政府,district,centre,,城北区;城北,,
north_city,城北区城管局,bureau,north,城管,,city,
willow,柳树街道,street,north,,柳树街,,
"""
RULES = """[[rule]]
id = "lamp"
why = "市容"
when = { words = ["路灯"] }
lead = "city@district"

[[rule]]
id = "law"
why = "法定途径"
when = { flags = ["legal"] }
decision = "refer_legal"
refer = "advice"
"""
REFERRALS = """[[referral]]
id = "advice"
name = "12348"
contact = "12348"
text = { zh = "请拨打 12348。" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("region", REGION), ("catalogue", RULES), ("referrals", REFERRALS)):
        (tmp_path / f"{name}.toml").write_text(text, "utf-8")
    (tmp_path / "units.csv").write_text(UNITS, "utf-8")
    return tmp_path


def problems(folder: Path) -> list[str]:
    with pytest.raises(RegionError) as error:
        region_files.load(folder)
    return error.value.problems


@pytest.mark.parametrize("name", region_files.names())
def test_every_region_that_comes_with_us_is_right(name: str) -> None:
    region = region_files.shipped(name)
    assert region.rules
    for unit in region.units.values():
        assert unit.id == region.facts.centre or region.facts.centre in region.above(unit.id)
    for referral in region.referrals.values():
        assert {*referral.text} == {"zh", "en"}
    assert all(unit.hours == "24h" for unit in region.units.values() if unit.kind == "utility"), "art. 19"


def test_beijing_has_its_districts_and_streets() -> None:
    region = region_files.shipped("beijing")
    kinds = Counter(unit.kind for unit in region.units.values())
    assert (kinds["centre"], kinds["district"], kinds["street"]) == (1, 16, 349)
    streets = [unit for unit in region.units.values() if unit.kind == "street"]
    assert all(unit.parent == f"d{unit.id[1:7]}" for unit in streets)


def test_the_streets_are_those_of_the_public_list() -> None:
    if not STREETS.exists():
        pytest.skip("the list of streets is not there")
    with STREETS.open(encoding="utf-8", newline="") as file:
        listed = {f"s{row['street_code']}": row["street"] for row in csv.DictReader(file)}
    units = region_files.shipped("beijing").units
    assert listed.keys() == {unit.id for unit in units.values() if unit.kind == "street"}
    assert all(units[street].name.startswith(name) for street, name in listed.items())


def test_every_district_has_whom_the_rules_need() -> None:
    region = region_files.shipped("beijing")
    for rule in region.rules:
        for named in (rule.lead or "", *rule.ask, *rule.co, *rule.cc):
            duty, _, level = named.partition("@")
            if duty and level == "district":
                assert region.anywhere(duty), f"{rule.id}: nobody above the districts has {duty}"


def test_a_right_folder_loads(folder: Path) -> None:
    region = region_files.load(folder)
    assert region.units["north"].places == ("城北区", "城北")
    assert region.below("north", "city") is region.units["north_city"]


def test_the_example_of_the_manual_is_right_and_does_what_it_says(tmp_path: Path) -> None:
    blocks = re.findall(r"\*\*(\S+)\*\*\n\n```\w+\n(.*?)```", MANUAL.read_text("utf-8"), re.DOTALL)
    assert [name for name, _ in blocks] == ["region.toml", "units.csv", "catalogue.toml", "referrals.toml"]
    for name, text in blocks:
        (tmp_path / name).write_text(text, "utf-8")
    region = region_files.load(tmp_path)

    def decided(text: str) -> Decided:
        raw = Raw(channel="web", source_id="x", received_at=JANUARY, body=text.encode())
        ticket = normalize(raw, Inbound(text=text, digest="0" * 64), number=identity.number(JANUARY.date(), 0, 1))
        return decide(ticket, region)

    assert decided("A stall on the pavement of Willow Lane").lead == "north_city"
    assert decided("A stall on the pavement of Willow Lane").cc == ("willow",)
    assert decided("No water in Northgate").lead == "water"
    assert decided("A stall on the road, Northgate Airport").needs_a_person
    assert decided("Stalls on the pavement of Northgate Road").needs_a_person
    assert decided("A stall on the road in Northgate, city management ignored us").lead == "north"
    assert decided("My landlord in Northgate").candidates == ("housing", "north")


def test_there_is_no_such_region() -> None:
    with pytest.raises(RegionError, match="beijing"):
        region_files.shipped("atlantis")
    with pytest.raises(RegionError):
        region_files.shipped("../rules")


def units(line: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "units.csv").write_text(UNITS + line + "\n", "utf-8") and None


def rule(*lines: str, before: bool = False) -> Callable[[Path], None]:
    text = "\n".join(("[[rule]]", 'id = "new"', 'why = "试验"', *lines, ""))
    whole = text + RULES if before else RULES + text
    return lambda folder: (folder / "catalogue.toml").write_text(whole, "utf-8") and None


def write(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text, "utf-8") and None


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


WHEN = 'when = { words = ["灯"] }'


@pytest.mark.parametrize(
    ("spoil", "where", "what"),
    [
        (remove("region.toml"), "region.toml:", "No such file"),
        (remove("units.csv"), "units.csv:", "No such file"),
        (remove("catalogue.toml"), "catalogue.toml:", "No such file"),
        (write("region.toml", "name ="), "region.toml:", "Invalid value"),
        (write("region.toml", REGION + 'colour = "red"\n'), "region.toml:", "colour"),
        (write("region.toml", REGION.replace('"centre"', '"moon"')), "region.toml:", "'moon' is no unit"),
        (units("Big,城南,district,centre,,,,"), "units.csv line 6:", "id:"),
        (units("south,城,district,centre,,,,"), "units.csv line 6:", "name:"),
        (units("south,城南区,county,centre,,,,"), "units.csv line 6:", "kind:"),
        (units("south,城南区,district,moon,,,,"), "units.csv line 6:", "parent 'moon'"),
        (units("south,城南区,district,,,,,"), "units.csv line 6:", "every other unit has one"),
        (units("south,城南区,district,south,,,,"), "units.csv line 6:", "above itself"),
        (units("north,城北区,district,centre,,,,"), "units.csv line 6:", "already: units.csv line 3"),
        (units("north_tax,税务局,bureau,north,,税务大楼,,"), "units.csv line 6:", "have places"),
        (units("south,城南区,district,centre,,,,,more"), "units.csv line 6:", "cells without a column"),
        (write("catalogue.toml", RULES + '[other]\nx = 1\n'), "catalogue.toml:", "'other'"),
        (write("catalogue.toml", "rule = 1\n"), "catalogue.toml:", "list of tables"),
        (rule(WHEN, 'lead = "moon"'), "catalogue.toml line 13:", "'moon'"),
        (rule(WHEN, 'lead = "fishing@district"'), "catalogue.toml line 13:", "'fishing@district'"),
        (rule(WHEN, 'lead = "city@country"'), "catalogue.toml line 13:", "'city@country'"),
        (rule(WHEN, 'ask = ["moon"]'), "catalogue.toml line 13:", "'moon'"),
        (rule(WHEN, 'lead = "north"', 'cc = ["moon"]'), "catalogue.toml line 13:", "'moon'"),
        (rule(WHEN), "catalogue.toml line 13:", "must name a lead"),
        (rule(WHEN, 'lead = "north"', 'ask = ["north"]'), "catalogue.toml line 13:", "not both"),
        (rule(WHEN, 'lead = "north"', 'refer = "advice"'), "catalogue.toml line 13:", "`refer`"),
        (rule(WHEN, 'decision = "explain"'), "catalogue.toml line 13:", "`refer`"),
        (rule(WHEN, 'decision = "explain"', 'refer = "moon"'), "catalogue.toml line 13:", "'moon'"),
        (rule(WHEN, 'decision = "call_back"', 'refer = "advice"'), "catalogue.toml line 13:", "'call_back'"),
        (rule(WHEN, 'decision = "explain"', 'refer = "advice"', 'co = ["north"]'), "catalogue.toml line 13:", "units"),
        (rule('when = { districts = ["willow"] }', 'lead = "north"'), "catalogue.toml line 13:", "no district"),
        (rule('when = { word = ["灯"] }', 'lead = "north"'), "catalogue.toml line 13:", "when.word"),
        (rule("when = {}", 'lead = "north"', before=True), "catalogue.toml line 1:", "always holds"),
        (rule(WHEN, 'lead = "north"', "[[rule]]", 'id = "new"', 'why = "x"', WHEN, 'lead = "north"'),
         "catalogue.toml line 18:", "already: catalogue.toml line 13"),
        (write("referrals.toml", REFERRALS.replace("zh", "en")), "referrals.toml line 1:", "text.zh"),
        (write("referrals.toml", REFERRALS + REFERRALS), "referrals.toml line 6:", "already: referrals.toml line 1"),
        (write("referrals.toml", REFERRALS.replace("contact", "phone")), "referrals.toml line 1:", "contact:"),
    ],
)  # fmt: skip
def test_each_kind_of_fault_is_named_with_its_place(
    folder: Path, spoil: Callable[[Path], None], where: str, what: str
) -> None:
    spoil(folder)
    found = problems(folder)
    assert any(one.startswith(where) and what in one for one in found), found


def test_all_faults_of_all_files_are_named_at_once(folder: Path) -> None:
    remove("region.toml")(folder)
    units("south,城南区,district,moon,,,,")(folder)
    rule(WHEN, 'lead = "sun"')(folder)
    write("referrals.toml", REFERRALS.replace("zh", "en"))(folder)
    found = problems(folder)
    assert [one.partition(":")[0] for one in found] == [
        "region.toml",
        "units.csv line 6",
        "catalogue.toml line 13",
        "referrals.toml line 1",
    ]


def test_a_table_written_in_another_way_is_counted(folder: Path) -> None:
    write("catalogue.toml", 'rule = [{ id = "new", why = "x", when = { words = ["灯"] }, lead = "moon" }]\n')(folder)
    assert problems(folder) == ["catalogue.toml rule 1: rule 'new': nobody answers to 'moon'"]


def test_of_names_the_longest_at_a_spot_counts_and_none_inside_another() -> None:
    names = Names([("安定门", "a"), ("安定门外", "b"), ("门外", "c"), ("Xicheng", "d")], elsewhere=["门外汉"])
    found = [(one.start, one.end, one.units) for one in names.find("安定门外，安定门，门外汉，门外，XICHENG")]
    assert found == [(0, 4, ("b",)), (5, 8, ("a",)), (13, 15, ("c",)), (16, 23, ("d",))]
    assert list(Names([]).find("安定门")) == []


def test_one_name_can_be_that_of_several_units() -> None:
    (found,) = Names([("城管", "a"), ("城管", "b")]).find("找城管")
    assert found.units == ("a", "b")


def test_words_are_found_also_inside_one_another() -> None:
    words = Vocabulary(["停水", "水", "停水了", "路灯"])
    assert words.held_by("今天停水了") == {"停水", "水", "停水了"}
    assert words.held_by("") == frozenset()


def test_the_catalogue_measured_on_a_citys_record(capsys: pytest.CaptureFixture[str]) -> None:
    """No target: it runs on the rows that it was not written from, explains each decision, and prints its figures."""
    if not haikou_catalogue.DATA.exists():
        pytest.skip("the record is not there")
    figures = haikou_catalogue.measure(haikou_catalogue.rows()[haikou_catalogue.LEARNT :])
    haikou_catalogue.report(figures)
    printed = capsys.readouterr().out
    for name, found in figures.items():
        assert found.rows == haikou_catalogue.TESTED
        assert found.unexplained == 0
        assert 0 < found.right < found.decided < found.rows
        assert f"{name}: {found.text()}" in printed


def test_the_measured_region_is_right() -> None:
    region = region_files.load(haikou_catalogue.REGION)
    assert isinstance(region, Region)
