"""From a configuration block to a destination."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from workers.destinations.brake import RedisBrake
from workers.destinations.contract import Delivered, Event
from workers.destinations.registry import DestinationConfig, build

ADAPTER: TypeAdapter[Any] = TypeAdapter(DestinationConfig)


async def test_a_file_without_a_path_lies_in_the_data_directory(
    tmp_path: Path, brake: RedisBrake, make_event: Callable[..., Event]
) -> None:
    destination = build("file", ADAPTER.validate_python({"type": "file"}), tmp_path, brake)
    assert destination.name == "file"
    assert await destination.deliver(make_event()) == Delivered()
    assert (tmp_path / "delivered.jsonl").read_bytes() == make_event().document + b"\n"
    await destination.close()


async def test_relative_paths_are_below_it_and_absolute_ones_are_not(
    tmp_path: Path, brake: RedisBrake, make_event: Callable[..., Event]
) -> None:
    for path in ("sub/a.jsonl", str(tmp_path / "b.jsonl")):
        config = ADAPTER.validate_python({"type": "file", "path": path})
        destination = build("file", config, tmp_path / "data", brake)
        await destination.deliver(make_event())
        await destination.close()
    assert (tmp_path / "data" / "sub" / "a.jsonl").exists()
    assert (tmp_path / "b.jsonl").exists()


async def test_a_webhook_is_built_with_its_secrets(
    secret_file: Path, brake: RedisBrake, receiver: Any, make_event: Callable[..., Event]
) -> None:
    block = {"type": "webhook", "url": receiver.url, "secret_file": secret_file.name}
    config = ADAPTER.validate_python(block | {"allow_private": ["127.0.0.0/8"]})
    destination = build("unit", config, secret_file.parent, brake)
    assert await destination.deliver(make_event()) == Delivered()
    assert receiver.requests[0].headers["webhook-signature"].startswith("v1,")
    await destination.close()


def test_a_missing_secret_file_is_said_at_once(tmp_path: Path, brake: RedisBrake) -> None:
    block = {"type": "webhook", "url": "https://unit.example/", "secret_file": "none"}
    with pytest.raises(FileNotFoundError):
        build("unit", ADAPTER.validate_python(block), tmp_path, brake)


@pytest.mark.parametrize(
    "block",
    [
        {},
        {"type": "kafka"},
        {"type": "file", "paht": "x"},
        {"type": "webhook", "url": "https://unit.example/"},
        {"type": "webhook", "url": "https://unit.example/", "secret_file": "s", "timeout": 31},
        {"type": "webhook", "url": "https://unit.example/", "secret_file": "s", "timeout": 0},
        {
            "type": "webhook",
            "url": "https://unit.example/",
            "secret_file": "s",
            "allow_private": ["10.0.0.1/8"],
        },
    ],
)
def test_a_block_that_says_nonsense_is_refused(block: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(block)
