"""The folders of Weibo: objects of its open interface, pushed messages, timelines."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from channels.weibo import Weibo
from channels.weibo.config import WeiboConfig
from channels.weibo.documents import CONTENT_TYPE
from gateway.cli import bodies
from tests.social_samples.tally import DATA, Tally, files

FOLDERS: Final = ("weibo_open_api", "weibo_push", "weibo_timelines")


def tallies(data: Path = DATA) -> dict[str, Tally]:
    """Folder name -> what became of its objects, as `jiesu normalize weibo` reads them."""
    weibo = Weibo(WeiboConfig())
    found = {name: Tally() for name in FOLDERS}
    for name, tally in found.items():
        for file in files(data / name):
            for body in bodies.listed(weibo, file):
                tally.count(weibo, body, CONTENT_TYPE)
    return found
