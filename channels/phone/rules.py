"""The words that the phone channel knows: data/*.toml, checked and compiled once at import.

May not hold a word itself, and may not decide anything.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib.resources import files
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field

_ESCAPE: Final = re.compile(r"\\.")
_LETTER: Final = re.compile("[A-Za-z]")
NEVER: Final = re.compile(r"(?!)")


class Data(BaseModel):
    """A table of a data file; a key it does not know is a mistake in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(Data):
    """Ways to say one thing, each a regular expression without a group that is numbered, and why they count."""

    any: Annotated[tuple[str, ...], Field(min_length=1)]
    reason: str

    def compiled(self) -> re.Pattern[str]:
        """One pattern for all of them; letters in either case."""
        return anyone(self.any)


Shape = TypeVar("Shape", bound=BaseModel)


def load(name: str, shape: type[Shape]) -> Shape:
    """The file `data/<name>.toml`."""
    return shape.model_validate(tomllib.loads(files("channels.phone").joinpath(f"data/{name}.toml").read_text("utf-8")))


def anyone(words: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds any of the alternatives, Latin letters in either case."""
    return re.compile("|".join(_either_case(word) for word in words))


def _either_case(word: str) -> str:
    # Only where there are letters: a search that ignores case takes the engine twice as long.
    return f"(?i:{word})" if _LETTER.search(_ESCAPE.sub("", word)) else word
