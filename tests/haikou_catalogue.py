"""How often a small catalogue agrees with a city's record: `python -m tests.haikou_catalogue`, from the project's root.

The region in tests/regions/haikou was written from the first 3,785 rows (by ticket number) and then left alone; the
last 947 are what is measured. Prints figures and names of departments, never a word of a citizen.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from normalizer import Raw, identity, normalize
from normalizer.ticket import Category, Inbound, Ticket
from workers import region_files
from workers.catalogue import Decided, decide

DATA: Final = Path(__file__).parents[1] / "../shared/data/text/haikou12345.jsonl"
REGION: Final = Path(__file__).parent / "regions/haikou"
LEARNT: Final = 3_785
TESTED: Final = 947
WHEN: Final = datetime(2018, 6, 30, tzinfo=UTC)

# What the operator wrote around the citizen's matter would give the department away: who passed the call on, the
# request to a named department, and what departments answered since.
_HEAD: Final = re.compile(
    r"^[^:：\n]{0,30}(?:来电|微信|公众号|市民云|来信|网站|邮件|APP|反馈|咨询|反映|建议|投诉|告知|撤销|催办)[^:：\n]{0,20}[:：]\s*"
)
_ORDER: Final = re.compile(
    r"请[^，。！!；\n]{0,30}(?:核实|处理|响应|协助|解决|办理|介入)[^。！!\n]*[。！!]?"
    r"|[（(]请?[^（）()]*(?:职能局|30分钟|三十分钟)[^（）()]*[)）]"
)
_ANSWER: Final = re.compile(r"已告知|[^。！!\n]{0,30}(?:答复|回复)[:：]|\n20\d\d-\d\d?-\d\d?")
_DISTRICTS: Final = re.compile("秀英|龙华|琼山|美兰")


@dataclass
class Figures:
    """What came of some rows."""

    rows: int = 0
    decided: int = 0
    right: int = 0
    unexplained: int = 0
    placed: int = 0
    well_placed: int = 0
    wrong: Counter[tuple[str, str]] = field(default_factory=Counter)
    rules: dict[str, Counter[bool]] = field(default_factory=dict)

    def add(self, said: Decided, row: Mapping[str, Any], departments: Mapping[str, Sequence[str]]) -> None:
        """One row."""
        recorded = str(row["处置单位"])
        self.rows += 1
        self.unexplained += not (said.reason and said.why)
        if said.needs_a_person:
            return
        self.decided += 1
        lead = said.lead or said.referral or ""
        right = recorded in departments.get(_sort(lead), ())
        self.right += right
        if right and (here := _district(lead)) and (there := _DISTRICTS.search(str(row["原处置单位"]))):
            self.placed += 1
            self.well_placed += here == there[0]
        self.rules.setdefault(said.rule or "-", Counter())[right] += 1
        if not right:
            self.wrong[_sort(lead), recorded] += 1

    def text(self) -> str:
        return (
            f"{self.rows} rows: decided without a person {self.decided / self.rows:.1%}, "
            f"of those right {self.right / max(1, self.decided):.1%}, "
            f"to triage {1 - self.decided / self.rows:.1%} "
            f"(where the record names a district besides, it is the same for {self.well_placed} of {self.placed})"
        )


def _sort(unit: str) -> str:
    """The record does not say which district: d_xx_cg -> district_cg."""
    return re.sub(r"^d_[a-z]{2}", "district", unit)


def _district(unit: str) -> str:
    return {"d_xy": "秀英", "d_lh": "龙华", "d_qs": "琼山", "d_ml": "美兰"}.get(unit[:4], "")


def rows() -> list[dict[str, Any]]:
    """The record, by ticket number."""
    with DATA.open(encoding="utf-8") as file:
        return sorted((json.loads(line) for line in file), key=lambda row: str(row["工单编号"]))


def cleaned(text: str) -> str:
    """The citizen's matter alone, as far as patterns can tell it from the operator's words."""
    return _ORDER.sub("", _HEAD.sub("", _ANSWER.split(text, maxsplit=1)[0])).strip()


def ticket(number: int, text: str, category: Sequence[str]) -> Ticket:
    """The row as the line would have had it."""
    raw = Raw(channel="desk", source_id=str(number), received_at=WHEN, body=text.encode())
    inbound = Inbound(text=text, digest=identity.content_digest(raw.body))
    made = normalize(raw, inbound, number=identity.number(WHEN.date(), 0, number + 1))
    if not category:
        return made
    return made.model_copy(
        update={"category": Category(code=category[-1], path=tuple(category), method="operator", confidence=1)}
    )


def variants(row: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What the catalogue is given: the name of the variant, the text and the operator's four category levels."""
    text, levels = str(row["诉求内容"]), tuple(str(row[f"行业分类{level}级"]) for level in range(1, 5))
    yield "the citizen's matter alone", cleaned(text), ()
    yield "and the operator's category", cleaned(text), levels
    yield "and all the operator wrote", text, levels


def measure(some: Iterable[Mapping[str, Any]]) -> dict[str, Figures]:
    """Figures for every variant."""
    region = region_files.load(REGION)
    departments = tomllib.loads((REGION / "departments.toml").read_text("utf-8"))
    found: dict[str, Figures] = {}
    for number, row in enumerate(some):
        for name, text, category in variants(row):
            said = decide(ticket(number, text, category), region)
            found.setdefault(name, Figures()).add(said, row, departments)
    return found


def report(found: Mapping[str, Figures]) -> None:
    """Figures and the biggest confusions, by unit and department."""
    for name, figures in found.items():
        print(f"{name}: {figures.text()}")
        for (said, recorded), count in figures.wrong.most_common(12):
            print(f"  {count:4}  {said} instead of {recorded}")


def main(arguments: Sequence[str]) -> None:
    """`--learning`: the rows that the region was written from, and each rule by itself."""
    learning = "--learning" in arguments
    found = measure(rows()[:LEARNT] if learning else rows()[LEARNT:])
    report(found)
    if learning:
        for rule, hits in next(iter(found.values())).rules.items():
            print(f"  {rule}: {hits[True]} of {hits.total()}")


if __name__ == "__main__":
    main(sys.argv[1:])
