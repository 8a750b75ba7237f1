"""A small region as the files that a site would write."""

from __future__ import annotations

from pathlib import Path

UNITS_CSV = """id,name,kind,parent,called,places,duties,hours
centre,热线中心,centre,,,,,24h
north,城北区,district,centre,,城北,,
north_lamp,城北区城管局,bureau,north,,,city,
willow,柳树街道,street,north,,柳树街,,
police,市公安局,bureau,centre,,,police,
water,自来水公司,utility,centre,,,water,24h
"""
REFERRALS = """[[referral]]
id = "advice"
name = "12348"
contact = "12348"
text = { zh = "请拨打 12348。", en = "Please call 12348." }
"""


def write_town(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "units.csv").write_text(UNITS_CSV, "utf-8")
    (folder / "region.toml").write_text('name = "小城"\nversion = "1"\ncentre = "centre"\n', "utf-8")
    (folder / "catalogue.toml").write_text("", "utf-8")
    (folder / "referrals.toml").write_text(REFERRALS, "utf-8")
