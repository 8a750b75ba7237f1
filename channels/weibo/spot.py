"""Where a post or a message says it is about: its geo tag, the place its author chose, a pushed position.

Pure. May not give a point that cannot be.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from normalizer.ticket import Place


def place_of(item: Mapping[str, Any]) -> Place | None:
    """Of a post: `geo` is a GeoJSON point turned round, latitude first; `annotations` name what was chosen."""
    geo = item.get("geo")
    coordinates = geo.get("coordinates") if isinstance(geo, dict) else None
    pair = coordinates if isinstance(coordinates, list) and len(coordinates) == 2 else (None, None)
    chosen = _chosen(item.get("annotations"))
    point = _point(*pair) or _point(chosen.get("lat"), chosen.get("lon"))
    title = chosen.get("title")
    return _place(point, title if isinstance(title, str) and title.strip() else None)


def position_of(data: Mapping[str, Any]) -> Place | None:
    """Of a pushed position, whose numbers are texts."""
    return _place(_point(data.get("latitude"), data.get("longitude")), None)


def _place(point: tuple[float, float] | None, text: str | None) -> Place | None:
    if point is None:
        return Place(text=text) if text else None
    return Place(text=text, lat=point[0], lon=point[1])


def _chosen(annotations: Any) -> Mapping[str, Any]:
    if not isinstance(annotations, list):
        return {}
    places = (one.get("place") for one in annotations if isinstance(one, dict))
    return next((place for place in places if isinstance(place, dict)), {})


def _point(lat: Any, lon: Any) -> tuple[float, float] | None:
    """Programs exist that write longitude first: a latitude beyond the pole says so. 0, 0 is nobody's."""
    one, other = _degrees(lat), _degrees(lon)
    if one is None or other is None or (one == 0 and other == 0):
        return None
    if abs(one) > 90 >= abs(other):
        one, other = other, one
    return (one, other) if abs(one) <= 90 and abs(other) <= 180 else None


def _degrees(given: Any) -> float | None:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        number = float(given)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None
