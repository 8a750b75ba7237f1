"""The part of the OpenAPI document about the list of calls. May not serve it, nor know a rule."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from gateway.calls_api import ROOT
from gateway.calls_models import CallLeaseForm, CallOutcomeForm, CallPage, CallRecorded, CallsLeased
from gateway.openapi_parts import JSON, KEY, TOKEN, json_answer, operation, ref, segment

FORMS: Final[tuple[type[BaseModel], ...]] = (CallLeaseForm, CallOutcomeForm)
ANSWERS: Final[tuple[type[BaseModel], ...]] = (CallPage, CallsLeased, CallRecorded)
_ASKING: Final = (401, 403, 503)
_WRITING: Final = (400, 408, 413, 415, 422)
_CALL: Final = segment("call", "The call's id")


def paths() -> dict[str, Any]:
    """Every path below ROOT."""
    page = operation("callsPage", "Citizens to be called", {200: json_answer("A page", "CallPage")}, (*_ASKING, 422))
    page["parameters"] = [
        _query("start", "Where the page starts", 0, 10**9),
        _query("limit", "Calls of a page", 1, 100),
    ]
    lease = _writing("callsLease", "Hold calls: whom, and what to say", "CallsLeased", CallLeaseForm, ())
    back = operation("callsGiveBack", "Give a call back", {204: {"description": "Not held"}}, (*_ASKING, 409))
    outcome = _writing("callOutcome", "Record what came of a held call", "CallRecorded", CallOutcomeForm, (404, 409))
    return {
        ROOT: {"get": page | {"security": TOKEN}},
        f"{ROOT}/leases": {"post": lease},
        f"{ROOT}/leases/{{call}}": {"delete": back | {"parameters": [_CALL], "security": TOKEN}},
        f"{ROOT}/{{call}}/outcome": {"post": outcome | {"parameters": [_CALL, KEY | {"required": True}]}},
    }


def _query(name: str, description: str, least: int, most: int) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": least, "maximum": most}
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _writing(name: str, summary: str, answer: str, form: type[BaseModel], more: tuple[int, ...]) -> dict[str, Any]:
    made = operation(name, summary, {200: json_answer("It is done", answer)}, (*_ASKING, *_WRITING, *more))
    made["requestBody"] = {"required": True, "content": {JSON: {"schema": ref(form.__name__)}}}
    return made | {"security": TOKEN}
