"""How a ticket's matter ended, and whether its citizen knows it: without that, no ticket may be closed.

Pure: reads a record's events and fields. May not decide how somebody is told (workers/notices.py, workers/replies.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from normalizer.life import EVENT_TYPES, Role, StepName
from workers.store import Record

SENT: Final = "sent"
UNDELIVERABLE: Final = "undeliverable"
CALLING: Final = "calling"
INTAKE: Final = "intake"
"""The actor of answers that were given in the conversation itself."""
ENDINGS: Final = {EVENT_TYPES[step]: step for step in (StepName.ANSWER, StepName.REFER, StepName.REPLY)}


@dataclass(frozen=True, slots=True)
class Ending:
    """The step that answered the citizen. `at_intake`: in the conversation, so nothing is owed any more."""

    step: StepName
    version: int
    at_intake: bool

    @property
    def operation(self) -> str:
        """The name of the notice of this step."""
        return f"{self.step}:{self.version}"


def ending(record: Record) -> Ending | None:
    """The last step that answered the citizen, None while there is none."""
    for event in reversed(record.events()):
        if (step := ENDINGS.get(event["type"])) is not None:
            return Ending(step, event["data"]["version"], is_at_intake(step, event["data"]))
    return None


def is_at_intake(step: StepName, data: Mapping[str, Any]) -> bool:
    """Whether this step (and the data of its event) is an answer that was given in the conversation itself."""
    by = data["by"]
    return step is StepName.ANSWER and by["role"] == Role.SYSTEM and by["id"] == INTAKE


def is_over(record: Record, operation: str) -> bool:
    """Whether the notice `operation` came to its end: the citizen has it, or it is on record why not."""
    return record.fields.get(f"reply:{operation}") in (SENT, UNDELIVERABLE)


def told(record: Record) -> str | None:
    """How the citizen was told how it ended, or why that could not be; None: neither is so yet. For operators."""
    end = ending(record)
    if end is None:
        return None
    if end.at_intake:
        return "told at intake"
    match record.fields.get(f"reply:{end.operation}"):
        case "sent":
            return f"told by {record.fields[f'told:{end.operation}']}"
        case "undeliverable":
            return f"could not be told: {record.fields[f'why:{end.operation}']}"
    return None
