"""The API of the centre's people: what waits for them, leases, decisions, for holders of a token with scope `desk`.

May not decide: workers/centre.py does. Tickets entered by hand come in by the channel `desk`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web

from channels.contract import Handler
from channels.web.config import WebConfig
from channels.web.models import Body
from gateway import life_http
from gateway.auth import DESK
from gateway.life_models import AnswerForm, DeskLeaseForm, DispatchForm, ReasonForm, ReferForm, UpholdForm
from normalizer.life import StepName
from workers import views
from workers.centre import LISTS, Centre
from workers.lifecycle import Illegal
from workers.store import Record

ROOT: Final = "/api/v1/desk"
FORMS: Final[Mapping[StepName, type[Body]]] = {
    StepName.DISPATCH: DispatchForm,
    StepName.ANSWER: AnswerForm,
    StepName.REFER: ReferForm,
    StepName.UPHOLD: UpholdForm,
    StepName.OVERRULE: ReasonForm,
    StepName.CLOSE: ReasonForm,
    StepName.REOPEN: ReasonForm,
}
"""The operators' steps, and what each one says."""


class DeskApi:
    """The lists `triage` and `objections` with their leases, tickets, and the operators' steps, below ROOT."""

    def __init__(self, centre: Centre, limits: WebConfig) -> None:
        self._centre = centre
        self._limits = limits

    def register(self, route: Callable[[str, str, Handler, str | None], object]) -> None:
        """Add the routes."""
        for name in LISTS:
            route("GET", f"{ROOT}/{name}", life_http.guarded(self._pager(name)), DESK)
            route("POST", f"{ROOT}/{name}/leases", life_http.guarded(self._leaser(name)), DESK)
            route("DELETE", f"{ROOT}/{name}/leases/{{number}}", life_http.guarded(self._returner(name)), DESK)
        route("GET", f"{ROOT}/tickets/{{number}}", life_http.guarded(self.ticket), DESK)
        for step, form in FORMS.items():
            route("POST", f"{ROOT}/tickets/{{number}}/{step}", life_http.guarded(self._taker(step, form)), DESK)

    async def ticket(self, request: web.Request) -> web.Response:
        """Any ticket, with all that happened to it."""
        record = await self._centre.store.find(request["path"]["number"])
        if record is None or not record.complete:
            raise Illegal("missing", "There is no such ticket.")
        return life_http.json_of(_view(request, record))

    def _pager(self, name: str) -> life_http.Work:
        async def page(request: web.Request) -> web.Response:
            start, limit = life_http.window(request)
            found = await self._centre.page(name, start=start, count=limit)
            return life_http.json_of({"tickets": found.rows, "total": found.total, "next": found.next})

        return page

    def _leaser(self, name: str) -> life_http.Work:
        async def lease(request: web.Request) -> web.Response:
            form, _ = await life_http.form_of(request, DeskLeaseForm, self._limits)
            operator = life_http.operator_of(request).id
            count = len(form.numbers) or form.count
            found = await self._centre.lease(name, operator, seconds=form.seconds, count=count, only=form.numbers)
            return life_http.json_of({"tickets": [_view(request, record) for record in found]})

        return lease

    def _returner(self, name: str) -> life_http.Work:
        async def give_back(request: web.Request) -> web.Response:
            await self._centre.give_back(name, life_http.operator_of(request).id, request["path"]["number"])
            return web.Response(status=HTTPStatus.NO_CONTENT)

        return give_back

    def _taker(self, step: StepName, model: type[Body]) -> life_http.Work:
        async def take(request: web.Request) -> web.Response:
            number = request["path"]["number"]
            form, _ = await life_http.form_of(request, model, self._limits)
            word = life_http.word(request, step, life_http.operator_of(request), form)
            return life_http.stepped(number, await self._centre.take(number, word))

        return take


def _view(request: web.Request, record: Record) -> Mapping[str, object]:
    return views.of_ticket(record, unit=None, personal=life_http.may_see_people(request))
