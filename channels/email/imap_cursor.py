"""Which messages of a folder are still to be taken, where the folder keeps no marks of ours. Pure."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence


class Cursor:
    """Everything up to `uid` was taken or refused, but for `owed`. It holds for one UIDVALIDITY of one mailbox
    (RFC 3501 2.3.1.1): for another, everything is still to be taken."""

    def __init__(self, place: str, saved: str | None) -> None:
        """`place` names mailbox, folder and UIDVALIDITY; `saved`: what `text` once was. What cannot be read, or is
        about another place, counts as nothing: taking a message twice harms nobody."""
        self._place = place
        self.uid = 0
        self.owed: set[int] = set()
        self._found: Sequence[int] = ()
        try:
            facts = json.loads(saved or "{}")
            if facts["place"] == place:
                self.uid, self.owed = int(facts["uid"]), {int(uid) for uid in facts["owed"]}
        except (ValueError, TypeError, KeyError):
            self.uid, self.owed = 0, set()

    @property
    def text(self) -> str:
        """To be saved."""
        return json.dumps({"place": self._place, "uid": self.uid, "owed": sorted(self.owed)})

    @property
    def start(self) -> int:
        """The lowest UID to search from."""
        return min(self.owed, default=self.uid + 1)

    def pending(self, found: Sequence[int]) -> list[int]:
        """Those of `found` (everything from `start` on, ascending) that are still to be taken."""
        self._found = found
        self.owed.intersection_update(found)
        return [uid for uid in found if uid > self.uid or uid in self.owed]

    def pass_by(self, uids: Iterable[int]) -> None:
        """These were taken or refused."""
        for uid in sorted(uids):
            if uid > self.uid:
                between = slice(bisect_right(self._found, self.uid), bisect_left(self._found, uid))
                self.owed.update(self._found[between])
                self.uid = uid
            self.owed.discard(uid)
