"""The folders of X: examples of its API v2, and recorded answers of v1.1 and v2."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from channels.x import X
from channels.x.config import XConfig
from channels.x.take import CONTENT_TYPE
from gateway.cli import bodies
from tests.social_samples.tally import DATA, Tally, files

EXAMPLES: Final = "x_v2"
RECORDED: Final = "x_recorded"
_GZIP: Final = b"\x1f\x8b"


def tallies(data: Path = DATA) -> dict[str, Tally]:
    """Folder name -> what became of its objects, as `jiesu normalize x` reads them."""
    x = X(XConfig())
    found = {EXAMPLES: Tally(), RECORDED: Tally()}
    for file in files(data / EXAMPLES):
        for body in bodies.listed(x, file):
            found[EXAMPLES].count(x, body, CONTENT_TYPE)
    for answer in recorded(data):
        for body in list(x.submissions(answer)) or [answer]:
            found[RECORDED].count(x, body, CONTENT_TYPE)
    return found


def recorded(data: Path = DATA) -> Iterator[bytes]:
    """The bodies of the answers: a record is YAML (or JSON, which is YAML) around many requests, some compressed."""
    for file in files(data / RECORDED):
        for exchange in yaml.safe_load(file.read_text("utf-8"))["interactions"]:
            said = exchange["response"]["body"]["string"]
            body = said if isinstance(said, bytes) else said.encode()
            yield gzip.decompress(body) if body.startswith(_GZIP) else body
