"""The part of the OpenAPI document about alarms. May not serve it, nor know a rule."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from gateway.alarms_api import ROOT, AlarmInHand, AlarmPage
from gateway.openapi_parts import TOKEN, json_answer, operation, segment

ANSWERS: Final[tuple[type[BaseModel], ...]] = (AlarmPage, AlarmInHand)
_ASKING: Final = (401, 403, 503)


def paths() -> dict[str, Any]:
    """Every path below ROOT."""
    page = operation(
        "alarmsPage", "Alarms that nobody has in hand", {200: json_answer("A page", "AlarmPage")}, (*_ASKING, 422)
    )
    page["parameters"] = [
        _query("start", "Where the page starts", 0, 10**9),
        _query("limit", "Alarms of a page", 1, 100),
    ]
    taken = {200: json_answer("Nobody else is told", "AlarmInHand")}
    acknowledge = operation("acknowledge", "Have an alarm in hand", taken, (*_ASKING, 404, 409))
    acknowledge["parameters"] = [segment("number", "The ticket's number")]
    return {
        ROOT: {"get": page | {"security": TOKEN}},
        f"{ROOT}/{{number}}/acknowledge": {"post": acknowledge | {"security": TOKEN}},
    }


def _query(name: str, description: str, least: int, most: int) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": least, "maximum": most}
    return {"name": name, "in": "query", "description": description, "schema": schema}
