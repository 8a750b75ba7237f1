"""An account that answers on the simulated Weibo: what is sent where, and what arrived.

May not assert anything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.contract import Reply
from channels.weibo import Weibo
from channels.weibo.config import WeiboConfig
from normalizer.ticket import ReplyAddress
from tests.channels.weibo.accounts import block
from tests.simulators.weibo import Weibo as Simulator
from tests.simulators.weibo.errors import _ERRORS, Refused

WHO = "王女士"
NUMBER = "20261123000000715"
TEXT = f"您的诉求（编号 {NUMBER}）已办结：幸福路8号的路灯已修好。"
HOUR = timedelta(hours=1)


@pytest.fixture
async def weibo() -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        yield simulator


def reply(operation: str = "reply:7", **more: Any) -> Reply:
    return Reply.model_validate({"operation": operation, "number": NUMBER, "text": TEXT, "short": TEXT} | more)


def channel(weibo: Simulator, folder: Path, **more: Any) -> Weibo:
    return Weibo(WeiboConfig.model_validate(block(weibo, folder, timeout=0.5, **more)))


def private(weibo: Simulator, who: str = WHO) -> ReplyAddress:
    return ReplyAddress(channel="weibo", address=f"message:{weibo.world.user(who).id}")


def public(*ids: int) -> ReplyAddress:
    return ReplyAddress(channel="weibo", address=":".join(["comment", *map(str, ids)]))


def mention(weibo: Simulator) -> int:
    return weibo.post(WHO, f"@{weibo.world.us} 幸福路8号的路灯坏了")


def ago(hours: float) -> datetime:
    return datetime.now(UTC) - hours * HOUR


def comments(weibo: Simulator) -> list[str]:
    return [one["text"] for one in weibo.comments_by_us()]


def messages(weibo: Simulator) -> list[str]:
    return [one["text"] for one in weibo.messages_sent()]


def refusing(monkeypatch: pytest.MonkeyPatch, weibo: Simulator, how: str, code: int) -> None:
    """Weibo refuses every write of this kind with this code."""
    monkeypatch.setitem(_ERRORS, code, _ERRORS.get(code, (400, "refused")))

    def refuse(form: object) -> Any:
        raise Refused(code)

    monkeypatch.setattr(weibo._writing, how, refuse)
