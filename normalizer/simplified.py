"""The search key of a text: the same length, every traditional character in its simplified form.

Only to look things up: what is shown keeps the citizen's characters.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib.resources import files


def simplified(text: str) -> str:
    """`text` with simplified characters, one for one, so that positions stay the same."""
    table, traditional = _table()
    return text if traditional.search(text) is None else "".join([table.get(char, char) for char in text])


@lru_cache(maxsize=1)
def _table() -> tuple[dict[str, str], re.Pattern[str]]:
    data = tomllib.loads(files("normalizer").joinpath("data/simplified.toml").read_text("utf-8"))
    table = dict(zip(data["traditional"], data["simplified"], strict=True))
    return table, re.compile(f"[{data['traditional']}]")
