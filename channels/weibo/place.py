"""How far the poller came in each list, and what it has used of its calls: the cursor as data. Pure.

May not be trusted to be newer than it is: what it forgets is fetched again, and its source id drops it.
"""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError


class Walk(BaseModel):
    """One list, newest first. Everything up to `since` was taken. While a walk back is unfinished, everything from
    `top` down to `below` was taken as well, and it goes on at `below`."""

    model_config = ConfigDict(extra="ignore")

    since: int = 0
    top: int = 0
    below: int = 0

    def step(self, ids: list[int]) -> None:
        """A page with these ids was taken."""
        self.top = max(self.top, *ids)
        self.below = min(ids) - 1

    def finish(self) -> None:
        """The walk met what was taken before."""
        self.since, self.top, self.below = max(self.since, self.top), 0, 0


class Place(BaseModel):
    """`tat`: what channels.social.budget remembers. `token_checked`: unix seconds. `began`: when the first walk of all
    began; posts of long before are not for us. `recent`: source ids that were taken last, to spare their pictures."""

    model_config = ConfigDict(extra="ignore")

    tat: float | None = None
    began: float = 0.0
    token_checked: float = 0.0
    recent: list[str] = []
    walks: dict[str, Walk] = {}

    @classmethod
    def read(cls, saved: str | None, now: float) -> Self:
        """What was saved; what cannot be read counts as nothing."""
        try:
            place = cls.model_validate_json(saved or "{}")
        except ValidationError:
            place = cls()
        place.began = place.began or now
        return place

    def walk(self, name: str) -> Walk:
        """The walk of one list."""
        return self.walks.setdefault(name, Walk())

    @property
    def text(self) -> str:
        """To be saved."""
        return self.model_dump_json()
