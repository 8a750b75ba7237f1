"""Times as transcripts for people write them: `00:01:02,500`, `1:02.5`, `[00:01:02]`.

May not know a date or a time zone: these are seconds from a beginning that the format defines.
"""

from __future__ import annotations

import re
from typing import Final

CLOCK: Final = r"(?:\d{1,4}:)?\d{1,4}:\d{1,2}(?:[.,]\d{1,9})?"
"""A regular expression (ASCII digits wanted: use re.ASCII) without groups."""
_CLOCK: Final = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2}(?:[.,]\d{1,9})?)", re.ASCII)


def seconds(text: str) -> float | None:
    """Seconds of `[hours:]minutes:seconds`, the fraction after a point or a comma; None when it is not that."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes, rest = match.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(rest.replace(",", "."))
