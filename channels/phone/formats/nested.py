"""JSON written into a string of another JSON document, as iFlytek, Tencent and FunASR do.

May not raise: what cannot be read is as good as absent.
"""

from __future__ import annotations

from pydantic_core import from_json


def as_json(value: object) -> object:
    """The value that a string holds as JSON, None when it holds none; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        held: object = from_json(value, allow_inf_nan=False)
    except ValueError:
        return None
    return held
