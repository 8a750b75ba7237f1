"""Variables of the environment that look like ours and are no key. May not repeat a value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pydantic import BaseModel

from gateway import config_text

PREFIX: Final = "JIESU_"
OTHERS: Final = frozenset({"JIESU_TOKEN"})
"""Ours, and read elsewhere (`jiesu submit`)."""
_SERVICE: Final = re.compile(r"JIESU_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
"""What Kubernetes sets in every container for a service whose name begins with `jiesu`."""
_LINK: Final = re.compile(r"(tcp|udp|sctp)://")
ALIKE: Final = 0.75
"""How much a name must resemble a key to be taken for it (0 to 1, difflib)."""


def strangers(model: type[BaseModel], environment: Mapping[str, str]) -> list[str]:
    """One sentence for each variable that names no section, or no key, of `model`."""
    known = list(_names(model, PREFIX))
    found = []
    for name, value in environment.items():
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in known or upper in OTHERS or _of_kubernetes(upper, value):
            continue
        section = name[len(PREFIX) :].split("__")[0].lower()
        if "__" not in name:
            found.append(f"environment {name}: no such key{_nearest(upper, known)}")
        elif section not in model.model_fields:
            found.append(f"environment {name}: no such section{config_text.nearest(section, model.model_fields)}")
    return found


def _of_kubernetes(name: str, value: str) -> bool:
    return bool(_SERVICE.fullmatch(name) or (name.endswith("_PORT") and _LINK.match(value)))


def _names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """The variable of every section and key."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name.upper()}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _names(field.annotation, f"{prefix}{name.upper()}__")


def _nearest(name: str, known: Sequence[str]) -> str:
    """The key that looks most alike; one that differs in underscores only is equal."""
    bare = {_bare(one): one for one in known}
    close = difflib.get_close_matches(_bare(name), bare, n=1, cutoff=ALIKE)
    return f" (did you mean {bare[close[0]]}?)" if close else f" (keys look like {PREFIX}REDIS__URL)"


def _bare(name: str) -> str:
    """Without the prefix, which would make any two names look alike, and without underscores."""
    return name.removeprefix(PREFIX).replace("_", "")
