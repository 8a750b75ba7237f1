"""The dispatch catalogue on the region that comes with us: a table of requests and who answers for them, and laws."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normalizer import Raw, identity, normalize
from normalizer.ticket import Category, Decision, Flag, Inbound, Kind, Place, Ticket
from tests.workers.regions import town
from workers import region_files
from workers.catalogue import Decided, decide
from workers.region import Facts, PlaceWords, Region, Rule, Unit, When

NOW = datetime(2026, 1, 15, 2, 30, tzinfo=UTC)
BEIJING = region_files.shipped("beijing")
SEED = (
    "我们社区北门是一条马路，路两侧有划线的公共停车位。有某家汽车4s店，把数十辆没有挂牌的新车都停在了这些公共车位上。"
)


def ticket(text: str, **said: Any) -> Ticket:
    raw = Raw(channel="web", source_id="x", received_at=NOW, body=text.encode())
    return normalize(raw, Inbound(text=text, digest="0" * 64, **said), number=identity.number(NOW.date(), 0, 1))


def said_of(text: str, region: Region = BEIJING, **said: Any) -> Decided:
    return decide(ticket(text, **said), region)


@pytest.mark.parametrize(
    ("text", "lead", "others"),
    [
        (f"我住马连道。{SEED}", "d110102_cg", {"d110102_jj", "s110102020"}),
        ("望京西园四区的路灯坏了三天", "d110105_csgl", {"s110105026"}),
        ("朝阳区家里停水一天了", "u_water", {"d110105_sw"}),
        ("昨晚开始停电，海淀区中关村街道", "u_power", {"d110108", "s110108011"}),
        ("我家暖气不热，室温只有15度", "u_heat", set()),
        ("丰台区方庄小区门口烧烤店油烟太大", "d110106_cg", {"d110106_hb", "s110106013"}),
        ("回龙观街道楼下每晚跳广场舞", "d110114_ga", {"s110114011"}),
        ("通州区梨园镇楼道里贴满小广告", "d110112_cg", {"s110112121"}),
        ("石景山区鲁谷街道物业不修电梯", "s110107011", {"d110107_zj", "d110107"}),
        ("西城区广安门外街道楼顶有人违建", "d110102_cg", {"d110102_gz", "s110102020"}),
        ("大兴区餐馆吃出虫子，食品安全没人管", "d110115_sc", set()),
        ("顺义区工地拖欠工资三个月", "d110113_rs", set()),
        ("东城区一所小学乱收费，课后班收费两千", "d110101_jw", set()),
        ("接到诈骗电话被骗五千，我在房山区", "d110111_ga", set()),
        ("门口下水道堵塞，污水外溢，怀柔区", "d110116_sw", {"u_drain"}),
        ("健身房跑路不退款，昌平区", "d110114_sc", set()),
        ("公积金怎么提取", "b_gjj", set()),
        ("Illegally parked cars in Chaoyang block our gate", "d110105_jj", {"d110105_cg"}),
    ],
)
def test_the_ordinary_matters_of_a_line(text: str, lead: str, others: set[str]) -> None:
    decided = said_of(text)
    assert decided.lead == lead, decided.why
    assert {*decided.co, *decided.cc} == others, decided.why
    assert decided.rule
    assert any(decided.rule in reason for reason in decided.why)


@pytest.mark.parametrize(
    ("text", "said", "decision", "referral"),
    [
        ("楼上着火了，全是烟", {}, Decision.REFER_EMERGENCY, "fire_119"),
        ("厨房燃气泄漏，味道很大", {}, Decision.REFER_EMERGENCY, "gas_119"),
        ("有人晕倒了没有呼吸", {}, Decision.REFER_EMERGENCY, "ambulance_120"),
        ("有人持刀砍人", {}, Decision.REFER_EMERGENCY, "police_110"),
        ("请问怎么起诉欠钱不还的人", {"kind": Kind.CONSULTATION}, Decision.REFER_LEGAL, "law_12348"),
        ("想申请劳动仲裁，去哪里", {"kind": Kind.CONSULTATION}, Decision.REFER_LEGAL, "labour_arbitration"),
        ("如何申请行政复议", {}, Decision.REFER_LEGAL, "review"),
        ("请问在哪里办理公证", {}, Decision.REFER_LEGAL, "notary"),
        ("怎样申请法律援助，请问", {}, Decision.REFER_LEGAL, "legal_aid"),
        ("举报村书记受贿", {"kind": Kind.REPORT}, Decision.REFER_LEGAL, "discipline"),
        ("合同纠纷", {"flags": (Flag.LEGAL,), "kind": Kind.CONSULTATION}, Decision.REFER_LEGAL, "law_12348"),
        ("上周反映的路灯，请告知进度", {"flags": (Flag.REPEAT,)}, Decision.EXPLAIN, "progress"),
        ("帮我查他的电话，查一个人的住址", {"kind": Kind.HELP}, Decision.EXPLAIN, "secret"),
        ("请问搬家公司电话是多少", {"kind": Kind.CONSULTATION}, Decision.EXPLAIN, "market"),
        ("哪里能办假证", {"kind": Kind.CONSULTATION}, Decision.EXPLAIN, "unlawful"),
        ("怎么查工单", {"kind": Kind.CONSULTATION}, Decision.ANSWERED, "hotline"),
    ],
)
def test_the_special_dispositions_of_article_11(
    text: str, said: dict[str, Any], decision: Decision, referral: str
) -> None:
    decided = said_of(text, **said)
    assert (decided.decision, decided.referral) == (decision, referral), decided.why
    assert decided.lead is None
    assert not decided.needs_a_person


@pytest.mark.parametrize(
    ("text", "said", "lead"),
    [
        ("去年我家着火，物业至今不修消防设施，朝阳区望京街道", {}, "s110105026"),
        ("西城区楼道堆物，容易引起火灾", {}, "d110102_xf"),
        ("举报朝阳区有人办假证，小广告贴到门上", {"kind": Kind.REPORT}, "d110105_cg"),
        ("法院判决后物业还是不修电梯，海淀区香山街道", {"kind": Kind.COMPLAINT}, "s110108016"),
        ("上周反映望京路灯不亮，至今没有解决", {"flags": (Flag.REPEAT,)}, "d110105_csgl"),
        ("搬家公司乱收费，海淀区，要求退款", {"kind": Kind.COMPLAINT}, "d110108_sc"),
    ],
)
def test_nobody_is_sent_away_for_a_word(text: str, said: dict[str, Any], lead: str) -> None:
    decided = said_of(text, **said)
    assert (decided.decision, decided.lead) == (Decision.DISPATCH, lead), decided.why


@pytest.mark.parametrize("kind", [Kind.COMPLAINT, Kind.REPORT, Kind.SUGGESTION])
def test_a_danger_within_a_complaint_is_for_a_person(kind: Kind) -> None:
    decided = said_of("朝阳区望京街道楼上着火了，没有人来", kind=kind)
    assert decided.needs_a_person
    assert decided.candidates == ("d110105_xf", "d110105_ga", "s110105026", "d110105")


def test_whoever_speaks_of_ending_life_reaches_a_person() -> None:
    assert said_of("我不想活了，准备跳楼", flags=(Flag.SELF_HARM,)).needs_a_person


@pytest.mark.parametrize(
    ("text", "district", "street"),
    [
        ("西城区广安门外街道的事", "d110102", "s110102020"),
        ("广外有件事", "d110102", "s110102020"),
        ("在马连道路有件事", "d110102", "s110102020"),
        ("天通苑有件事", "d110114", None),
        ("通州张家湾镇有件事", "d110112", "s110112105"),
        ("朝阳门那边有件事", "d110101", "s110101007"),
        ("海淀区八里庄街道有件事", "d110108", "s110108005"),
        ("something in Xicheng", "d110102", None),
        ("江西城口有件事", None, None),
        ("山东城管的事", None, None),
        ("长春市朝阳区有件事", None, None),
        ("北京市朝阳区有件事", "d110105", None),
        ("家乐福超市朝阳区店有件事", "d110105", None),
        ("大兴土木有件事", None, None),
        ("朝阳路有件事", None, None),
        ("老城区平房地区有件事", None, None),
        ("有件事", None, None),
    ],
)
def test_places_are_found_by_what_people_call_them(text: str, district: str | None, street: str | None) -> None:
    """Without a rule the district coordinates (art. 12); `why` says what was understood."""
    decided = said_of(text)
    assert decided.rule is None
    assert decided.lead == district
    assert decided.needs_a_person == (district is None)
    named = [reason for reason in decided.why if reason.startswith("street ")]
    assert named == ([f"street {street}: named"] if street else [])


def test_what_the_place_says_comes_before_the_words() -> None:
    place = Place(district="丰台区", detail="方庄芳古园")
    decided = said_of("从朝阳区过来，路灯坏了", place=place)
    assert (decided.lead, decided.cc) == ("d110106_csgl", ("s110106013",))


def test_a_street_of_the_words_must_lie_in_the_district_of_the_place() -> None:
    assert said_of("望京的路灯坏了", place=Place(district="海淀区")).cc == ()
    assert said_of("望京的路灯坏了", place=Place(district="朝阳区")).cc == ("s110105026",)


def test_a_place_in_another_city_is_none_of_ours() -> None:
    assert said_of("路灯坏了", place=Place(province="吉林省", city="长春市", district="朝阳区")).needs_a_person
    assert said_of("路灯坏了", place=Place(province="北京", city="市辖区", district="朝阳区")).lead == "d110105_csgl"


def test_several_districts_are_for_a_person_to_choose_from() -> None:
    """Art. 12: a matter across districts is talked over before it is dispatched."""
    decided = said_of("从东城区到西城区的红绿灯都坏了")
    assert decided.needs_a_person
    assert decided.candidates == ("d110101_jj", "d110102_jj")
    assert said_of("东城区和西城区的事").candidates == ("d110101", "d110102")
    assert set(said_of("八里庄街道的事").candidates) == {"d110105", "d110108"}


def test_the_district_coordinates_what_is_for_a_street_that_is_not_known() -> None:
    decided = said_of("海淀区小区的物业不修门")
    assert (decided.lead, decided.co) == ("d110108", ("d110108_zj",))


def test_without_a_place_a_local_duty_is_for_a_person() -> None:
    decided = said_of("楼下占道经营")
    assert decided.needs_a_person
    assert decided.rule == "street_trade"
    assert decided.candidates[0] == "b_cg"


@pytest.mark.parametrize(
    ("text", "lead"),
    [
        ("投诉西城城管不作为，马连道占道经营", "d110102"),
        ("西城区占道经营，城管推诿", "d110102"),
        ("推诿的西城城管还是没来，马连道占道经营", "d110102"),
        ("我要投诉城管，西城区占道经营", "d110102"),
        ("西城区人民政府推诿，马连道占道经营", "centre"),
        ("广外街道办态度恶劣，广外小区物业不修电梯", "d110102"),
    ],
)
@pytest.mark.parametrize("kind", [Kind.COMPLAINT, Kind.REPORT, Kind.OTHER])
def test_the_accused_and_those_below_never_have_it(text: str, lead: str, kind: Kind) -> None:
    decided = said_of(text, kind=kind)
    assert decided.lead == lead, decided.why
    accused = {"西城区人民政府": "d110102", "广外街道办": "s110102020"}.get(
        text.split("推")[0].split("态")[0], "d110102_cg"
    )
    for unit in (*decided.co, *decided.cc):
        assert accused not in (unit, *BEIJING.above(unit))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("西城区占道经营，希望城管来管一管", Kind.COMPLAINT),
        ("西城区占道经营，物业推诿", Kind.COMPLAINT),
        ("西城区占道经营，建议城管不要推诿", Kind.SUGGESTION),
    ],
)
def test_a_name_alone_accuses_nobody(text: str, kind: Kind) -> None:
    assert said_of(text, kind=kind).lead == "d110102_cg"


def test_a_name_that_many_share_means_the_one_of_the_place() -> None:
    assert said_of("朝阳区占道经营，城管推诿").accused == ("d110105_cg",)
    assert len(said_of("占道经营，城管推诿").accused) == 16


def region_with(*rules: Rule, **facts: Any) -> Region:
    given = town()
    said = given.facts.model_copy(update=facts)
    return Region(said, given.units, rules, given.referrals)


def test_every_part_of_a_condition_must_hold() -> None:
    when = When(
        kinds=(Kind.COMPLAINT,), categories=("roads",), flags=(Flag.REPEAT,), words=("Lamp",), with_words=("broken",),
        no_words=("candle",), districts=("north",),
    )  # fmt: skip
    region = region_with(Rule(id="all", why="every part", when=when, lead="water"))
    text, place = "The LAMP is broken", Place(district="城北区")
    whole: dict[str, Any] = {"kind": Kind.COMPLAINT, "flags": (Flag.REPEAT,), "place": place}
    category = Category(code="holes", path=("roads", "holes"), method="requester")

    def rule(text: str, category: Category | None = category, **said: Any) -> str | None:
        return decide(ticket(text, **said).model_copy(update={"category": category}), region).rule

    assert rule(text, **whole) == "all"
    assert rule(text, None, **whole) is None
    assert rule(f"{text}, no candle", **whole) is None
    assert rule("The lamp", **whole) is None
    assert rule("It is broken", **whole) is None
    for missing in whole:
        assert rule(text, **{key: value for key, value in whole.items() if key != missing}) is None


def test_a_rule_can_ask_a_person_and_says_whom_to_ask() -> None:
    region = region_with(
        Rule(id="ask", why="to be talked over", when=When(), ask=("city@district", "police", "@street"))
    )
    decided = decide(ticket("城北柳树街"), region)
    assert decided.needs_a_person
    assert (decided.rule, decided.reason) == ("ask", "to be talked over")
    assert decided.candidates == ("north_lamp", "police", "willow", "north")


WORDS = st.sampled_from(
    [
        *(name for unit in BEIJING.units.values() for name in (unit.name, *unit.called, *unit.places)),
        *(word for rule in BEIJING.rules for word in (*rule.when.words, *rule.when.with_words)),
        *BEIJING.facts.accusing,
        *BEIJING.facts.accusing_before,
        "，",
        "。",
        "市",
        "路",
        "的",
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(WORDS, max_size=12).map("".join),
    st.sampled_from(list(Kind)),
    st.lists(st.sampled_from(list(Flag)), max_size=3, unique=True),
    st.none() | st.builds(Place, district=st.none() | WORDS, street=st.none() | WORDS, city=st.none() | WORDS),
)
def test_laws_of_every_decision(text: str, kind: Kind, flags: list[Flag], place: Place | None) -> None:
    """One lead that is a unit and not the accused; or a text for the citizen; or a person, with the reason."""
    decided = said_of(text, kind=kind, flags=tuple(flags), place=place)
    units = (*((decided.lead,) if decided.lead else ()), *decided.co, *decided.cc, *decided.candidates)
    assert set(units) <= BEIJING.units.keys()
    assert len(units) == len(set(units))
    for unit in units:
        assert {*decided.accused}.isdisjoint((unit, *BEIJING.above(unit))) or unit == BEIJING.facts.centre
    assert decided.reason
    assert decided.why
    outcomes = (decided.lead is not None, decided.referral in BEIJING.referrals, decided.needs_a_person)
    assert outcomes.count(True) == 1
    assert decided == said_of(text, kind=kind, flags=tuple(flags), place=place)


def test_seven_hundred_units_cost_little() -> None:
    """The best of some, so that a busy machine does not count; the bound is ten times what an idle one needs."""
    one = ticket(f"我住马连道。{SEED}" * 4)
    decide(one, BEIJING)
    best = min(_took(one) for _ in range(30))
    assert best < 0.002


def _took(one: Ticket) -> float:
    before = time.process_time()
    decide(one, BEIJING)
    return time.process_time() - before


def test_names_of_other_cities_are_data() -> None:
    """`foreign`, `home`, `elsewhere` and `not_before`, each by itself."""
    words = PlaceWords(elsewhere=("小城北边",), foreign=("市",), home=("本市",), not_before=("路",))
    region = Region(Facts(name="小城", version="1", centre="centre", place_words=words), town().units, (), {})
    assert isinstance(region.units["north"], Unit)
    leads = {text: decide(ticket(text), region).lead for text in ("城北", "小城北边", "外市城北", "本市城北", "城北路")}
    assert leads == {"城北": "north", "小城北边": None, "外市城北": None, "本市城北": "north", "城北路": None}


@pytest.mark.parametrize(
    ("text", "flags", "decision"),
    [
        ("昨天邻居把我打伤了，还没处理", (Flag.VIOLENCE,), Decision.DISPATCH),
        ("邻居正在打我，手里有刀", (Flag.VIOLENCE, Flag.EMERGENCY), Decision.REFER_EMERGENCY),
    ],
)
def test_violence_that_is_over_is_for_a_person_and_not_for_110(
    text: str, flags: tuple[Flag, ...], decision: Decision
) -> None:
    decided = said_of(text, kind=Kind.HELP, flags=flags)
    assert decided.decision is decision, decided.why


def test_who_mentions_a_court_in_a_complaint_is_not_sent_to_12348() -> None:
    said = {"kind": Kind.COMPLAINT, "flags": (Flag.LEGAL,)}
    assert said_of("物业不修电梯，海淀区香山街道，我准备起诉", **said).decision is Decision.DISPATCH


@pytest.mark.parametrize("kind", [Kind.COMPLAINT, Kind.CONSULTATION])
def test_whom_intake_found_accused_does_not_get_it_whatever_the_kind(kind: Kind) -> None:
    decided = said_of("广外街道办城管科的人收摊贩红包，马连道占道经营没人管", kind=kind)
    assert "s110102020" in decided.accused, decided.why
    assert "s110102020" not in (decided.lead, *decided.co, *decided.cc, *decided.candidates)


def test_somebody_accused_of_a_unit_that_is_not_ours_is_for_a_person() -> None:
    decided = said_of("李庄村委会的干部拿了修路的回扣，路灯也不修，朝阳区望京街道", kind=Kind.COMPLAINT)
    assert decided.needs_a_person, decided.why


def test_what_no_rule_reads_is_for_a_person() -> None:
    decided = said_of("가로등이 고장났습니다. 수리해 주세요.", kind=Kind.HELP)
    assert (decided.needs_a_person, decided.rule) == (True, "other_script")
