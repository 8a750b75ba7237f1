"""Tables of data/*.toml, checked once at import. May not hold a word itself."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import TypeVar

from pydantic import BaseModel

Shape = TypeVar("Shape", bound=BaseModel)


def load(name: str, table: str, shape: type[Shape]) -> Shape:
    """One table of `data/<name>.toml`."""
    text = files("channels.weibo").joinpath(f"data/{name}.toml").read_text("utf-8")
    return shape.model_validate(tomllib.loads(text)[table])
