"""The one table of a ticket's life: which step leads from where to where, who may take it, and what it must say.

Pure: no I/O, no clock. docs/reference/lifecycle.md is drawn from this table, and a test says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from normalizer.life import Actor, Role, State, StepName


class Part(StrEnum):
    """What somebody is to a ticket."""

    SYSTEM = "system"
    OPERATOR = "operator"
    LEAD = "lead"
    HELPER = "helper"
    CITIZEN = "citizen"


@dataclass(frozen=True, slots=True)
class Move:
    """One row. `to`: None = the state stays. `needs`: fields of the step that must not be empty."""

    step: StepName
    before: frozenset[State]
    to: State | None
    parts: frozenset[Part]
    needs: tuple[str, ...] = ()
    why: str = ""


class Illegal(Exception):
    """A step that the table does not have. `code` for programs; the message names no person."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def _move(
    step: StepName,
    before: Collection[State],
    to: State | None,
    parts: Collection[Part],
    needs: tuple[str, ...] = (),
    why: str = "",
) -> Move:
    return Move(step, frozenset(before), to, frozenset(parts), needs, why)


_CENTRE: Final = (Part.SYSTEM, Part.OPERATOR)
_UNDECIDED: Final = (State.RECEIVED, State.TRIAGE)
_AT_WORK: Final = (State.SIGNED, State.IN_PROGRESS)

TABLE: Final[tuple[Move, ...]] = (
    _move(StepName.TRIAGE, (State.RECEIVED,), State.TRIAGE, _CENTRE, ("reason",), "a person decides"),
    _move(StepName.ANSWER, _UNDECIDED, State.ANSWERED, _CENTRE, ("text",), "answered at once (art. 11)"),
    _move(StepName.REFER, _UNDECIDED, State.REFERRED, _CENTRE, ("referral", "reason"), "another way (art. 11)"),
    _move(
        StepName.DISPATCH, _UNDECIDED, State.DISPATCHED, _CENTRE, ("lead", "reason"), "by the catalogue (art. 11, 12)"
    ),
    _move(StepName.SIGN, (State.DISPATCHED,), State.SIGNED, (Part.LEAD,), (), "the lead takes it (art. 14)"),
    _move(StepName.CONTACT, _AT_WORK, State.IN_PROGRESS, (Part.LEAD,), ("text",), "spoke to the citizen (art. 15)"),
    _move(StepName.PROGRESS, _AT_WORK, State.IN_PROGRESS, (Part.LEAD,), ("text",), "how far it is"),
    _move(
        StepName.ASK_HELP, _AT_WORK, State.IN_PROGRESS, (Part.LEAD,), ("co", "reason"), "the whistle; the lead stays"
    ),
    _move(StepName.HELP, _AT_WORK, None, (Part.HELPER,), ("text",), "the part of another unit (art. 14)"),
    _move(
        StepName.OBJECT,
        (State.DISPATCHED, State.SIGNED),
        State.OBJECTED,
        (Part.LEAD,),
        ("reason",),
        "not ours (art. 12)",
    ),
    _move(StepName.UPHOLD, (State.OBJECTED,), State.DISPATCHED, (Part.OPERATOR,), ("lead", "reason"), "another lead"),
    _move(StepName.OVERRULE, (State.OBJECTED,), State.DISPATCHED, (Part.OPERATOR,), ("reason",), "the lead stays"),
    _move(StepName.EXTEND, _AT_WORK, None, (Part.LEAD,), ("until", "reason"), "the citizen is told why (art. 15)"),
    _move(StepName.REPLY, _AT_WORK, State.REPLIED, (Part.LEAD,), ("text", "outcome"), "the result (art. 15)"),
    _move(
        StepName.CLOSE,
        (State.REPLIED, State.ANSWERED, State.REFERRED),
        State.CLOSED,
        _CENTRE,
        ("reason",),
        "the citizen was told, or it is on record why not",
    ),
    _move(
        StepName.REOPEN,
        (State.REPLIED, State.ANSWERED, State.REFERRED, State.CLOSED),
        State.TRIAGE,
        (Part.OPERATOR, Part.CITIZEN, Part.SYSTEM),
        ("reason",),
        "not over for the citizen",
    ),
)
"""Every legal step. `CLOSED` is the only end, and it can be left."""

MOVES: Final[Mapping[StepName, Move]] = {move.step: move for move in TABLE}


def part_of(actor: Actor, *, lead: str | None, co: Collection[str]) -> Part:
    """What `actor` is to a ticket with this lead and these helpers.

    Raises:
        Illegal: `not_yours`: a unit that has no part in it.
    """
    match actor.role:
        case Role.SYSTEM:
            return Part.SYSTEM
        case Role.OPERATOR:
            return Part.OPERATOR
        case Role.CITIZEN:
            return Part.CITIZEN
        case Role.UNIT if actor.id == lead:
            return Part.LEAD
        case Role.UNIT if actor.id in co:
            return Part.HELPER
    raise Illegal("not_yours", "This unit has no part in this ticket.")


def next_state(state: State, step: StepName, part: Part, given: Collection[str]) -> State:
    """The state after `step`. `given`: the fields of the step that say something.

    Raises:
        Illegal: `wrong_state`, `wrong_part`, `incomplete`: why it is refused.
    """
    move = MOVES[step]
    if part not in move.parts:
        raise Illegal("wrong_part", f"{step} is not a step of: {part}.")
    if state not in move.before:
        raise Illegal("wrong_state", f"{step} is no step from state {state}.")
    if missing := [name for name in move.needs if name not in given]:
        raise Illegal("incomplete", f"{step} needs: {', '.join(missing)}.")
    return state if move.to is None else move.to
