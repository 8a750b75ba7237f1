"""Every word that leaves for a person from this side of the queue, in both languages, from its catalogue.

May not put anything together: who sends something does.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final, Literal

Language = Literal["zh", "en"]

_FOLDER: Final = files("workers") / "phrases"
WORDS: Final[Mapping[Language, dict[str, Any]]] = {
    "zh": tomllib.loads((_FOLDER / "zh.toml").read_text("utf-8")),
    "en": tomllib.loads((_FOLDER / "en.toml").read_text("utf-8")),
}
LANGUAGES: Final[Mapping[Language, str]] = {"zh": "zh-CN", "en": "en"}
"""BCP 47."""


def language_of(tag: str | None) -> Language:
    """Chinese unless the citizen wrote in a language that is not Chinese (BCP 47)."""
    primary = (tag or "zh").partition("-")[0].lower()
    return "zh" if primary in {"zh", "yue", "wuu", "und"} else "en"
