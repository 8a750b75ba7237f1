"""One step of a ticket's life on somebody's word from outside, who may say it again: the same key is the same step.

May not decide whose ticket it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from normalizer.errors import Rejected
from normalizer.life import Actor, LifeStep, State, StepName
from workers.life import Lives, Taken
from workers.store import Record, Store

_SAID: Final = frozenset({"reason", "text", "lead", "co", "cc", "referral", "until", "outcome", "attachments"})
_WHERE: Final = frozenset({"blob", "public_blob"})
"""Of an attachment: where it was put, which differs by the day."""
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody wants: a step, in whose name, what it says, and the key under which it is repeated."""

    step: StepName
    by: Actor
    key: str
    says: Mapping[str, object]

    @property
    def operation(self) -> str:
        """A key is its sender's own, and of this step."""
        scope = f"{self.by.role}\0{self.by.id}\0{self.key}"
        return f"{self.step}:{sha256(scope.encode()).hexdigest()[:32]}"


def repeated(record: Record, word: Word) -> Taken | None:
    """What became of the word when it was said before; None: it was not.

    Raises:
        Rejected: `conflict`: the key was used for something else.
    """
    version = record.fields.get(f"op:{word.operation}")
    if version is None:
        return None
    before = record.events()[int(version) - 2]["data"]
    if _comparable(before) != _comparable(_dump(record, word)):
        raise Rejected("conflict", "The same key was used before for something else.")
    return Taken(int(version), State(record.state), repeated=True)


async def take(store: Store, record: Record, word: Word, at: datetime) -> Taken:
    """Take the step. Raises as `Lives.take`, and Rejected as `repeated`."""
    taken = await Lives(store).take(record.ticket_id, word.step, word.by, at, operation=word.operation, says=word.says)
    if taken.repeated and (again := await store.load(record.ticket_id)) is not None:
        return repeated(again, word) or taken
    return taken


def _dump(record: Record, word: Word) -> dict[str, Any]:
    """What the step says, as its event would have it."""
    head = {"ticket_id": record.ticket_id, "number": record.number, "version": 1, "state": record.state}
    step = LifeStep.model_validate(head | {"by": word.by, "at": _EPOCH} | dict(word.says))
    return step.model_dump(mode="json", exclude_none=True, exclude_defaults=True)


def _comparable(data: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in data.items() if name in _SAID}
    if "attachments" in said:
        said["attachments"] = [_content(one) for one in said["attachments"]]
    return said


def _content(attachment: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attachment.items() if name not in _WHERE and value is not None}
