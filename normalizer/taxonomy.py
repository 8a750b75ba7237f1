"""The taxonomies of data/taxonomies.toml: which there are, and how a class of the default one reads in another.

May not guess: a class leads to another by the table, or by words that are there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

DEFAULT: Final = "petitions"


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(_Data):
    """Says `to`, of a text that holds `says`; with `from`, only where the default taxonomy says that."""

    says: re.Pattern[str]
    to: str
    source: str | None = Field(default=None, alias="from")


class Taxonomy(_Data):
    """`map`: the default taxonomy's class → this one's; `words` come first."""

    title: str
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    words: tuple[Words, ...] = ()
    map: Mapping[str, str] = {}

    def read(self, label: str, text: str) -> str | None:
        """This taxonomy's class for what the default one calls `label`; None when neither table nor words say one."""
        for one in self.words:
            if one.source in (None, label) and one.says.search(text):
                return one.to
        return self.map.get(label) if self.map or self.words else label


@lru_cache(maxsize=1)
def taxonomies() -> Mapping[str, Taxonomy]:
    """Every taxonomy, by name."""
    data = tomllib.loads(files("normalizer").joinpath("data/taxonomies.toml").read_text("utf-8"))
    return TypeAdapter(dict[str, Taxonomy]).validate_python(data)
