"""Writes every file that is generated from the code: `python -m tests.generate`, from the project's root."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from normalizer import schema
from tests import lifecycle_page, models_page

ROOT: Final = Path(__file__).parents[1]

GENERATED: Final[tuple[tuple[str, Callable[[], str]], ...]] = (
    ("normalizer/schemas/ticket-1.json", lambda: schema.text(schema.ticket_schema())),
    ("normalizer/schemas/event-1.json", lambda: schema.text(schema.event_schema())),
    (lifecycle_page.PATH, lifecycle_page.text),
    (models_page.PATH, models_page.text),
)


def main() -> None:
    for path, content in GENERATED:
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content(), encoding="utf-8", newline="\n")
        print(path)


if __name__ == "__main__":
    main()
