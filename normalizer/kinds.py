"""How people say what they want: data/kinds.toml, compiled. May not score: words are there, or they are not."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from normalizer.gated import pairs
from normalizer.rulebook import Expression
from normalizer.simplified import simplified
from normalizer.ticket import Kind

_LONGEST: Final = 4000  # characters looked at, as by the model
_Examples = Annotated[tuple[str, ...], Field(min_length=2)]


class Saying(BaseModel):
    """A kind and the words that declare it, with words beside which they do not."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    kind: Kind
    says: Expression
    unless: Expression
    examples: _Examples
    near_misses: _Examples


class Book(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: tuple[Saying, ...]
    hint: tuple[Saying, ...]


def declared(*parts: str) -> Kind | None:
    """The kind that the words declare; `parts` in order: a title speaks before its text."""
    return _first(book().kind, parts)


def hinted(*parts: str) -> Kind | None:
    """The kind for which people tend to say such words; less sure than a model that is sure."""
    return _first(book().hint, parts)


def _first(sayings: tuple[Saying, ...], parts: tuple[str, ...]) -> Kind | None:
    for part in filter(None, parts):
        plain = simplified(part[:_LONGEST]).lower()
        held = pairs(plain)
        for saying in sayings:
            if saying.says.search(plain, held) and not saying.unless.search(plain, held):
                return saying.kind
    return None


@lru_cache(maxsize=1)
def book() -> Book:
    """The rules, in the order in which they are asked."""
    data = tomllib.loads(files("normalizer").joinpath("data/kinds.toml").read_text("utf-8"))
    return Book.model_validate(data)
