"""A ticket on its way through a small town, for the tests of what its citizen is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from channels.contract import Replying
from normalizer.life import Actor, Role, StepName
from normalizer.ticket import ReplyAddress, Requester
from tests.workers.turns import NOW, Answering
from workers.delivery import deliver
from workers.life import Lives
from workers.runtime import Runtime

PHONE = "+8613800138000"
OTHER_PHONE = "+8613900139000"
LAMP = "城北柳树街路灯坏了"
MAIL = ReplyAddress(channel="email", address="citizen@home.example")
SMS = ReplyAddress(channel="sms", address=PHONE)
CALLER = Requester(phone=PHONE)
WRITER = Requester(reply_to=(MAIL,))
BOTH = Requester(phone=PHONE, reply_to=(MAIL,))
NOTIFIED = "org.jiesu.ticket.notified.v1"
LEAD = Actor(role=Role.UNIT, id="north_lamp")
OPERATOR = Actor(role=Role.OPERATOR, id="wang")


@dataclass
class OnceOnly(Answering):
    """A channel that cannot tell a repetition."""

    repeatable: bool = False


@dataclass
class Walk:
    """One ticket, and who does something with it; time passes when a test says so."""

    runtime: Runtime
    ticket_id: str
    channels: Mapping[str, Answering]
    now: datetime = NOW
    steps: int = field(default=0)

    async def turn(self) -> str:
        """A job for the ticket, now."""
        runtime = replace(self.runtime, now=lambda: self.now, replying=self._replying)
        return await deliver(runtime, self.ticket_id)

    def _replying(self, name: str) -> Replying | None:
        return self.channels.get(name)  # type: ignore[return-value]

    async def take(self, step: StepName, by: Actor = LEAD, **says: object) -> None:
        """A step, then a job."""
        self.steps += 1
        await Lives(self.runtime.store).take(
            self.ticket_id, step, by, self.now, operation=f"test:{self.steps}", says=says
        )
        await self.turn()

    async def reply(self, text: str = "路灯已修好。", outcome: str = "resolved") -> None:
        """From wherever the lead has it, its answer."""
        if (await self.record()).state == "dispatched":
            await self.take(StepName.SIGN)
        await self.take(StepName.REPLY, text=text, outcome=outcome)

    async def record(self):
        return await self.runtime.store.load(self.ticket_id)

    async def outcomes(self, operation: str | None = None) -> list[tuple[str, str]]:
        """Channel and outcome of every try of the notices (or of one), oldest first."""
        found = [event["data"] for event in (await self.record()).events() if event["type"] == NOTIFIED]
        return [(one["channel"], one["outcome"]) for one in found if operation in (None, one["operation"])]

    async def operation(self, step: StepName) -> str:
        """The name of the notice of the last such step."""
        past = {"reply": "replied", "extend": "extended", "dispatch": "dispatched", "uphold": "objection_upheld"}
        type = f"org.jiesu.ticket.{past[step]}.v1"
        versions = [event["data"]["version"] for event in (await self.record()).events() if event["type"] == type]
        return f"{step}:{versions[-1]}"

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)
