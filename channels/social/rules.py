"""The words that channels of public platforms know: data/*.toml, checked and compiled once at import.

May not hold a word itself, and may not decide anything.
"""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field


class Data(BaseModel):
    """A table of a data file; a key it does not know is a mistake in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(Data):
    """Ways to say one thing, each a regular expression without a group that is numbered, and why they count."""

    any: Annotated[tuple[str, ...], Field(min_length=1)]
    reason: str

    def compiled(self) -> re.Pattern[str]:
        """One pattern for all of them; letters in either case."""
        return re.compile(f"(?:{'|'.join(self.any)})", re.IGNORECASE)


Shape = TypeVar("Shape", bound=BaseModel)


def load(name: str, shape: type[Shape]) -> Shape:
    """The file `data/<name>.toml`."""
    return shape.model_validate(
        tomllib.loads(files("channels.social").joinpath(f"data/{name}.toml").read_text("utf-8"))
    )
