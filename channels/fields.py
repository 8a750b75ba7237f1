"""Fields that the models of several channels share: the name of a time zone, a moment of RFC 3339.

May not hold what one channel alone needs.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

TIME_INVALID: Final = "time_invalid"
NO_OFFSET: Final = "no_offset"
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)?")


def _rfc3339(value: Any) -> Any:
    """RFC 3339 5.6: pydantic alone would also read bare dates and Unix seconds as moments."""
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(TIME_INVALID)
    if match[3] is None:
        raise ValueError(NO_OFFSET)
    return value


def _known(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # KeyError: absent; the others: not even a name
        raise ValueError("not a time zone of the IANA database, such as Asia/Shanghai") from error
    return name


Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_rfc3339)]
"""A moment with its offset; faults are `time_invalid` and `no_offset`."""
ZoneName = Annotated[str, AfterValidator(_known)]
"""An IANA name. A channel's field `timezone` follows `site.timezone` when left out."""
