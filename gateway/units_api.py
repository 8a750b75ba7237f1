"""The API of the units: their lists, leases, tickets and steps, for holders of a token with the scope `unit`.

May not decide: workers/unit_side.py does. What is not the unit's is 404: whether it exists is nobody's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, get_args

from aiohttp import web

from channels.contract import Handler
from channels.web.bodies import JSON, MULTIPART
from channels.web.config import WebConfig
from channels.web.models import Body
from gateway import life_http
from gateway.auth import UNIT
from gateway.life_models import (
    AskHelpForm,
    ContactForm,
    ExtendForm,
    HelpForm,
    ObjectForm,
    ProgressForm,
    ReplyForm,
    UnitLeaseForm,
    UnitState,
)
from normalizer.errors import Fault, Rejected
from normalizer.life import StepName
from workers.blobs import Blobs
from workers.unit_side import UnitSide

ROOT: Final = "/api/v1/units/me"
FORMS: Final[Mapping[StepName, type[Body] | None]] = {
    StepName.SIGN: None,
    StepName.CONTACT: ContactForm,
    StepName.PROGRESS: ProgressForm,
    StepName.ASK_HELP: AskHelpForm,
    StepName.HELP: HelpForm,
    StepName.OBJECT: ObjectForm,
    StepName.EXTEND: ExtendForm,
    StepName.REPLY: ReplyForm,
}
"""The units' steps, and what each one says."""
WITH_FILES: Final = frozenset({StepName.REPLY})
STATES: Final = get_args(UnitState)


class UnitsApi:
    """GET …/tickets and …/tickets/{number}, POST …/leases, POST …/tickets/{number}/{step}, below ROOT."""

    def __init__(self, side: UnitSide, blobs: Blobs, limits: WebConfig, now: Callable[[], datetime]) -> None:
        self._side = side
        self._blobs = blobs
        self._limits = limits
        self._now = now

    def register(self, route: Callable[[str, str, Handler, str | None], object]) -> None:
        """Add the routes."""
        route("GET", f"{ROOT}/tickets", life_http.guarded(self.page), UNIT)
        route("POST", f"{ROOT}/leases", life_http.guarded(self.lease), UNIT)
        route("GET", f"{ROOT}/tickets/{{number}}", life_http.guarded(self.ticket), UNIT)
        for step, form in FORMS.items():
            route("POST", f"{ROOT}/tickets/{{number}}/{step}", life_http.guarded(self._taker(step, form)), UNIT)

    async def page(self, request: web.Request) -> web.Response:
        """The unit's open tickets."""
        start, limit = life_http.window(request)
        states = request.query.getall("state", [])
        if not set(states) <= set(STATES):
            raise Rejected("unknown_word", "", [Fault("/state", "unknown_word", f"Of {', '.join(STATES)}.")])
        unit = life_http.unit_of(request).id
        found = await self._side.page(unit, start=start, count=limit, states=states)
        return life_http.json_of({"tickets": found.rows, "total": found.total, "next": found.next})

    async def lease(self, request: web.Request) -> web.Response:
        """Tickets that the unit leads and no other of its programs holds."""
        form, _ = await life_http.form_of(request, UnitLeaseForm, self._limits)
        unit, token = life_http.unit_of(request).id, life_http.token_of(request)
        records = await self._side.lease(unit, token.id, seconds=form.seconds, count=form.count, states=form.states)
        people = life_http.may_see_people(request)
        return life_http.json_of({"tickets": [self._side.view(unit, record, personal=people) for record in records]})

    async def ticket(self, request: web.Request) -> web.Response:
        """One ticket of the unit, as it may see it."""
        unit = life_http.unit_of(request).id
        record = await self._side.find(unit, request["path"]["number"])
        return life_http.json_of(self._side.view(unit, record, personal=life_http.may_see_people(request)))

    def _taker(self, step: StepName, model: type[Body] | None) -> life_http.Work:
        allowed = (JSON, MULTIPART) if step in WITH_FILES else (JSON,)

        async def take(request: web.Request) -> web.Response:
            number, by = request["path"]["number"], life_http.unit_of(request)
            if model is None:
                word = life_http.word(request, step, by, None)
            else:
                form, files = await life_http.form_of(request, model, self._limits, allowed)
                if files:  # a stranger's files do not reach the disk
                    await self._side.find(by.id, number)
                kept = await life_http.kept(files, self._blobs, self._now())
                word = life_http.word(request, step, by, form, attachments=kept or None)
            return life_http.stepped(number, await self._side.take(number, word))

        return take
