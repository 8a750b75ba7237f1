"""An account at the simulated X: its keys in files, its configuration, and posts as X would list them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from channels.x.client import _FIELDS
from channels.x.documents import submissions
from tests.simulators.x import X
from tests.simulators.x.world import OURS, Post, Shown, Wanted, World

US = "Hotline12345"
ALL = {name.replace("_fields", ".fields"): ",".join(value) for name, value in _FIELDS.items()}


def written(folder: Path, **lines: str) -> dict[str, str]:
    """A file for each, with that line in it; name -> path."""
    for name, line in lines.items():
        (folder / name).write_text(f"{line}\n", "utf-8")
    return {name: str(folder / name) for name in lines}


def block(x: X, folder: Path, **more: Any) -> dict[str, Any]:
    """`channels.x` for this simulator."""
    keys = x.keys
    token = written(folder, bearer_token_file=keys.bearer)
    four = written(
        folder,
        consumer_key_file=keys.consumer_key,
        consumer_secret_file=keys.consumer_secret,
        access_token_file=keys.access_token,
        access_token_secret_file=keys.access_token_secret,
    )
    shared = {"user_id": OURS, "username": US, "api": x.url, "allow_private": ["127.0.0.0/8"], "interval": 0.02}
    return shared | token | {"keys": four, "picture_hosts": [x.url.removeprefix("http://")]} | more


def listed(world: World, post: Post, host: str = "http://pictures.invalid") -> bytes:
    """The post as the poller takes it out of a list."""
    shown = Shown(world, host, Wanted.of(ALL))
    document = {"data": [shown.post(post)]} | shown.rest()
    (body,) = submissions(json.dumps(document).encode())
    return body
