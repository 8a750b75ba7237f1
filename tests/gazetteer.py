"""Writes normalizer/data/places.z: `python -m tests.gazetteer`, from the project's root, beside the shared data.

Derives names, codes and centres of provinces, cities, counties and streets; copies no file. One record a line, as
normalizer/places/gazetteer.py reads it: level, code, name, latitude, longitude, former names; a county's streets on
the line after it.
"""

from __future__ import annotations

import csv
import math
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

DATA: Final = Path(__file__).parents[1] / "../shared/data/places"
TARGET: Final = Path(__file__).parents[1] / "normalizer/data/places.z"
_LAST: Final = re.compile("(?:自治县|自治旗|林区|特区|区|县|市|旗)$")
_TABLES: Final = ("areas.csv", "streets.csv", "adcodes.csv")
# Krasovsky 1940, on which the shifted Chinese map datum (GCJ-02) is computed.
_AXIS: Final = 6378245.0
_ECCENTRICITY: Final = 0.00669342162296594323


def wgs84(lat: float, lon: float) -> tuple[float, float]:
    """The point that the shifted datum of Chinese maps shows at `lat`, `lon`; good to some metres."""
    x, y = lon - 105.0, lat - 35.0
    wave = (20 * math.sin(6 * x * math.pi) + 20 * math.sin(2 * x * math.pi)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + wave
    north += (20 * math.sin(y * math.pi) + 40 * math.sin(y / 3 * math.pi)) * 2 / 3
    north += (160 * math.sin(y / 12 * math.pi) + 320 * math.sin(y * math.pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + wave
    east += (20 * math.sin(x * math.pi) + 40 * math.sin(x / 3 * math.pi)) * 2 / 3
    east += (150 * math.sin(x / 12 * math.pi) + 300 * math.sin(x / 30 * math.pi)) * 2 / 3
    root = 1 - _ECCENTRICITY * math.sin(math.radians(lat)) ** 2
    north = north * 180 / (_AXIS * (1 - _ECCENTRICITY) / (root * math.sqrt(root)) * math.pi)
    east = east * 180 / (_AXIS / math.sqrt(root) * math.cos(math.radians(lat)) * math.pi)
    return lat - north, lon - east


def lines() -> Iterator[str]:
    """Every record, in the order of its code."""
    areas, streets, points = (_rows(name) for name in _TABLES)
    centres = {row["adcode"][:6]: row for row in points}
    of_area: dict[str, list[str]] = defaultdict(list)
    for row in sorted(streets, key=lambda row: row["code"]):
        of_area[row["areaCode"]].append(row["code"][6:] + row["name"])
    former = _former({row["code"]: row["name"] for row in areas}, centres)
    records = [
        (code, "P" if code[2:] == "0000" else "C", row["name"])
        for code, row in centres.items()
        if _wide(code, row["name"])
    ]
    records += [(row["code"], "A", row["name"]) for row in areas]
    # A prefecture without counties stands in both tables under one code; its county is what has the streets.
    for code, level, name in sorted(records, key=lambda record: (record[0], record[1] == "A")):
        place = centres.get(former.get(code, code)) if level == "A" else centres[code]
        old = place["name"] if place and place["name"] not in (name, "市辖区") else ""
        yield "\t".join((level, code, name, *_centre(place), old)).rstrip("\t")
        if level == "A":
            yield "\t".join(("S", *of_area[code]))


def packed() -> bytes:
    """The file."""
    return zlib.compress("\n".join(lines()).encode(), 9)


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _wide(code: str, name: str) -> bool:
    """A province or a city; not what only stands for `no city` between a province and its counties."""
    return code[4:] == "00" and name not in ("市辖区", "县") and "直辖县级" not in name


def _centre(row: dict[str, str] | None) -> tuple[str, str]:
    """Three decimals, about 100 m: it is the middle of an area, and no more exact than that."""
    if row is None or not row["latitude"]:
        return "", ""
    lat, lon = wgs84(float(row["latitude"]), float(row["longitude"]))
    return f"{lat:.3f}", f"{lon:.3f}"


def _former(areas: dict[str, str], centres: dict[str, dict[str, str]]) -> dict[str, str]:
    """New code -> the code under which the table of centres has the same area: same city, same name but its last word
    (a county that became a district)."""
    gone = {(code[:4], _LAST.sub("", row["name"])): code for code, row in centres.items() if code not in areas}
    new = {code: gone.get((code[:4], _LAST.sub("", name))) for code, name in areas.items() if code not in centres}
    return {code: old for code, old in new.items() if old}


if __name__ == "__main__":
    TARGET.write_bytes(packed())
    print(TARGET.stat().st_size)
