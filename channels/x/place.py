"""How far the poller came: the cursor as data. Pure.

May not be trusted to be newer than it is: what it forgets is fetched again, and its source id drops it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

_TIME_SHIFT: Final = 22
_EPOCH: Final = datetime(2010, 11, 4, 1, 42, 54, 657_000, tzinfo=UTC)
"""X's ids are milliseconds since then, and 22 bits that tell those of one millisecond apart."""
LATE: Final = timedelta(minutes=2)
"""A post may be listed so much later than one that was written after it."""


class Place(BaseModel):
    """Every post up to the id `since` was taken. Before the first one there is only `start`: older posts are from
    before the line listened here."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    since: int = 0
    start: AwareDatetime | None = None

    @classmethod
    def read(cls, saved: str | None) -> Self:
        """What was saved; what cannot be read counts as nothing."""
        try:
            return cls.model_validate_json(saved or "{}")
        except ValidationError:
            return cls()

    @property
    def is_new(self) -> bool:
        """Whether nobody ever looked."""
        return not self.since and self.start is None

    def begun(self, start: datetime) -> Self:
        """From the first look of all on."""
        return self.model_copy(update={"start": start.replace(microsecond=0)})

    def moved(self, newest: int) -> Self:
        """All up to this id were taken."""
        return self.model_copy(update={"since": max(self.since, newest)})

    @property
    def asked(self) -> str | None:
        """The id after which is asked: a little earlier than `since`, for what is listed late."""
        if not self.since:
            return None
        milliseconds = (self.since >> _TIME_SHIFT) - LATE // timedelta(milliseconds=1)
        return str(milliseconds << _TIME_SHIFT if milliseconds > 0 else self.since)

    @property
    def asked_from(self) -> str | None:
        """The time from which is asked, while there is no id."""
        return None if self.since or self.start is None else self.start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def text(self) -> str:
        """To be saved."""
        return self.model_dump_json()


def written_at(identity: int) -> datetime:
    """The moment that the id of a post holds."""
    return _EPOCH + timedelta(milliseconds=identity >> _TIME_SHIFT)
