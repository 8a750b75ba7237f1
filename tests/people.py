"""Invented numbers and the sentences that carry them, with the places of every datum; fixed seed, nobody's data.

`cases()` gives texts with what must be found in them, and traps in which nothing may be found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final

from stdnum import luhn
from stdnum.cn import ric

SEED: Final = 20_261_123
A_SHAPE: Final = 40


@dataclass(frozen=True, slots=True)
class Case:
    """A text; `kind` and `value` of the datum that stands at `start`…`end`, None in a trap."""

    shape: str
    text: str
    kind: str | None = None
    value: str | None = None
    start: int = 0
    end: int = 0


def _digits(chance: Random, count: int) -> str:
    return "".join(chance.choices("0123456789", k=count))


def _mobile(chance: Random) -> str:
    return "1" + chance.choice(("3", "5", "7", "8", "9")) + _digits(chance, 9)


def _landline(chance: Random) -> tuple[str, str]:
    area = chance.choice(("010", "021", "020", "0591", "0898", "0731", "0755", "0512"))
    return area, chance.choice("345678") + _digits(chance, 7)


def _resident(chance: Random) -> str:
    place = chance.choice(("110105", "350102", "460105", "430102", "820000"))
    born = date(1940, 1, 1) + timedelta(days=chance.randrange(25_000))
    number = f"{place}{born:%Y%m%d}{_digits(chance, 3)}"
    return number + str(ric.calc_check_digit(number + "0"))


def _card(chance: Random) -> str:
    start, length = chance.choice(
        (("622202", 19), ("621700", 19), ("625900", 16), ("95588", 19), ("4563", 16), ("5187", 16))
    )
    start = "9558" + _digits(chance, 1) if start == "95588" else start
    body = start + _digits(chance, length - len(start) - 1)
    return body + luhn.calc_check_digit(body)


_SPOKEN: Final = str.maketrans("0123456789", "零幺二三四五六七八九")
_BOOKISH: Final = str.maketrans("0123456789", "〇一二三四五六七八九")
_WIDE: Final = str.maketrans("0123456789", "０１２３４５６７８９")


def _plain(mobile: str) -> str:
    return "+86" + mobile


def _grouped(*sizes: int, by: str = " ") -> Callable[[str], str]:
    def group(number: str) -> str:
        pieces, at = [], 0
        for size in sizes:
            pieces.append(number[at : at + size])
            at += size
        return by.join(pieces)

    return group


def _mobile_as(write: Callable[[str], str]) -> Callable[[Random], tuple[str, str, str]]:
    def make(chance: Random) -> tuple[str, str, str]:
        number = _mobile(chance)
        return "phone", write(number), _plain(number)

    return make


def _landline_as(pattern: str, dialled: bool = True) -> Callable[[Random], tuple[str, str, str | None]]:
    def make(chance: Random) -> tuple[str, str, str | None]:
        area, local = _landline(chance)
        written = pattern.format(area=area, local=local, a=local[:4], b=local[4:], ext=chance.randrange(1, 9999))
        return "phone", written, f"+86{area[1:]}{local}" if dialled else None

    return make


def _service(pattern: str) -> Callable[[Random], tuple[str, str, str]]:
    def make(chance: Random) -> tuple[str, str, str]:
        seven = chance.choice("068") + _digits(chance, 6)
        return "phone", pattern.format(a=seven[:3], b=seven[3:], s=seven), "+86400" + seven

    return make


def _fixed(kind: str, pattern: str, value: str, *sets: str) -> Callable[[Random], tuple[str, str, str]]:
    def make(chance: Random) -> tuple[str, str, str]:
        digits = "".join(chance.choice(one) for one in sets)
        return kind, pattern.format(d=digits, a=digits[:4], b=digits[4:]), value.format(d=digits)

    return make


def _numbered(
    kind: str, number: Callable[[Random], str], write: Callable[[str], str]
) -> Callable[[Random], tuple[str, str, str]]:
    def make(chance: Random) -> tuple[str, str, str]:
        value = number(chance)
        return kind, write(value), value

    return make


def _mail(chance: Random) -> tuple[str, str, str]:
    name = "".join(chance.choices("abcdefghkmnpw", k=5)) + _digits(chance, 3)
    domain = chance.choice(("example.com", "mail.example.cn", "example.org"))
    return "email", f"{name}@{domain}", f"{name}@{domain}"


def _wide_mail(chance: Random) -> tuple[str, str, str]:
    _, _, value = _mail(chance)
    return "email", value.replace("@", "＠"), value


_NINE: Final = "0123456789"
SHAPES: Final[dict[str, Callable[[Random], tuple[str, str, str | None]]]] = {
    "mobile": _mobile_as(str),
    "mobile 3 4 4": _mobile_as(_grouped(3, 4, 4)),
    "mobile 3-4-4": _mobile_as(_grouped(3, 4, 4, by="-")),
    "mobile 3-3-5": _mobile_as(_grouped(3, 3, 5, by="-")),
    "mobile 4 3 4": _mobile_as(_grouped(4, 3, 4)),
    "mobile +86": _mobile_as(lambda number: "+86 " + number),
    "mobile (+86)": _mobile_as(lambda number: "(+86)" + _grouped(3, 4, 4, by="-")(number)),
    "mobile 0086": _mobile_as(lambda number: "0086" + number),
    "mobile full-width": _mobile_as(lambda number: number.translate(_WIDE)),
    "mobile spoken": _mobile_as(lambda number: number.translate(_SPOKEN)),
    "mobile spoken with pauses": _mobile_as(lambda number: _grouped(3, 4, 4, by="，")(number.translate(_SPOKEN))),
    "mobile 〇一二": _mobile_as(lambda number: number.translate(_BOOKISH)),
    "landline": _landline_as("{area}-{local}"),
    "landline joined": _landline_as("{area}{local}"),
    "landline (area)": _landline_as("({area}){local}"),
    "landline in groups": _landline_as("{area} {a} {b}"),
    "landline （area）": _landline_as("（{area}）{a}-{b}"),
    "landline 转": _landline_as("{area}-{local}转{ext}", dialled=False),
    "landline 分机": _landline_as("{area}-{local}分机{ext}", dialled=False),
    "400-3-4": _service("400-{a}-{b}"),
    "400 joined": _service("400{s}"),
    "Hong Kong": _fixed("phone", "+852 {a} {b}", "+852{d}", "9", "2356", *[_NINE] * 6),
    "Hong Kong 00852": _fixed("phone", "00852{d}", "+852{d}", "9", "2356", *[_NINE] * 6),
    "Macau": _fixed("phone", "+853 {a}{b}", "+853{d}", "6", "6", "2", *[_NINE] * 5),
    "Taiwan": _fixed("phone", "+886 {d}", "+886{d}", "9", "1", *[_NINE] * 7),
    "abroad": _fixed("phone", "+1 212 555 {d}", "+1212555{d}", "2", "3", *[_NINE] * 2),
    "mail": _mail,
    "mail ＠": _wide_mail,
    "resident id": _numbered("resident_id", _resident, str),
    "resident id in groups": _numbered("resident_id", _resident, _grouped(6, 8, 4)),
    "resident id full-width": _numbered("resident_id", _resident, lambda number: number.translate(_WIDE)),
    "bank card": _numbered("bank_card", _card, str),
    "bank card in groups": _numbered("bank_card", _card, _grouped(4, 4, 4, 4, 4)),
}
# Sentences with a place for the datum, of the kinds in which people and operators write.
CARRIERS: Final = (
    "小区路灯坏了三天，{}，请派人来看看。",
    "市民来电反映：某餐馆油烟扰民，{}，请城管部门核实处理！",
    "{} 楼上漏水没人管",
    "停水两天了，2号楼3单元都没有水。{}",
    "我被收了1280元押金不退（{}），2018年合同第26条写着可以退",
    "请问办居住证要什么材料\n{}\n谢谢",
    "工单20180105163997一直没人理，{}。",
    "88路公交车半小时不来，{}；12345也打过了",
    "昨晚22:30还在施工，噪音65分贝，{}，麻烦处理",
    "房子在长滨五路66号12栋1602，物业费2.8元/平方米，{}，谢谢",
)
_LABELS: Final = {
    "phone": ("我的电话是{}", "联系电话：{}", "电话{}", "手机 {}", "请回电{}", "{}", "可以打{}找我"),
    "email": ("邮箱{}", "我的邮箱是{}", "请发到 {} ", "email: {}"),
    "resident_id": ("身份证{}", "身份证号码：{}", "证件号是{}", "{}"),
    "bank_card": ("卡号{}", "我的银行卡 {}", "钱打到{}", "尾号忘了，整个是{}"),
}
_UNLABELLED: Final = "{}"

# Nothing in these is anybody's: a number of a kind that looks like one, in words that say what it is.
TRAPS: Final[dict[str, Callable[[Random], str]]] = {
    "ticket number": lambda r: f"工单编号2018{r.randrange(1, 13):02d}{_digits(r, 8)}至今没有答复",
    "our own number": lambda r: f"编号2026112301{_digits(r, 6)}的诉求请尽快办理",
    "amount": lambda r: (
        f"一共花了{r.randrange(10**4, 10**7)}.{_digits(r, 2)}元，押金{r.randrange(10**10, 10**11)}元是写错了"
    ),
    "range of amounts": lambda r: f"每户补偿{r.choice((150000, 138000))}-{r.randrange(10000, 99999)}0元",
    "date and time": lambda r: (
        f"2018-{r.randrange(1, 13):02d}-{r.randrange(1, 29):02d} 17:29:{_digits(r, 2)}提交，2018.09.26-2018.10.18停水"
    ),
    "law": lambda r: (
        f"按照《条例》第{r.randrange(1, 99)}条第{r.randrange(1, 9)}款和〔2018〕{_digits(r, 3)}号文，GB50096-2011"
    ),
    "plate": lambda r: f"琼A{_digits(r, 5)}和京AD{_digits(r, 5)}两辆车占道",
    "document": lambda r: f"琼府办函〔2018〕{_digits(r, 3)}号、许可证编号{_digits(r, 11)}、发票号码{_digits(r, 8)}",
    "coordinates": lambda r: f"位置{r.choice((110, 119))}.{_digits(r, 8)},{r.choice((20, 26))}.{_digits(r, 8)}附近",
    "short numbers": lambda r: (
        f"打了{r.choice(('12345', '110', '12348', '10086', '96110', '95598'))}，"
        f"坐{r.randrange(1, 99)}路到{r.randrange(1, 999)}号"
    ),
    "order": lambda r: f"订单号1{r.choice('3578')}{_digits(r, 9)}，快递单号{_digits(r, 13)}，运单62{_digits(r, 14)}",
    "household": lambda r: f"水费户号{_digits(r, 10)}，电表编号1{r.choice('35')}{_digits(r, 9)}",
    "credit code": lambda r: f"统一社会信用代码91460100MA5T{_digits(r, 6)}，注册资本{_digits(r, 6)}万",
    "case": lambda r: f"（2018）琼01民终{_digits(r, 4)}号，案号{_digits(r, 12)}",
    "serial": lambda r: f"车架号LSVAA{_digits(r, 12)}，发动机号{_digits(r, 8)}，型号SN1{r.choice('38')}{_digits(r, 9)}",
    "wrong check digit": lambda r: f"身份登记{_spoilt(_resident(r))}，卡号{_spoilt(_card(r))}",
    "counts": lambda r: f"占地{r.randrange(10**10, 10**11)}平方米，播放13{_digits(r, 9)}次，距离1000-20000米",
    "spoken numbers": lambda r: "一二三四五六七八九十楼都停电，二〇一八年十月二十三号到二十五号，三五一十五",
}


def _spoilt(number: str) -> str:
    """The same with another check digit."""
    return number[:-1] + str((int(number[-1].replace("X", "0")) + 1 + (number[-1] == "X")) % 10)


def cases() -> Iterator[Case]:
    """Every shape and every trap, `A_SHAPE` times."""
    chance = Random(SEED)
    for shape, make in SHAPES.items():
        for _ in range(A_SHAPE):
            kind, written, value = make(chance)
            said = chance.choice(_LABELS[kind])
            before, after = chance.choice(CARRIERS).split("{}")
            label, tail = said.split("{}")
            text = f"{before}{label}{written}{tail}{after}"
            start = len(before) + len(label)
            yield Case(shape, text, kind, value, start, start + len(written))
    for shape, trap in TRAPS.items():
        for _ in range(A_SHAPE):
            yield Case(shape, chance.choice(("", "您好，")) + trap(chance) + chance.choice(("", "，请处理。")))
