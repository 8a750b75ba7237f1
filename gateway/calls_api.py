"""The API of the list of calls: what waits, leases, outcomes, for operators whose token also has scope `personal`.

May not decide what an outcome means: workers/calls.py does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from aiohttp import web

from channels.contract import Handler
from channels.problem import problem
from channels.web.config import WebConfig
from gateway import life_http
from gateway.auth import DESK, PERSONAL
from gateway.calls_models import CallLeaseForm, CallOutcomeForm
from workers.calls import Calls, Row, Try

ROOT: Final = "/api/v1/desk/calls"


class CallsApi:
    """Below ROOT: GET, POST /leases, DELETE /leases/{call}, POST /{call}/outcome."""

    def __init__(self, calls: Calls, limits: WebConfig, now: Callable[[], datetime]) -> None:
        self._calls = calls
        self._limits = limits
        self._now = now

    def register(self, route: Callable[[str, str, Handler, str | None], object]) -> None:
        """Add the routes."""
        route("GET", ROOT, life_http.guarded(self.page), DESK)
        route("POST", f"{ROOT}/leases", life_http.guarded(self.lease), DESK)
        route("DELETE", f"{ROOT}/leases/{{call}}", life_http.guarded(self.give_back), DESK)
        route("POST", f"{ROOT}/{{call}}/outcome", life_http.guarded(self.outcome), DESK)

    async def page(self, request: web.Request) -> web.Response:
        """What waits, without a word of whom."""
        start, limit = life_http.window(request)
        found = await self._calls.rows(self._now(), start=start, count=limit)
        total = await self._calls.count()
        after = start + limit if start + limit < total else None
        return life_http.json_of({"calls": [_row(row) for row in found], "total": total, "next": after})

    async def lease(self, request: web.Request) -> web.Response:
        """Whom to call, and what to say."""
        if not life_http.may_see_people(request):
            return problem(HTTPStatus.FORBIDDEN, "scope_needed", f"Who calls people must see them: {PERSONAL}.")
        form, _ = await life_http.form_of(request, CallLeaseForm, self._limits)
        operator = life_http.operator_of(request).id
        count = len(form.calls) or form.count
        found = await self._calls.lease(operator, self._now(), seconds=form.seconds, count=count, only=form.calls)
        return life_http.json_of({"calls": [asdict(call) for call in found]})

    async def give_back(self, request: web.Request) -> web.Response:
        """Let somebody else make it."""
        await self._calls.give_back(life_http.operator_of(request).id, request["path"]["call"], self._now())
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def outcome(self, request: web.Request) -> web.Response:
        """Record what came of a call that the operator holds."""
        form, _ = await life_http.form_of(request, CallOutcomeForm, self._limits)
        made = Try(life_http.operator_of(request).id, life_http.key(request), form.outcome, form.said)
        return life_http.json_of(asdict(await self._calls.record(request["path"]["call"], made, self._now())))


def _row(row: Row) -> dict[str, object]:
    until = row.entry.until
    return {
        "id": row.id,
        "number": row.number,
        "operation": row.operation,
        "tries": row.tries,
        "since": _moment(row.entry.since),
        "holder": row.entry.holder,
        "until": None if until is None else _moment(until),
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
