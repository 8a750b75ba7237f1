"""Kind and category: given by a person, said in words, learned, or left open; each with a note of why."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from normalizer import Raw, identity, models, normalize
from normalizer.config import NormalizerConfig
from normalizer.kinds import book, declared, hinted
from normalizer.taxonomy import taxonomies
from normalizer.ticket import Inbound, Kind, Ticket
from tests.accuracy.drafts import NUMBER, WHEN

WAGES = "我在工地干了三个月，老板一直拖欠工资，劳动合同也没有签，社保没有交，请劳动部门帮我们农民工讨薪。"


def read(text: str, block: dict[str, object] | None = None, **said: object) -> Ticket:
    raw = Raw(channel="web", source_id="x", received_at=WHEN, body=text.encode())
    inbound = Inbound.model_validate({"text": text, "digest": identity.content_digest(text.encode()), **said})
    return normalize(raw, inbound, number=NUMBER, config=NormalizerConfig.model_validate(block or {}))


def codes(ticket: Ticket, step: str) -> list[str]:
    return [note.code for note in ticket.notes if note.step == step]


@pytest.mark.parametrize(("find", "group"), [(declared, "kind"), (hinted, "hint")])
def test_every_rule_finds_its_examples_and_none_of_its_near_misses(find, group: str) -> None:
    for saying in getattr(book(), group):
        assert [find(example) for example in saying.examples] == [saying.kind] * len(saying.examples)
        assert saying.kind not in [find(miss) for miss in saying.near_misses]


def test_all_six_kinds_have_rules() -> None:
    assert (
        {saying.kind for saying in book().kind} == {saying.kind for saying in book().hint} == set(Kind) - {Kind.OTHER}
    )


def test_what_a_person_chose_stands() -> None:
    ticket = read("我要投诉。" + WAGES, kind="praise", category="roads")
    assert ticket.kind is Kind.PRAISE
    assert ticket.category is not None
    assert (ticket.category.code, ticket.category.method) == ("roads", "requester")
    assert codes(ticket, "kind") == codes(ticket, "category") == []


def test_a_title_speaks_before_its_text() -> None:
    assert read("医院的护士长太凶了，我要投诉她。", title="咨询：在哪里预约挂号").kind is Kind.CONSULTATION


def test_traditional_characters_are_read_as_simplified() -> None:
    assert read("我要投訴樓下餐廳的油煙。").kind is Kind.COMPLAINT


def test_what_the_model_is_sure_of_is_concluded_and_noted() -> None:
    ticket = read(WAGES)
    assert ticket.category is not None
    assert ticket.category.path == ("劳动和社会保障",)
    assert ticket.category.method == "linear"
    assert (ticket.category.confidence or 0) >= models.load(models.shipped("category")).threshold
    assert codes(ticket, "category") == ["category_learned"]


@pytest.mark.parametrize("text", ["你好", "那件事怎么样了", "asdf qwer", "。"])
def test_where_nothing_is_sure_nothing_is_said(text: str) -> None:
    ticket = read(text)
    assert ticket.category is None
    assert codes(ticket, "category") == ["category_open"]


def test_a_note_holds_no_words_of_the_citizen() -> None:
    ticket = read("感谢张三丰帮我找回钱包，特此表扬。")
    assert ticket.kind is Kind.PRAISE
    assert not any("张三丰" in note.detail for note in ticket.notes if note.step in ("kind", "category"))


@pytest.mark.parametrize(
    ("taxonomy", "text", "label"),
    [
        ("domains", WAGES, "劳动和社会保障"),
        ("baltimore", WAGES, None),
    ],
)
def test_a_site_may_tell_it_in_another_taxonomy(taxonomy: str, text: str, label: str | None) -> None:
    category = read(text, {"taxonomy": taxonomy}).category
    assert (category.code if category else None) == label


@pytest.mark.parametrize("name", ["petitions", "domains", "baltimore"])
def test_a_taxonomy_leads_only_to_its_own_classes(name: str) -> None:
    one = taxonomies()[name]
    assert {*one.map.values(), *(words.to for words in one.words)} <= set(one.classes)
    assert set(one.map) <= set(taxonomies()["petitions"].classes)
    if name == "domains":
        assert set(one.map) == set(taxonomies()["petitions"].classes)
        assert set(one.map.values()) | {words.to for words in one.words} == set(one.classes)


def test_the_models_labels_are_in_the_taxonomy_and_are_kinds() -> None:
    assert set(models.load(models.shipped("category")).labels) <= set(taxonomies()["petitions"].classes)
    assert all(Kind(label) is not Kind.OTHER for label in models.load(models.shipped("kind")).labels)


def test_words_lead_into_baltimores_classes() -> None:
    baltimore = taxonomies()["baltimore"]
    assert baltimore.read("城乡建设", "门口下水道堵了") == "水/下水道/风暴"
    assert baltimore.read("交通运输", "路口红绿灯坏了") == "标志/信号/停车"
    assert baltimore.read("纪检监察", "某人") == "市政雇员反馈"
    assert baltimore.read("教育文体", "学校放假") is None


def test_steps_can_be_switched_off() -> None:
    ticket = read("我要投诉。" + WAGES, {"off": ["kind", "category"]})
    assert (ticket.kind, ticket.category) == (Kind.OTHER, None)


def test_a_model_that_cannot_be_read_is_found_at_start(tmp_path: Path) -> None:
    broken = tmp_path / "mine.model"
    broken.write_bytes(b"no model")
    for path in (broken, tmp_path / "nowhere.model"):
        with pytest.raises(ValidationError):
            NormalizerConfig.model_validate({"models": {"category": path}})
