"""What must hold of a ticket whatever happened to it, computed from its events and the table alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from normalizer.events import FOLLOWED_UP, NOTIFIED
from normalizer.life import EVENT_TYPES, State, StepName
from workers.lifecycle import TABLE
from workers.store import Record

STEPS = {type: step for step, type in EVENT_TYPES.items()}
ENDS = (StepName.ANSWER, StepName.REFER, StepName.REPLY)
NAMES_A_LEAD = (StepName.DISPATCH, StepName.UPHOLD)
TELLS_UNITS = (
    StepName.DISPATCH, StepName.UPHOLD, StepName.OVERRULE, StepName.ASK_HELP, StepName.HELP, StepName.REOPEN,
    StepName.CLOSE,
)  # fmt: skip


@dataclass
class Replay:
    """A ticket's life told again from its events; every step is held against the table."""

    state: State = State.RECEIVED
    lead: str = ""
    co: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    ending: str = ""
    at_intake: bool = False
    outcomes: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    concerns: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    messages: int = 0
    version: int = 1

    @classmethod
    def of(cls, record: Record) -> Replay:
        told = cls()
        for event in record.events():
            told.take(event)
        return told

    @property
    def units(self) -> frozenset[str]:
        return frozenset(unit for unit in (self.lead, *self.co, *self.cc) if unit)

    @property
    def informed(self) -> frozenset[str]:
        """Who is told of what happens: nobody while it is open again who they are."""
        return frozenset() if self.state in (State.RECEIVED, State.TRIAGE) else self.units

    def take(self, event: Mapping[str, Any]) -> None:
        data = event["data"]
        self.version += 1
        assert data["version"] == self.version, "versions without gaps"
        assert event["id"] == f"{data['ticket_id']}.{self.version}"
        before = self.informed
        if event["type"] in STEPS:
            self._step(STEPS[event["type"]], data)
        elif event["type"] == NOTIFIED:
            self._notified(data)
        self.messages += event["type"] == FOLLOWED_UP
        if event["type"] == FOLLOWED_UP or STEPS.get(event["type"]) in TELLS_UNITS:
            helped = STEPS.get(event["type"]) is StepName.HELP  # what a helper did concerns who leads
            for unit in frozenset({self.lead}) if helped else before | self.informed:
                self.concerns[unit].append(self.version)

    def _step(self, step: StepName, data: Mapping[str, Any]) -> None:
        row = next(move for move in TABLE if move.step is step)
        assert self.state in row.before, f"{step} from {self.state}"
        assert self.part(data["by"]["role"], data["by"]["id"]) in row.parts, f"{step} by {data['by']}"
        assert all(data.get(name) for name in row.needs), f"{step} without {row.needs}"
        if step is StepName.CLOSE:
            self._may_close(data)
        self.state = row.to or self.state
        assert data["state"] == self.state
        if step in NAMES_A_LEAD:
            self.lead, self.co, self.cc = data["lead"], tuple(data.get("co", ())), tuple(data.get("cc", ()))
        elif step is StepName.ASK_HELP:
            self.co = tuple(dict.fromkeys((*self.co, *data["co"])))
        elif step is StepName.REOPEN:
            self.lead, self.co, self.cc = "", (), ()
        if step in ENDS:
            self.ending = f"{step}:{self.version}"
            self.at_intake = data["by"] == {"role": "system", "id": "intake"}

    def _may_close(self, data: Mapping[str, Any]) -> None:
        outcome, reason = self.outcomes.get(self.ending, ("", None))
        told = self.at_intake or outcome == "sent" or (outcome in ("failed", "unknown", "not_allowed"))
        assert told, f"closed, and {self.ending} is {outcome or 'nowhere'}"
        assert data["reason"]
        assert self.at_intake or outcome in ("sent", "unknown") or reason, "closed without a reason why not"

    def _notified(self, data: Mapping[str, Any]) -> None:
        self.outcomes[data["operation"]] = (data["outcome"], data.get("reason"))
        if "state" in data:  # what told the citizen came back
            assert (self.state, data["outcome"], data["operation"]) == (State.CLOSED, "failed", self.ending)
            self.state = State(data["state"])

    def part(self, role: str, id: str) -> str | None:
        if role != "unit":
            return role
        return "lead" if id == self.lead else "helper" if id in self.co else None

    def lists(self) -> set[str]:
        """Where it waits for people."""
        if self.state is State.TRIAGE:
            return {"triage"}
        if self.state is State.CLOSED:
            return set()
        return {
            *(f"unit:{unit}" for unit in self.units),
            *(f"unit:{unit}:{'lead' if unit == self.lead else 'other'}:{self.state}" for unit in self.units),
            *(["objections"] if self.state is State.OBJECTED else []),
        }

    def told(self, fields: Mapping[str, str]) -> bool:
        """Whether it may be closed."""
        word = fields.get(f"reply:{self.ending}")
        return bool(self.ending) and (self.at_intake or word in ("sent", "undeliverable"))


def check(record: Record, told: Replay, waits_on: set[str]) -> None:
    """The hash, the lists and the folded ticket say what the events say."""
    fields = record.fields
    assert (record.version, record.state) == (told.version, told.state)
    assert fields.get("lead", "") == told.lead
    assert (fields.get("co", "").split(), fields.get("cc", "").split()) == ([*told.co], [*told.cc])
    operations = [int(version) for name, version in fields.items() if name.startswith("op:")]
    assert len(set(operations)) == len(operations) == record.version - 1 - told.messages, "an operation a step"
    calls = {f"calls:{name[6:]}" for name, word in fields.items() if name.startswith("reply:") and word == "calling"}
    taken = f"acknowledged:{fields['alarm_round']}" if "alarm_round" in fields else "acknowledged"
    alarmed = {"alarms"} if "alarm" in fields and taken not in fields else set()
    assert waits_on == told.lists() | calls | alarmed
    if record.state == State.CLOSED:
        assert told.told(fields), "closed, and nobody was told"
        if not told.at_intake and fields[f"reply:{told.ending}"] == "undeliverable":
            assert fields[f"why:{told.ending}"]


def check_folded(record: Record) -> None:
    """The document and its events are a valid ticket of the same version."""
    ticket = record.ticket()
    assert ticket.version == record.version
    assert type(ticket).model_validate_json(ticket.model_dump_json()) == ticket
