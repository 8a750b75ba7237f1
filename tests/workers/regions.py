"""A small region for tests: one town with two districts, a street each, and some offices."""

from __future__ import annotations

from normalizer.ticket import Decision, Flag, Kind
from workers.region import Facts, Referral, Region, Rule, Unit, When

UNITS = (
    Unit(id="centre", name="热线中心", kind="centre", hours="24h"),
    Unit(id="north", name="城北区", kind="district", parent="centre", places=("城北",)),
    Unit(id="south", name="城南区", kind="district", parent="centre", places=("城南",)),
    Unit(id="north_lamp", name="城北区城管局", kind="bureau", parent="north", duties=("city",)),
    Unit(id="south_lamp", name="城南区城管局", kind="bureau", parent="south", duties=("city",)),
    Unit(id="willow", name="柳树街道", kind="street", parent="north", places=("柳树街",)),
    Unit(id="elm", name="榆树街道", kind="street", parent="south", places=("榆树街",)),
    Unit(id="police", name="市公安局", kind="bureau", parent="centre", duties=("police",)),
    Unit(id="water", name="自来水公司", kind="utility", parent="centre", duties=("water",), hours="24h"),
)
RULES = (
    Rule(
        id="legal",
        why="法定途径",
        when=When(flags=(Flag.LEGAL,)),
        decision=Decision.REFER_LEGAL,
        refer="advice",
    ),
    Rule(id="water", why="供水", when=When(words=("停水", "水管")), lead="water"),
    Rule(id="lamp", why="市容", when=When(words=("路灯", "占道")), lead="city@district", cc=("@street",)),
    Rule(id="noise", why="噪声", when=When(words=("噪声",), kinds=(Kind.COMPLAINT,)), lead="@street", co=("police",)),
)
ADVICE = Referral(id="advice", name="12348", contact="12348", text={"zh": "请拨打 12348。", "en": "Please call 12348."})


def town() -> Region:
    return Region(
        Facts(name="小城", version="1", centre="centre", accusing=("不作为",)),
        {unit.id: unit for unit in UNITS},
        RULES,
        {ADVICE.id: ADVICE},
    )
