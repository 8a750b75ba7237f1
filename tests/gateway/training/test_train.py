"""`jiesu train` on a small past of a made-up town: the same bytes twice, data that teaches nothing, renamed units."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.training.examples import BadExamples, Example, read
from gateway.training.recipes import CATEGORY, UNITS
from gateway.training.splits import by_group
from gateway.training.succession import retired, succeeded
from normalizer import models
from normalizer.steps.category import find_category
from normalizer.ticket import Inbound
from tests.accuracy.drafts import draft

MATTERS = {
    "water": ("停水", "水管爆裂", "水压太低", "自来水发黄", "下水道堵塞"),
    "light": ("路灯不亮", "路灯杆倒了", "灯光太暗", "路灯白天亮着", "灯罩掉了"),
    "bus": ("公交车不进站", "司机甩客", "班车太少", "站牌错误", "公交卡失灵"),
}
PLACES = ("东门", "西街", "柳巷", "北桥", "南岭", "桃园", "梨村", "松坡")


def past(many: int = 150) -> list[dict[str, str]]:
    chance = Random(5)
    rows = []
    for at in range(many):
        unit = chance.choice(sorted(MATTERS))
        text = f"{chance.choice(PLACES)}{chance.choice(MATTERS[unit])}，已经{chance.randint(1, 90)}天了"
        if at % 12 == 0:  # what nobody could foresee
            unit = chance.choice(sorted(MATTERS))
        rows.append({"number": str(1000 + at), "title": "", "text": text, "unit": unit})
    return rows


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    path = tmp_path / "tickets.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in past()), encoding="utf-8")
    return path


def train(*words: object) -> str:
    result = CliRunner().invoke(app, ["train", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_site_trains_its_units_and_gets_the_same_bytes_twice(tickets: Path, tmp_path: Path) -> None:
    out = tmp_path / "a"
    said = train("units", "--from", tickets, "--out", out)
    train("units", "--from", tickets, "--out", tmp_path / "b")
    file = out / "units.model"
    assert file.read_bytes() == (tmp_path / "b/units.model").read_bytes()
    assert "3 answers from 150 examples" in said
    model = models.load(file)
    best = model.guesses("柳巷水管爆裂，已经五天了")[0]
    assert best.label == "water"
    assert 0 < best.confidence < 1
    assert model.about["examples"] == 150


def test_a_model_says_nothing_of_whom_it_was_trained_on(tickets: Path, tmp_path: Path) -> None:
    train("units", "--from", tickets, "--out", tmp_path)
    content = (tmp_path / "units.model").read_bytes()
    assert not any(place.encode() in content for place in PLACES)


def test_a_citys_own_taxonomy_with_levels_from_a_csv(tmp_path: Path) -> None:
    lines = ["title,text,class", *(f",{row['text']},市政/{row['unit']}" for row in past())]
    (tmp_path / "ours.csv").write_text("\n".join(lines), encoding="utf-8")
    train("category", "--from", tmp_path / "ours.csv", "--label", "class", "--out", tmp_path)
    assert models.load(tmp_path / "category.model").guesses("路灯不亮")[0].label == "市政/light"


def test_categories_hold_to_one_goal_ours_and_those_of_a_site(tmp_path: Path) -> None:
    (tmp_path / "past.jsonl").write_text("\n".join(json.dumps(row) for row in past()), encoding="utf-8")
    train("category", "--from", tmp_path / "past.jsonl", "--text", "text", "--label", "unit", "--out", tmp_path)
    told = (models.load(path).about["goal"] for path in (tmp_path / "category.model", models.shipped("category")))
    assert [*told] == [CATEGORY.goal] * 2


def test_levels_in_fields_of_their_own_are_told_as_deep_as_the_model_is_sure(tmp_path: Path) -> None:
    chance, lines = Random(7), ["text,one,two,three"]
    for row in past(400):
        two, three = ("水务", chance.choice(("甲/乙", "丙"))) if row["unit"] == "water" else (row["unit"], "")
        lines.append(f"{row['text']},市政,{two},{three}")
    (tmp_path / "ours.csv").write_text("\n".join(lines), encoding="utf-8")
    levels = ("--label", "one", "--label", "two", "--label", "three")
    train("category", "--from", tmp_path / "ours.csv", "--text", "text", *levels, "--goal", "0.9", "--out", tmp_path)
    model = tmp_path / "category.model"
    assert set(models.load(model).labels) == {"市政/水务/甲／乙", "市政/水务/丙", "市政/light", "市政/bus"}
    inbound = Inbound(text="柳巷水管爆裂，已经五天了", digest="0" * 64)
    category = find_category(inbound, draft(inbound), model=model, taxonomy="petitions").category
    assert category is not None
    assert category.path == ("市政", "水务")
    assert category.code == "市政/水务"


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ('{"text": "停水"}', 78, "no row has both"),
        ('{"text": "停水", "unit": "water"}\n{"text": "停电", "unit": "water"}', 78, "nothing to learn"),
        ("[1]", 78, "not an object"),
        ("{", 78, "not JSON"),
        ("[" * 100_000, 78, "not JSON"),
        ("", 78, "no row has both"),
        ('{"text": "' + "停水" * 600_000 + '"}', 78, "a line of more than"),
    ],
)
def test_data_that_teaches_nothing_is_refused_with_a_reason(tmp_path: Path, content: str, code: int, said: str) -> None:
    (tmp_path / "few.jsonl").write_text(content, encoding="utf-8")
    result = CliRunner().invoke(app, ["train", "units", "--from", str(tmp_path / "few.jsonl"), "--out", str(tmp_path)])
    assert result.exit_code == code
    assert said in result.output
    assert "停水" not in result.output


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text,unit\n柳巷路灯不亮,light\n".encode("gb18030"), "not UTF-8"),
        (b'text,unit\n"' + b"a" * 2_000_000, "a line of more than"),
        (b'text,unit\n"' + b"a\n" * 1_000_000, "not CSV"),
        (b"words,unit\na,b\n", "no row has both"),
        (b"", "no row has both"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_a_reason(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "few.CSV").write_bytes(content)
    result = CliRunner().invoke(app, ["train", "units", "--from", str(tmp_path / "few.CSV"), "--out", str(tmp_path)])
    assert result.exit_code == 78
    assert said in result.output
    assert not list(tmp_path.glob("*.model"))


def test_too_many_rows_are_refused(tickets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.training.examples.MOST", 100)
    with pytest.raises(BadExamples, match="more than 100 rows"):
        read(tickets, text=("text",), label="unit")


def test_a_model_in_use_is_replaced_and_not_written_into(tickets: Path, tmp_path: Path) -> None:
    train("units", "--from", tickets, "--out", tmp_path)
    running = models.load(tmp_path / "units.model")
    (tmp_path / "few.jsonl").write_text("\n".join(tickets.read_text("utf-8").splitlines()[:100]), encoding="utf-8")
    train("units", "--from", tmp_path / "few.jsonl", "--out", tmp_path)
    assert running.about["examples"] == 150
    assert running.guesses("柳巷水管爆裂")[0].label == "water"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["few.jsonl", "tickets.jsonl", "units.model"]


def test_answers_that_are_no_kind_are_refused(tickets: Path, tmp_path: Path) -> None:
    words = ["train", "kind", "--from", str(tickets), "--label", "unit", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 66
    assert "no kind" in result.output


def test_a_unit_that_was_renamed_is_no_answer_any_more() -> None:
    rows = [Example(row["text"], row["unit"]) for row in past(300)]
    renamed = [
        Example(one.text, "lamps" if one.label == "light" and at >= 150 else one.label) for at, one in enumerate(rows)
    ]
    labels = [one.label for one in renamed]
    assert retired(labels) == {"light"}
    moved, weights = succeeded(renamed, UNITS)
    heirs = [after.label for before, after in zip(renamed, moved, strict=True) if before.label == "light"]
    assert set(heirs) == {"lamps"}
    assert list(weights) == sorted(weights)


def test_a_unit_with_few_tickets_is_not_taken_for_retired() -> None:
    assert retired(["rare", *["busy"] * 50]) == frozenset()
    assert retired(["busy", "rare"] * 20) == frozenset()


def test_equal_texts_are_on_one_side_and_every_example_is_asked_once() -> None:
    examples = [Example(str(at), str(at % 3), group=str(at // 2)) for at in range(40)]
    folds = list(by_group(examples))
    assert sorted(at for _, asked in folds for at in asked) == list(range(40))
    for seen, asked in folds:
        assert not {examples[at].group for at in seen} & {examples[at].group for at in asked}


def test_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    rows = [{"n": number, "text": "x", "unit": str(number)} for number in (10, 9, 100)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert [one.label for one in read(tmp_path / "a.jsonl", text=("text",), label="unit", order="n")] == [
        "9",
        "10",
        "100",
    ]
    with pytest.raises(BadExamples):
        read(tmp_path / "a.jsonl", text=("words",), label="unit")
