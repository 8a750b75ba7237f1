"""Resident identity numbers are recognised and masked, so that no unit reads one it does not need.

May not touch anything whose check digit or birth date is wrong: ticket numbers, amounts and accounts stay.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from stdnum.cn import ric

from normalizer.ticket import Inbound, Note, Ticket

STEP: Final = "resident_id"

# GB 11643-1999: 6 digits of place, 8 of birth date, 3 of order, check character (ISO 7064 MOD 11-2). People
# write blanks or hyphens between the groups, or between all digits.
_GAP = r"[\s-]?"
_PARTS = (
    r"(?<![0-9])[1-9]",
    *["[0-9]"] * 5,
    "(?:1" + _GAP + "[89]|2" + _GAP + "0)",
    *["[0-9]"] * 2,
    "(?:0" + _GAP + "[1-9]|1" + _GAP + "[0-2])",
    "(?:0" + _GAP + "[1-9]|[12]" + _GAP + "[0-9]|3" + _GAP + "[01])",
    *["[0-9]"] * 3,
    "[0-9Xx](?![0-9])",
)
_CANDIDATE = re.compile(_GAP.join(_PARTS))


def mask(text: str) -> tuple[str, int]:
    """`text` with every valid number reduced to its first 3 and last 2 characters, and their count."""
    found = 0

    def hide(candidate: re.Match[str]) -> str:
        nonlocal found
        number = re.sub(r"[\s-]", "", candidate[0]).upper()
        if not _is_valid(number):
            return candidate[0]
        found += 1
        return f"{number[:3]}{'*' * 13}{number[-2:]}"

    return _CANDIDATE.sub(hide, text), found


def mask_resident_ids(inbound: Inbound, draft: Ticket) -> Ticket:
    """Mask in title, text, place, conversation and the channel's notes."""
    title, in_title = mask(draft.title)
    text, in_text = mask(draft.text)
    spoken = [mask(turn.text) for turn in draft.conversation]
    where, in_place = mask(draft.place.text) if draft.place and draft.place.text else (None, 0)
    noted = [mask(note.detail) for note in draft.notes]
    count = in_title + in_text + in_place + sum(found for _, found in (*spoken, *noted))
    if not count:
        return draft
    note = Note(step=STEP, code="masked", detail=f"resident identity numbers masked: {count}")
    return draft.model_copy(
        update={
            "title": title,
            "text": text,
            "place": draft.place.model_copy(update={"text": where}) if draft.place and where else draft.place,
            "conversation": tuple(
                turn.model_copy(update={"text": words})
                for turn, (words, _) in zip(draft.conversation, spoken, strict=True)
            ),
            "notes": (
                *(one.model_copy(update={"detail": words}) for one, (words, _) in zip(draft.notes, noted, strict=True)),
                note,
            ),
        }
    )


def _is_valid(number: str) -> bool:
    """Check digit and calendar date. The place is not looked up: a county renamed since must not leak."""
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    return bool(ric.calc_check_digit(number) == number[-1])
