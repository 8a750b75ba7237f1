"""An account at the simulated Weibo: its token and secret in files, and its configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.simulators.weibo import Weibo
from tests.simulators.weibo.world import OURS

RIP = "211.156.0.1"


def block(weibo: Weibo, folder: Path, **more: Any) -> dict[str, Any]:
    """`channels.weibo` for this simulator: calls enough for a test, lists looked at without a pause."""
    account = weibo.account()
    (folder / "weibo-token").write_text(f"{account['token']}\n", "utf-8")
    (folder / "weibo-secret").write_text(f"{account['app_secret']}\n", "utf-8")
    return {
        "uid": str(OURS),
        "names": [account["name"]],
        "token_file": str(folder / "weibo-token"),
        "app_secret_file": str(folder / "weibo-secret"),
        "api": weibo.url,
        "message_api": weibo.url,
        "allow_private": ["127.0.0.0/8"],
        "picture_hosts": [weibo.url.removeprefix("http://")],
        "rip": RIP,
        "poll": 0.03,
        "budget": {"calls": 100_000, "seconds": 100},
        "replies_per_day": 1000,
    } | more
