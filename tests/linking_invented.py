"""Pairs of invented short texts that the linking model is fitted on: labels/matters_train.toml with made-up names
put in.

May not be measured by: the author of the linking code wrote them.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from normalizer.matter.likeness import contradict, features
from normalizer.matter.reading import Matter, read

MATTERS: Final = Path(__file__).parent / "labels/matters_train.toml"
SEED: Final = 20261123
ROUNDS: Final = 3
"""Fillings of each matter."""
_FIRST: Final = "云锦翠玉金银华盛康泰瑞祥福禄景雅和平安宁静怡龙凤鹤鹿松柏竹梅兰桂荷莲枫杨柳桐江河湖海溪泉波澜"
_SECOND: Final = "山水园林城乡门桥亭台楼阁庭院丰达通顺利兴旺隆昌宏伟远志诚信义德仁礼智勇春夏秋冬晨曦星月"
_LAST: Final = {
    "site": ("小区", "花园", "家园", "公寓", "花苑", "苑", "新村", "嘉园", "豪庭", "华府", "湾", "府", "城"),
    "road": ("路", "街", "大道", "巷", "北路", "南路", "东街", "中路", "一路", "二路"),
    "school": ("小学", "中学", "幼儿园", "实验小学", "学校"),
    "village": ("村", "村", "社区", "屯", "村三组"),
    "firm": ("公司", "电子厂", "建筑公司", "服装厂", "物流公司", "酒店", "食品厂", "科技公司"),
    "shop": ("健身房", "超市", "教育", "快递", "培训学校", "美容院", "便利店", "生活馆"),
    "hospital": ("医院", "人民医院", "中医院", "卫生院", "儿童医院"),
    "park": ("公园", "广场", "湿地公园", "体育公园"),
}
_PROVINCES: Final = "京沪粤琼闽浙苏鲁湘川"
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Invented:
    """Two texts, and whether they are one matter."""

    texts: tuple[str, str]
    same: bool
    citizen: bool
    days: float

    @property
    def matters(self) -> tuple[Matter, Matter]:
        return read("", self.texts[0]), read("", self.texts[1])

    def features(self) -> tuple[float, ...]:
        """As the model sees them."""
        return features(*self.matters, days=self.days, same_citizen=self.citizen)

    def contradicted(self) -> bool:
        """Whether a rule says that they are two."""
        return contradict(*self.matters)


def pairs() -> list[Invented]:
    """Of every matter: two ways with one filling; two ways with a filling that is nearly it; another
    matter at the place. The same each time."""
    chance = random.Random(SEED)
    matters: Sequence[Mapping[str, str | Sequence[str]]] = tomllib.loads(MATTERS.read_text("utf-8"))["matter"]
    return [pair for _ in range(ROUNDS) for matter in matters for pair in _of(matter, matters, chance)]


def _of(matter: Mapping[str, str | Sequence[str]], matters: Sequence[Mapping[str, str | Sequence[str]]],
        chance: random.Random) -> Iterator[Invented]:  # fmt: skip
    sort, told = str(matter["place"]), [str(one) for one in matter["told"]]
    here = _filling(sort, chance)

    def pair(one: str, other: str, there: str, same: bool, citizen: float) -> Invented:
        texts = one.replace(f"{{{sort}}}", here), other.replace(f"{{{sort}}}", there)
        return Invented(texts, same, chance.random() < citizen, float(chance.choice((0, 1, 2, 5, 9, 20))))

    for at, one in enumerate(told):
        other = told[(at + 1 + chance.randrange(len(told) - 1)) % len(told)]
        yield pair(one, other, chance.choice((here, here, _otherwise(sort, here))), True, 0.4)
        yield pair(one, chance.choice((one, other)), _nearly(sort, here, chance), False, 0.1)
    others = [one for one in matters if one["place"] == sort and one is not matter]
    for _ in range(2 if others else 0):
        another = str(chance.choice(chance.choice(others)["told"]))
        yield pair(chance.choice(told), another, here, False, 0.3)


def _name(chance: random.Random) -> str:
    return chance.choice(_FIRST) + chance.choice(_SECOND)


def _filling(sort: str, chance: random.Random) -> str:
    number = chance.randint(1, 199)
    made: Mapping[str, Callable[[], str]] = {
        "building": lambda: f"{_name(chance)}{chance.choice(('小区', '花园', '家园', '苑'))}{number % 30 + 1}栋",
        "house": lambda: f"{_name(chance)}{chance.choice(('路', '街', '巷', '里'))}{number}号",
        "line": lambda: f"{number}路{chance.choice(('公交', '公交车', '车'))}",
        "plate": lambda: _plate(chance),
        "outage": lambda: f"{chance.randint(1, 12)}月{chance.randint(1, 28)}日{_filling('site', chance)}",
    }
    if sort in made:
        return made[sort]()
    return _name(chance) + chance.choice(_LAST[sort])


def _plate(chance: random.Random) -> str:
    rest = "".join(chance.choice(_LETTERS + "0123456789" * 3) for _ in range(5))
    return chance.choice(_PROVINCES) + chance.choice(_LETTERS[:6]) + rest


def _otherwise(sort: str, filling: str) -> str:
    """The same place as somebody else writes it."""
    if sort == "site" and filling.endswith("小区"):
        return filling.removesuffix("小区")
    if sort == "building":
        return filling.replace("栋", "号楼")
    if sort == "line":
        return filling.partition("路")[0] + "路公交车"
    return filling


def _nearly(sort: str, filling: str, chance: random.Random) -> str:
    """Another of the sort: another name with the same ending, or another number."""
    numbers = [one for one in filling if one.isdecimal()]
    if sort in ("line", "plate") or (numbers and chance.random() < 0.6):
        while (other := _renumbered(filling, chance)) == filling:
            pass
        return other
    if sort == "outage":
        return _filling("outage", chance)
    return _name(chance) + filling[2:]


def _renumbered(filling: str, chance: random.Random) -> str:
    return "".join(chance.choice("123456789") if one.isdecimal() else one for one in filling)
