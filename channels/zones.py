"""The name of a time zone in a channel's configuration. A field `timezone` follows `site.timezone` when left out."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator


def _known(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # KeyError: absent; the others: not even a name
        raise ValueError("not a time zone of the IANA database, such as Asia/Shanghai") from error
    return name


ZoneName = Annotated[str, AfterValidator(_known)]
