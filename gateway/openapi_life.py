"""The part of the OpenAPI document about units and the centre's desk. May not serve it, nor know a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from channels.web.models import Body
from gateway import desk_api, life_models, units_api
from gateway.files_api import BELOW_A_TICKET
from gateway.openapi_parts import (
    JSON,
    KEY,
    MULTIPART,
    TOKEN,
    File,
    file_of,
    json_answer,
    operation,
    problem,
    ref,
    segment,
)
from normalizer.life import StepName
from workers.centre import LISTS


class ReplyUpload(life_models.ReplyForm):
    """The answer to the citizen as the parts of a form, with files."""

    attachments: tuple[File, ...] = ()


FORMS: Final[tuple[type[BaseModel], ...]] = (
    *(form for form in units_api.FORMS.values() if form is not None),
    *desk_api.FORMS.values(),
    life_models.DeskLeaseForm,
    life_models.UnitLeaseForm,
    ReplyUpload,
)
ANSWERS: Final[tuple[type[BaseModel], ...]] = (
    life_models.StepAnswer,
    life_models.TicketView,
    life_models.UnitPage,
    life_models.DeskPage,
    life_models.Leased,
)
BOUND: Final[tuple[type[BaseModel], ...]] = (
    life_models.ContactForm,
    life_models.ProgressForm,
    life_models.HelpForm,
    life_models.AnswerForm,
    life_models.ReplyForm,
    ReplyUpload,
)
"""Forms with a text or files, whose limits are the site's."""
_ASKING: Final = (401, 403, 503)
_WRITING: Final = (400, 408, 413, 415, 422)
_NUMBER: Final = segment("number", "The ticket's number")
_SUMMARIES: Final[Mapping[StepName, str]] = {
    StepName.SIGN: "Take the ticket",
    StepName.CONTACT: "Say that the citizen was spoken to",
    StepName.PROGRESS: "Say how far it is",
    StepName.ASK_HELP: "Call other units to help; the lead stays",
    StepName.HELP: "Give a helper's part",
    StepName.OBJECT: "Object: it is another unit's",
    StepName.EXTEND: "Extend the limit; the citizen is told why",
    StepName.REPLY: "Answer the citizen",
    StepName.DISPATCH: "Dispatch a leased ticket to a lead",
    StepName.ANSWER: "Answer a leased ticket at once",
    StepName.REFER: "Refer the citizen of a leased ticket elsewhere",
    StepName.UPHOLD: "Uphold a leased objection: another lead",
    StepName.OVERRULE: "Overrule a leased objection: the lead stays",
    StepName.CLOSE: "Close a ticket whose citizen was told",
    StepName.REOPEN: "Reopen a ticket for triage",
}


def paths() -> dict[str, Any]:
    """Every path below /api/v1/units/me and /api/v1/desk, but the one by which tickets are entered."""
    return _units() | _desk()


def _units() -> dict[str, Any]:
    state = {"type": "array", "items": {"enum": list(units_api.STATES)}}
    page = _page("unitTickets", "The unit's open tickets", "UnitPage")
    page["parameters"].append({"name": "state", "in": "query", "description": "Only these", "schema": state})
    root = units_api.ROOT
    found = {
        f"{root}/tickets": {"get": page},
        f"{root}/leases": {"post": _lease("unitLease", "Hold tickets that the unit leads", "UnitLeaseForm")},
        f"{root}/tickets/{{number}}": {"get": _view("unitTicket", "A ticket of the unit, as it may see it")},
    }
    file = file_of("unitFile", "A file of a ticket of the unit, as it may see it", _NUMBER)
    found[f"{root}/tickets/{{number}}/{BELOW_A_TICKET}"] = {"get": file}
    for step, form in units_api.FORMS.items():
        found[f"{root}/tickets/{{number}}/{step}"] = {"post": _step(step, form)}
    return found


def _desk() -> dict[str, Any]:
    root = desk_api.ROOT
    found = {f"{root}/tickets/{{number}}": {"get": _view("deskTicket", "Any ticket, with all that happened to it")}}
    file = file_of("deskFile", "A file of any ticket", _NUMBER)
    found[f"{root}/tickets/{{number}}/{BELOW_A_TICKET}"] = {"get": file}
    for name in LISTS:
        found[f"{root}/{name}"] = {"get": _page(f"{name}Page", f"What waits in {name}", "DeskPage")}
        found[f"{root}/{name}/leases"] = {"post": _lease(f"{name}Lease", f"Hold tickets of {name}", "DeskLeaseForm")}
        back = operation(f"{name}GiveBack", "Give a ticket back", {204: {"description": "Not held"}}, _ASKING)
        found[f"{root}/{name}/leases/{{number}}"] = {"delete": back | {"parameters": [_NUMBER], "security": TOKEN}}
    for step, form in desk_api.FORMS.items():
        found[f"{root}/tickets/{{number}}/{step}"] = {"post": _step(step, form)}
    return found


def _page(name: str, summary: str, model: str) -> dict[str, Any]:
    made = operation(name, summary, {200: json_answer("A page", model)}, (*_ASKING, 422))
    numbers = (("start", "Where the page starts", 0, 10**9), ("limit", "Tickets of a page", 1, 100))
    made["parameters"] = [
        {
            "name": name,
            "in": "query",
            "description": description,
            "schema": {"type": "integer", "minimum": least, "maximum": most},
        }
        for name, description, least, most in numbers
    ]
    return made | {"security": TOKEN}


def _lease(name: str, summary: str, form: str) -> dict[str, Any]:
    made = operation(name, summary, {200: json_answer("What is held now", "Leased")}, (*_ASKING, *_WRITING))
    made["requestBody"] = {"required": True, "content": {JSON: {"schema": ref(form)}}}
    return made | {"security": TOKEN}


def _view(name: str, summary: str) -> dict[str, Any]:
    made = operation(name, summary, {200: json_answer("The ticket", "TicketView")}, (*_ASKING, 404))
    return made | {"parameters": [_NUMBER], "security": TOKEN}


def _step(step: StepName, form: type[Body] | None) -> dict[str, Any]:
    first, *rest = step.split("_")
    name = "".join((first, *(word.capitalize() for word in rest)))
    made = operation(name, _SUMMARIES[step], {200: json_answer("It is done", "StepAnswer")}, (*_ASKING, 404, 409, 422))
    if form is not None:
        content = {JSON: {"schema": ref(form.__name__)}}
        if step in units_api.WITH_FILES:
            content[MULTIPART] = {"schema": ref(ReplyUpload.__name__)}
        made["requestBody"] = {"required": True, "content": content}
        made["responses"] |= {str(status): problem(status) for status in _WRITING}
    return made | {"parameters": [_NUMBER, KEY | {"required": True}], "security": TOKEN}
