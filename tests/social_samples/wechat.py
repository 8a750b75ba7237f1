"""The folders of WeChat: messages and events that three libraries test with, enterprise accounts' among them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from channels.wechat import Wechat
from channels.wechat.config import WechatConfig
from channels.wechat.documents import XML
from gateway.cli import bodies
from tests.social_samples.tally import DATA, Tally, files

FOLDERS: Final = ("wechat_xml/WeRoBot", "wechat_xml/WxJava", "wechat_xml/wechatpy")


def tallies(data: Path = DATA) -> dict[str, Tally]:
    """Folder name -> what became of its objects, as `jiesu normalize wechat` reads them."""
    wechat = Wechat(WechatConfig())
    found = {name: Tally() for name in FOLDERS}
    for name, tally in found.items():
        for file in files(data / name):
            for body in bodies.listed(wechat, file):
                tally.count(wechat, body, XML)
    return found
