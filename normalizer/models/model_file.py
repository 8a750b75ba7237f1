"""A model as a file: magic, a JSON header, raw little-endian arrays, each at a multiple of 64 bytes.

Mapped, not read: processes share it. Nothing in it can run, and the same model always gives the same bytes.
"""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from normalizer.models.linear import Linear

MAGIC: Final = b"JIESUMODEL"
FORMAT: Final = 2
SHIPPED: Final = Path(__file__).parents[1] / "data/models"
_ALIGN: Final = 64
_HEADER_MAX: Final = 1 << 20
_ARRAYS: Final[Mapping[str, tuple[str, int]]] = {  # name -> type, dimensions
    "slots": ("<i4", 1),
    "idf": ("<f4", 1),
    "weights": ("|i1", 2),
    "scale": ("<f4", 1),
    "bias": ("<f4", 1),
    "trust": ("<f4", 1),
}
_NUMBERS: Final = ("temperature", "lead", "height", "threshold")


class BadModel(ValueError):
    """The file is no model of ours; the message says why, and holds nothing of a citizen's."""


def shipped(task: str) -> Path:
    """The model that comes with us."""
    return SHIPPED / f"{task}.model"


@lru_cache(maxsize=16)
def load(path: Path) -> Linear:
    """The model in a file, mapped once a process. Raises BadModel; OSError when it cannot be opened."""
    with path.open("rb") as file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise BadModel(f"{path.name}: empty") from None
    try:
        return _read(mapped)
    except BadModel as error:
        raise BadModel(f"{path.name}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadModel(f"{path.name}: not a whole model ({type(error).__name__})") from None


def _read(mapped: mmap.mmap) -> Linear:
    if mapped[: len(MAGIC)] != MAGIC:
        raise BadModel("not a model of Jiesu")
    size = int.from_bytes(mapped[len(MAGIC) : len(MAGIC) + 4], "little")
    if size > _HEADER_MAX:
        raise BadModel("its header is too long")
    start = len(MAGIC) + 4
    header = json.loads(mapped[start : start + size])
    if header["format"] != FORMAT:
        raise BadModel(f"format {header['format']}, and we read {FORMAT}: train it again")
    arrays: dict[str, Any] = dict(_arrays(mapped, header["arrays"], start + size))
    numbers: dict[str, Any] = {name: float(header[name]) for name in _NUMBERS}
    model = Linear(
        labels=tuple(map(str, header["labels"])),
        **numbers,
        unread=str(header["unread"]),
        about=header["about"],
        **arrays,
    )
    _check(model)
    return model


def _arrays(mapped: mmap.mmap, shapes: Mapping[str, list[int]], at: int) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, (kind, dimensions) in _ARRAYS.items():
        shape = tuple(map(int, shapes[name]))
        if len(shape) != dimensions or min(shape) < 1:
            raise BadModel(f"{name} has no such shape")
        at = _aligned(at)
        count = math.prod(shape)
        yield name, np.frombuffer(mapped, dtype=kind, count=count, offset=at).reshape(shape)
        at += count * np.dtype(kind).itemsize


def _check(model: Linear) -> None:
    """That no look-up can leave its array."""
    rows, classes = model.weights.shape
    fits = (
        len(model.slots).bit_count() == 1
        and len(model.idf) == rows
        and len(model.scale) == len(model.bias) == len(model.trust) == len(model.labels) == classes
        and classes > 1
        and all(map(math.isfinite, (model.temperature, model.lead, model.height, model.threshold)))
        and -1 <= int(model.slots.min()) <= int(model.slots.max()) < rows
    )
    if not fits:
        raise BadModel("its parts do not fit each other")


def dump(model: Linear) -> bytes:
    """The file's bytes; equal for equal models."""
    arrays = {name: np.ascontiguousarray(getattr(model, name), dtype=kind) for name, (kind, _) in _ARRAYS.items()}
    header = {
        "format": FORMAT,
        "labels": model.labels,
        **{name: getattr(model, name) for name in _NUMBERS},
        "unread": model.unread,
        "about": dict(model.about),
        "arrays": {name: array.shape for name, array in arrays.items()},
    }
    text = json.dumps(header, ensure_ascii=False, sort_keys=True).encode()
    out = bytearray(MAGIC + len(text).to_bytes(4, "little") + text)
    for array in arrays.values():
        out += bytes(_aligned(len(out)) - len(out)) + array.tobytes()
    return bytes(out)


def _aligned(at: int) -> int:
    return -(-at // _ALIGN) * _ALIGN
