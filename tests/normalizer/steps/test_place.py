"""Where it is: divisions by name, guarded against names of other things; the address below; what was given stays.

Every text is invented; how often the step is right on real ones, tests/accuracy/place.py measures.
"""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from normalizer import Inbound, Place, Source, Speaker, Ticket, Turn
from normalizer.config import NormalizerConfig
from normalizer.places import gazetteer
from normalizer.places.names import short
from normalizer.simplified import simplified
from normalizer.steps.place import STEP, find_place
from tests.effort import slowness

NOW: Final = datetime(2026, 11, 23, tzinfo=UTC)
HAIKOU, FUZHOU, BEIJING = (gazetteer.site(name) for name in ("海口市", "350100", "北京"))


def step(text: str, scope: str = "", *, title: str = "", place: Place | None = None, **said: object) -> Ticket:
    """The step alone."""
    draft = Ticket(
        ticket_id="t" + "a" * 26, number="2026112301000017", channel="web", received_at=NOW,
        source=Source(id="1", received_at=NOW), title=title, text=text, place=place,
    ).model_copy(update=said)  # fmt: skip
    return find_place(Inbound(text=text, digest="0", place=place), draft, scope=scope)


def where(text: str, scope: str = "", place: Place | None = None) -> Place:
    return step(text, scope, place=place).place or Place()


def named(text: str, scope: str = "") -> tuple[str | None, str | None, str | None]:
    found = where(text, scope)
    return found.city, found.district, found.street


@pytest.mark.parametrize(
    ("text", "scope", "city", "district", "street"),
    [
        # the whole name, in three cities
        ("美兰区的路灯坏了", HAIKOU, "海口市", "美兰区", None),
        ("海口市龙华区金贸街道停水", HAIKOU, "海口市", "龙华区", "金贸街道"),
        ("鼓楼区水部街道积水", FUZHOU, "福州市", "鼓楼区", "水部街道"),
        ("闽侯县上街镇垃圾没人收", FUZHOU, "福州市", "闽侯县", "上街镇"),
        ("海淀区中关村街道昨晚停电", BEIJING, "北京市", "海淀区", "中关村街道"),
        # a street or town gives the district
        ("云龙镇停水", HAIKOU, "海口市", "琼山区", "云龙镇"),
        ("天通苑北街道太吵", BEIJING, "北京市", "昌平区", "天通苑北街道"),
        # an office, an island, a zone
        ("海甸办事处的人来过", HAIKOU, "海口市", "美兰区", "海甸街道"),
        ("凤翔街道办不受理", HAIKOU, "海口市", "琼山区", "凤翔街道"),
        ("家住海甸岛", HAIKOU, "海口市", "美兰区", "海甸街道"),
        ("桂林洋昨夜停电", HAIKOU, "海口市", "美兰区", "海口桂林洋经济开发区（农场）"),
        ("中关村太堵", BEIJING, "北京市", "海淀区", "中关村街道"),
        # short names where they stand for the place or for its authority
        ("请秀英城管处理", HAIKOU, "海口市", "秀英区", None),
        ("仓山，垃圾成堆", FUZHOU, "福州市", "仓山区", None),
        ("长乐的水很浑", FUZHOU, "福州市", "长乐区", None),
        ("仓山燎原路积水", FUZHOU, "福州市", "仓山区", None),
        ("我住在府城。", HAIKOU, "海口市", "琼山区", "府城街道"),
        # a former name
        ("长乐市漳港街道路灯坏了", FUZHOU, "福州市", "长乐区", "漳港街道"),
        # another city, named
        ("三亚市天涯区解放路积水", HAIKOU, "三亚市", "天涯区", None),
        ("深圳龙华区的工地", HAIKOU, "深圳市", "龙华区", None),
        ("临高县临城镇停电", HAIKOU, None, "临高县", "临城镇"),
        # without a city of our own
        ("长春市朝阳区积水", "", "长春市", "朝阳区", None),
        ("北京朝阳区积水", "", "北京市", "朝阳区", None),
        ("朝阳区望京街道积水", "", "北京市", "朝阳区", "望京街道"),
        ("朝阳区积水", "", None, "朝阳区", None),
        ("朝阳区积水", BEIJING, "北京市", "朝阳区", None),
        ("城北区积水", "", None, "城北区", None),
        ("西宁市城北区积水", "", "西宁市", "城北区", None),
        # traditional characters
        ("朝陽區望京街道路燈壞了", BEIJING, "北京市", "朝阳区", "望京街道"),
        ("美蘭區海甸島停水", HAIKOU, "海口市", "美兰区", "海甸街道"),
    ],
)
def test_divisions(text: str, scope: str, city: str | None, district: str | None, street: str | None) -> None:
    assert named(text, scope) == (city, district, street)


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        # the name of something else
        *[
            (text, HAIKOU)
            for text in ("秀英大道堵车", "美兰机场的出租车", "海秀派出所电话", "龙华路积水", "琼山中学补课")
        ],
        *[
            (text, HAIKOU)
            for text in ("秀英小街脏", "秀英港排队", "美兰国际机场停车贵", "桂林洋大道堵", "灵山镇派出所")
        ],
        *[(text, FUZHOU) for text in ("长乐北路堵", "仓山万达停车贵", "鼓楼大街堵", "金山大道积水", "鼓山花苑物业")],
        *[(text, BEIJING) for text in ("鼓楼大街堵", "朝阳路堵", "海淀医院挂号难", "和平里北街停电", "西单商场")],
        # a word that only looks like one
        *[(text, HAIKOU) for text in ("本市中区域太吵", "东方市场太脏", "人民政府不管", "街道上没有灯", "小区别停车")],
        # only where somebody is from
        *[(text, HAIKOU) for text in ("其户籍在临高县", "老家是文昌市的", "身份证是儋州市的，想办居住证")],
        # nothing at all
        *[(text, HAIKOU) for text in ("路灯坏了", "", "。", "A3区的路灯", "12345")],
        # a name of another city's district, with no word of that city
        *[(text, HAIKOU) for text in ("朝阳区", "新城区太吵")],
    ],
)
def test_no_division_is_named(text: str, scope: str) -> None:
    assert named(text, scope)[1:] == (None, None)


@pytest.mark.parametrize(
    ("text", "scope", "district", "street"),
    [
        ("美兰灵山那边的菜市场污水横流", HAIKOU, "美兰区", "灵山镇"),
        ("在长乐金峰的店被罚", FUZHOU, "长乐区", "金峰镇"),
        ("大致坡圩的路边排水沟臭", HAIKOU, "美兰区", "大致坡镇"),
        ("孩子户口落在鼓西，怎么迁", FUZHOU, "鼓楼区", "鼓西街道"),
        ("安徽老家的人在祥谦镇打工", FUZHOU, "闽侯县", "祥谦镇"),
        ("丰台区马家堡的公交场站扰民", BEIJING, "丰台区", "马家堡街道"),
        ("昌平回龙观地区夜里太吵", BEIJING, "昌平区", "回龙观街道"),
        ("马尾船政那边修路", FUZHOU, "马尾区", None),
        ("我叫海淀，想改名", BEIJING, None, None),
        ("武侯祠大街修路多久完", gazetteer.site("成都市"), None, None),
        ("大雁塔的喷泉几点开", gazetteer.site("西安市"), None, None),
        ("南京西路的电梯停了", gazetteer.site("上海市"), None, None),
        ("美兰机场那边打车难", HAIKOU, None, None),
    ],
)
def test_a_short_name_counts_where_it_means_the_place(
    text: str, scope: str, district: str | None, street: str | None
) -> None:
    found = where(text, scope)
    assert (found.district, found.street) == (district, street)


@pytest.mark.parametrize(
    ("text", "scope", "district", "others"),
    [
        ("我住在龙华区金贸街道，请美兰区核实", HAIKOU, "龙华区", "美兰区"),
        ("美兰区城管局来电反馈：秀英区海秀镇工地太吵", HAIKOU, "秀英区", "美兰区"),
        ("从琼山区坐车去的，地址位于秀英区长流镇", HAIKOU, "秀英区", "琼山区"),
        ("前往台江区，车停在鼓楼区温泉街道", FUZHOU, "鼓楼区", "台江区"),
    ],
)
def test_of_several_the_one_with_the_address_stands_and_the_others_are_told(
    text: str, scope: str, district: str, others: str
) -> None:
    ticket = step(text, scope)
    assert ticket.place is not None
    assert ticket.place.district == district
    assert [others in note.detail for note in ticket.notes if note.code == "others"] == [True]


def test_several_that_weigh_alike_lower_the_confidence() -> None:
    one, two = where("东城区的灯坏了", BEIJING), where("东城区和西城区的灯坏了", BEIJING)
    assert one.confidence is not None
    assert two.confidence is not None
    assert two.confidence < 0.85 < one.confidence


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("美兰区文明东路105号旁边的工地太吵", "文明东路105号"),
        ("龙华区海瑞路31-2号停水", "海瑞路31-2号"),
        ("美兰区海甸岛五西路25号海韵小区3栋停电", "五西路25号海韵小区3栋"),
        ("凤翔路与城南路交叉口积水", "凤翔路与城南路交叉口"),
        ("琼山区凤翔路和中山南路积水", "凤翔路和中山南路"),
        ("在新港码头公交站等了一小时", "新港码头公交站"),
        ("位于明珠广场的灯坏了", "明珠广场"),
        ("仓山区建新镇红江村没有路灯", "红江村"),
        ("仓山区龙津河很臭", "龙津河"),
        ("路灯坏了，和平大道很黑", "和平大道"),
        ("徐匯區的衡山路12弄3號停水", "衡山路12弄3號"),
    ],
)
def test_detail_is_an_address_in_the_citizens_own_characters(text: str, detail: str) -> None:
    assert where(text, HAIKOU).detail == detail


@pytest.mark.parametrize(
    "text",
    [
        "这条路坏了",
        "小区很吵",
        "我们小区停水",
        "机动车堵路",
        "网路不通",
        "没有出路",
        "修路",
        "农村的道路",
        "街道上",
        "整个小区停电",
    ],
)
def test_no_detail_without_a_name(text: str) -> None:
    assert where(text, HAIKOU) == Place()


def test_an_address_without_a_city_is_in_our_own() -> None:
    found = where("文明东路105号停水", HAIKOU)
    assert (found.province, found.city, found.detail) == ("海南省", "海口市", "文明东路105号")
    assert found.confidence is not None
    assert found.confidence < 0.5
    assert where("文明东路105号停水").city is None


def test_our_own_city_alone_is_no_place() -> None:
    assert where("要表扬一位师傅", HAIKOU) == Place()


def test_the_words_of_the_place_are_the_citizens() -> None:
    assert where("您好，海口市美兰区海甸岛二东路12号停水了", HAIKOU).text == "海口市美兰区海甸岛二东路12号"


def test_what_was_typed_stays_and_is_completed() -> None:
    given_ = Place(text="海甸岛", lat=20.06, lon=110.33)
    found = where("请龙华区处理", HAIKOU, given_)
    assert (found.text, found.lat, found.lon) == ("海甸岛", 20.06, 110.33)
    assert (found.city, found.district, found.street) == ("海口市", "美兰区", "海甸街道")


def test_a_position_keeps_its_coordinates_and_gets_names() -> None:
    found = where("美兰区灵山镇积水", HAIKOU, Place(lat=19.99, lon=110.42))
    assert (found.lat, found.lon, found.district, found.street) == (19.99, 110.42, "美兰区", "灵山镇")


@pytest.mark.parametrize(
    "given_",
    [
        Place(district="琼山区"),
        Place(district="琼山"),
        Place(city="三亚市"),
        Place(province="广东省"),
        Place(district="别处区"),
    ],
)
def test_nothing_is_added_from_another_place_than_the_given_one(given_: Place) -> None:
    found = where("龙华区金贸街道停水", HAIKOU, given_)
    assert found.street is None
    assert "龙华区" not in (found.district, found.text)
    for name in ("province", "city", "district"):
        assert getattr(given_, name) in (None, getattr(found, name))


def test_the_more_careful_of_two_confidences_stands() -> None:
    assert where("", HAIKOU, Place(text="美兰区", confidence=0.4)).confidence == 0.4
    found = where("", HAIKOU, Place(text="美兰区", confidence=1.0)).confidence
    assert found is not None
    assert found < 1.0


def test_the_middle_of_the_district_is_told_as_that() -> None:
    ticket = step("美兰区积水", HAIKOU)
    assert ticket.place is not None
    assert (ticket.place.lat, ticket.place.lon) == (20.031, 110.362)
    assert "centre" in {note.code for note in ticket.notes}


def test_a_conversation_is_read_where_there_is_no_text_but_not_the_agents_words() -> None:
    turns = (Turn(speaker=Speaker.AGENT, text="您在龙华区吗"), Turn(speaker=Speaker.CITIZEN, text="不，在美兰区"))
    found = step("", HAIKOU, conversation=turns).place
    assert found is not None
    assert found.district == "美兰区"


def test_every_conclusion_is_told() -> None:
    notes = {note.code: note.detail for note in step("美兰区海甸岛文明路5号", HAIKOU).notes if note.step == STEP}
    assert notes.keys() == {"district", "street", "detail", "centre"}
    assert "460108" in notes["district"]
    assert "460108004" in notes["street"]


@pytest.mark.parametrize(
    "said", ["海口", "海口市", "460100", "4601", 460100, "临高县", "昆山市", "重庆", "海南省", None]
)
def test_a_site_names_its_city(said: object) -> None:
    NormalizerConfig.model_validate({"city": said})


@pytest.mark.parametrize("said", ["", "某市", "朝阳区", "999999", True, ["海口"]])
def test_a_city_that_is_none_or_several_is_refused(said: object) -> None:
    with pytest.raises(ValidationError):
        NormalizerConfig.model_validate({"city": said})


def test_a_county_has_its_own_streets() -> None:
    kunshan = gazetteer.site("昆山市")
    assert named("花桥镇停水", kunshan)[1:] == ("昆山市", "花桥镇")


def test_every_street_of_beijing_is_found_by_its_name() -> None:
    """Dispatch finds its unit by it."""
    missed = [
        street.name
        for area in gazetteer.areas_in(BEIJING)
        for street in gazetteer.streets(area.code)
        if named(f"{area.name}{street.name}的路灯坏了", BEIJING)[1:] != (area.name, street.name)
    ]
    assert missed == []


PIECES: Final = st.sampled_from(
    [
        *["美兰区", "美兰", "海甸岛", "海口市", "三亚市", "天涯区", "鼓楼区", "朝陽區", "临高县"],
        *["户籍", "位于", "请", "往", "路", "大道", "12号", "花园", "小区"],
        *["交叉口", "与", "和", "村", "街道", "镇", "市", "区", "，"],
        *["。", "秀英", "人民", "長樂"],
        *["\n", " "],
    ]
)
TEXTS: Final = st.lists(st.text(max_size=5) | PIECES, max_size=14).map("".join)
PLACES: Final = st.none() | st.builds(
    Place, text=st.none() | TEXTS, city=st.none() | PIECES, district=st.none() | PIECES, street=st.none() | PIECES,
    detail=st.none() | TEXTS, lat=st.none() | st.floats(-90, 90), confidence=st.none() | st.floats(0, 1),
)  # fmt: skip
SCOPES: Final = st.sampled_from(["", HAIKOU, FUZHOU, BEIJING, "469024"])


@settings(deadline=None)
@given(TEXTS, SCOPES, PLACES)
def test_applied_twice_it_concludes_the_same(text: str, scope: str, place: Place | None) -> None:
    once = step(text, scope, place=place)
    again = find_place(Inbound(text=text, digest="0", place=place), once, scope=scope)
    assert again.place == once.place


@settings(deadline=None)
@given(TEXTS, SCOPES, PLACES)
def test_what_was_given_is_never_changed(text: str, scope: str, place: Place | None) -> None:
    found = step(text, scope, place=place).place
    for name in Place.model_fields:
        said = getattr(place, name) if place else None
        if said is not None and name != "confidence":
            assert getattr(found, name) == said


@settings(deadline=None)
@given(TEXTS, SCOPES)
def test_no_name_is_invented(text: str, scope: str) -> None:
    """The narrowest division is named in the text, in one of its forms; what is wider contains it, or is our own."""
    found, key = where(text, scope), simplified(text)
    for words in (found.text, found.detail):
        assert words is None or words in text
    narrowest = found.street or found.district or (found.city if found.detail is None else None)
    if narrowest is not None and not (len(scope) == 6 and found.street is None):
        divisions = [*gazetteer.wide(), *gazetteer.areas()]
        divisions += [one for area in gazetteer.areas() for one in gazetteer.streets(area.code)] if found.street else []
        forms = {form for one in divisions if one.name == narrowest for form in (short(one), one.former)}
        assert any(form and simplified(form) in key for form in forms)


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(exclude_categories=())), SCOPES)
def test_any_text_is_read(text: str, scope: str) -> None:
    step(text, scope)


def test_it_is_fast() -> None:
    """0.1 ms for 300 characters, on the machine on which the bounds were chosen."""
    told = "市民来电反映：其住在美兰区海甸岛二东路12号某某花园3栋，楼下工地夜间施工，噪音很大。"
    more = "白天也一样，找过好几个单位都没有结果，家里有老人和孩子，已经连续一个月睡不好觉，希望尽快答复。"
    text = (told + more * 2 + told + more * 2)[:300]
    assert len(text) > 270
    step(text, HAIKOU)
    spent = []
    draft = step("", HAIKOU).model_copy(update={"text": text})
    for _ in range(200):
        began = time.thread_time()
        find_place(Inbound(text=text, digest="0"), draft, scope=HAIKOU)
        spent.append(time.thread_time() - began)
    assert statistics.median(spent) < 0.000_1 * 1.5 * slowness()


def test_a_hostile_text_costs_no_more_than_its_length() -> None:
    began = time.thread_time()
    for piece in ("美兰区", "路", "在", "海口市海口市", "区" * 8, "1号", "和平路与"):
        step((piece * 20_000)[:20_000], HAIKOU)
    assert time.thread_time() - began < 1.0 * slowness()
