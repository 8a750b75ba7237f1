"""The country's divisions, as they ship: complete, looked up by code, and made again from the shared data unchanged."""

from __future__ import annotations

import zlib

import pytest

from normalizer.places import gazetteer
from normalizer.places.names import index, short
from tests import gazetteer as generator


def test_the_shipped_file_is_what_its_generator_writes() -> None:
    if not generator.DATA.exists():
        pytest.skip("the shared tables of places are not here")
    # The text, not the bytes: another zlib may pack it otherwise.
    assert zlib.decompress(generator.TARGET.read_bytes()) == zlib.decompress(generator.packed())


def test_it_is_small() -> None:
    assert generator.TARGET.stat().st_size < 400_000


def test_the_country_is_whole() -> None:
    assert len([one for one in gazetteer.wide() if one.level == "province"]) == 34
    assert len(gazetteer.areas()) == 2978
    assert sum(len(gazetteer.streets(one.code)) for one in gazetteer.areas()) == 41352
    beijing = gazetteer.areas_in(gazetteer.site("北京市"))
    assert (len(beijing), sum(len(gazetteer.streets(one.code)) for one in beijing)) == (16, 349)


@pytest.mark.parametrize(
    ("code", "province", "city"),
    [
        ("460108", "海南省", "海口市"),
        ("110105", "北京市", "北京市"),
        ("500233", "重庆市", "重庆市"),
        ("469024", "海南省", None),
        ("350112002", "福建省", "福州市"),
        ("460000", "海南省", None),
    ],
)
def test_what_a_division_lies_in(code: str, province: str, city: str | None) -> None:
    found, above = gazetteer.province_of(code), gazetteer.city_of(code)
    assert found is not None
    assert (found.name, above.name if above else None) == (province, city)


@pytest.mark.parametrize(
    ("said", "scope"),
    [("海口", "4601"), ("460100", "4601"), ("北京", "11"), ("110000", "11"), ("临高县", "469024"), ("福建省", "35")],
)
def test_a_site(said: str, scope: str) -> None:
    assert gazetteer.site(said) == scope


def test_centres_are_on_the_ground_and_not_shifted() -> None:
    """Chinese maps show a shifted datum: up to 700 m beside the truth."""
    lat, lon = generator.wgs84(39.90873, 116.39745)  # a square as such a map shows it
    assert abs(lat - 39.90733) < 0.0002
    assert abs(lon - 116.39121) < 0.0002
    for one in gazetteer.areas():
        if one.lat is not None and one.lon is not None:
            assert 3 < one.lat < 54, one
            assert 73 < one.lon < 136, one


@pytest.mark.parametrize(
    ("code", "name"),
    [("460108", "美兰"), ("530428", "元江"), ("460108400", "桂林洋"), ("350122205", "小沧"), ("110105026", "望京")],
)
def test_short_names(code: str, name: str) -> None:
    division = gazetteer.area(code[:6])
    if len(code) > 6:
        division = next(one for one in gazetteer.streets(code[:6]) if one.code == code)
    assert short(division) == name


def test_no_name_of_a_table_is_shorter_than_two_characters() -> None:
    assert min(map(len, index("4601").names)) == 2
