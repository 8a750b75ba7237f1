"""Further written cases of contact, time and place, set by set. May not judge them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from tests.accuracy.result import LABELS

SETS: Final[Mapping[str, str]] = {
    "second": "written by somebody who had not read the code; the steps were measured on them blind once, then their "
    "classes of errors were mended, so that these are no blind figures any more",
    "third": "written, after that mending and before they were run, by the session that had mended; their classes of "
    "errors were mended too",
}


def rows(name: str, task: str) -> list[dict[str, Any]]:
    """The cases of a task in a set."""
    return [json.loads(line) for line in (LABELS / name / f"{task}.jsonl").read_text("utf-8").splitlines()]
