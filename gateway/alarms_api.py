"""The API of the alarms that nobody has in hand yet, for holders of a token with scope `desk`.

May not raise or tell one: workers/warning.py does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Final

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, Field

from channels.contract import Handler
from gateway import life_http
from gateway.auth import DESK
from workers import alarms
from workers.store import Store

ROOT: Final = "/api/v1/desk/alarms"


class AlarmTold(BaseModel):
    """One person who was told, or could not be."""

    person: str
    level: int
    outcome: str = Field(description="`told` or `failed`")
    at: AwareDatetime
    reason: str | None = Field(description="Why it failed")


class AlarmRow(BaseModel):
    """One ticket with an alarm, without personal data."""

    number: str
    state: str
    tier: str
    reasons: tuple[str, ...] = Field(description="Why it was raised: tier, flags, how many alike in a street")
    since: AwareDatetime
    told: tuple[AlarmTold, ...]


class AlarmPage(BaseModel):
    """A page of the alarms that nobody acknowledged."""

    alarms: tuple[AlarmRow, ...]
    total: int
    next: int | None = Field(description="`start` of the next page; null: this was the last")


class AlarmInHand(BaseModel):
    """Whose an alarm is now."""

    number: str
    by: str = Field(description="Role and name of who acknowledged it first")
    repeated: bool = Field(description="It was acknowledged before")


class AlarmsApi:
    """Below ROOT: GET, POST /{number}/acknowledge."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def register(self, route: Callable[[str, str, Handler, str | None], object]) -> None:
        """Add the routes."""
        route("GET", ROOT, life_http.guarded(self.page), DESK)
        route("POST", f"{ROOT}/{{number}}/acknowledge", life_http.guarded(self.acknowledge), DESK)

    async def page(self, request: web.Request) -> web.Response:
        """What nobody has in hand, the oldest first."""
        start, limit = life_http.window(request)
        found = await alarms.page(self._store, self._now(), start=start, count=limit)
        return life_http.json_of({"alarms": found.rows, "total": found.total, "next": found.next})

    async def acknowledge(self, request: web.Request) -> web.Response:
        """The operator has it in hand: nobody else is told."""
        number, by = request["path"]["number"], life_http.operator_of(request)
        return life_http.json_of(asdict(await alarms.take(self._store, number, by, self._now())))
