"""Writes normalizer/data/simplified.toml: `python -m tests.simplified`, from the project's root, where OpenCC is
installed (1.4.2 was used; it is no dependency, because only this table of single characters is derived with it)."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Final

TABLE: Final = Path(__file__).parents[1] / "normalizer/data/simplified.toml"
HAN: Final = range(0x4E00, 0xA000)
HEAD: Final = """\
# Each traditional character and, at the same place, its simplified one: only for search keys, never for what is shown,
# as it also changes names (乾, 於). Derived with OpenCC (Apache-2.0), t2s, character by character: tests/simplified.py.
"""


def text() -> str:
    """The table as it stands in its file."""
    convert = importlib.import_module("opencc").OpenCC("t2s").convert
    # Twice, so that what comes out is never changed again.
    pairs = [(chr(code), convert(convert(chr(code)))) for code in HAN]
    pairs = [(before, after) for before, after in pairs if before != after and len(after) == 1]
    before, after = ("".join(column) for column in zip(*pairs, strict=True))
    return f'{HEAD}traditional = "{before}"\nsimplified = "{after}"\n'


if __name__ == "__main__":
    TABLE.write_text(text(), encoding="utf-8", newline="\n")
