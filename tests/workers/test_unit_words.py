"""How a unit's mail is understood: the step of its first line, what is missing, and what is nobody's to guess."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normalizer.life import Outcome, StepName
from tests.workers.regions import town
from workers.unit_letter import CUTS
from workers.unit_words import STEP_WORDS, read

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def said(text: str):
    return read(text, at=NOW, zone=SHANGHAI, names=town().unit_names)


@pytest.mark.parametrize(
    ("text", "step", "says"),
    [
        ("签收", StepName.SIGN, {}),
        ("\n\n【签收】\n", StepName.SIGN, {}),
        ("簽收。", StepName.SIGN, {}),
        ("ＳＩＧＮＥＤ！", StepName.SIGN, {}),
        ("签收，明天去看", StepName.SIGN, {"text": "明天去看"}),
        ("已联系：今天致电诉求人\n约好明天", StepName.CONTACT, {"text": "今天致电诉求人\n约好明天"}),
        ("Contacted: called her", StepName.CONTACT, {"text": "called her"}),
        ("进展\n配件已到", StepName.PROGRESS, {"text": "配件已到"}),
        ("协助：已拖移两辆", StepName.HELP, {"text": "已拖移两辆"}),
        ("退单：电线杆属供电公司", StepName.OBJECT, {"reason": "电线杆属供电公司"}),
        ("not ours - it is the water works", StepName.OBJECT, {"reason": "it is the water works"}),
        ("办结：解决\n灯亮了", StepName.REPLY, {"outcome": Outcome.RESOLVED, "text": "灯亮了"}),
        ("辦結\n部分解決：先修好兩盞", StepName.REPLY, {"outcome": Outcome.PARTLY_RESOLVED, "text": "先修好兩盞"}),
        (
            "回复（解释）该路段未移交",
            StepName.REPLY,
            {"outcome": Outcome.EXPLAINED_NOT_SUPPORTED, "text": "该路段未移交"},
        ),
        ("Done: not resolved. No parts.", StepName.REPLY, {"outcome": Outcome.NOT_RESOLVED, "text": "No parts."}),
        ("ask for help: 柳树街道 清理现场", StepName.ASK_HELP, {"co": ("willow",), "reason": "柳树街道 清理现场"}),
    ],
)
def test_the_first_line_says_which_step_it_is(text, step, says):
    found = said(text)
    assert (found.step, dict(found.says), found.faults) == (step, says, ())


@pytest.mark.parametrize("day", ["2026-12-01", "2026/12/1", "2026年12月1日", "２０２６-１２-０１"])
def test_a_day_lasts_until_its_end_where_the_hotline_is(day):
    found = said(f"延期：{day}，等配件")
    assert found.says == {"until": datetime(2026, 12, 1, 23, 59, 59, tzinfo=SHANGHAI), "reason": "等配件"}
    assert found.faults == ()


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ("missing_text",)),
        ("已联系", ("missing_text",)),
        ("退单", ("missing_reason",)),
        ("延期：等配件", ("missing_until",)),
        ("延期：2026-13-40，等配件", ("missing_until",)),
        ("延期：2026-12-01", ("missing_reason",)),
        ("延期：2026-11-22，等配件", ("in_the_past",)),
        ("办结：灯亮了", ("missing_outcome",)),
        ("办结：解决", ("missing_text",)),
        ("办结：解决不了", ("missing_outcome",)),
        ("吹哨：请兄弟单位支援", ("missing_co",)),
        (f"进展：{'长' * 20_001}", ("too_long",)),
        (f"退单：{'长' * 2_001}", ("too_long",)),
    ],
)
def test_what_is_missing_or_wrong_is_named(text, faults):
    assert said(text).faults == faults


@pytest.mark.parametrize("text", ["签收不了，缺少地址", "配件已到，明天安装", "解决"])
def test_what_names_no_step_is_kept_as_it_stands(text):
    found = said(text)
    assert (found.step, found.says, found.faults) == (None, {"text": text}, ())


def test_help_is_asked_of_whom_the_line_of_the_word_names_and_of_nobody_else():
    found = said("吹哨：柳树街道、市公安局\n榆树街道昨天已经来过，自来水公司说与其无关")
    assert found.says["co"] == ("willow", "police")
    assert "榆树街道" in str(found.says["reason"])
    assert said("吹哨：\n请柳树街道围挡").faults == ("missing_co",)


@given(st.one_of(st.text(), st.tuples(st.sampled_from(sorted(STEP_WORDS)), st.text()).map(" ".join)))
def test_whatever_is_written_is_understood_or_named_and_no_word_is_made_up(text):
    found = said(text)
    for name in ("text", "reason"):
        kept = str(found.says.get(name, ""))
        assert unicodedata.normalize("NFKC", kept) in unicodedata.normalize("NFKC", text)


@pytest.mark.parametrize("cut", CUTS)
def test_nothing_of_our_own_letter_is_the_units_word(cut):
    found = said(f"办结：解决\n灯亮了\n\n> > {cut}\n> 诉求人：王芳")
    assert found.says["text"] == "灯亮了"
