"""Weibo, WeChat and X as a ticket's citizen uses them: the real channel, the simulated platform, one clock for both.

May not know what a worker does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from channels.contract import Replying
from channels.wechat import Wechat
from channels.weibo import Weibo
from channels.weibo.config import WeiboConfig
from channels.weibo.documents import raw_of
from channels.x import X
from channels.x.config import XConfig
from channels.x.parse import understand
from normalizer.ticket import Raw
from tests.channels.wechat.wechats import message
from tests.channels.weibo import accounts as weibo_accounts
from tests.channels.x import accounts as x_accounts
from tests.simulators.clocks import Limit
from tests.simulators.server import Simulator
from tests.simulators.wechat import WeChat as SimulatedWeChat
from tests.simulators.wechat.platform import APPID, SECRET
from tests.simulators.weibo import Weibo as SimulatedWeibo
from tests.simulators.weibo.gate import Limits
from tests.simulators.weibo.world import Shown
from tests.simulators.x import X as SimulatedX

WHO = "王女士"
MANY = Limit(10**9, 86_400)
Clock = Callable[[], datetime]


class Platform(ABC):
    """`troubles`: what a citizen or the platform may do between two of our tries; name → control."""

    name: ClassVar[str]
    far: Simulator
    channel: Replying

    @abstractmethod
    def connect(self, folder: Path, now: Clock) -> None:
        """Our channel, by that clock."""

    @abstractmethod
    async def asks(self, text: str) -> Raw:
        """The citizen's request as the channel submits it."""

    @property
    @abstractmethod
    def public(self) -> list[str]:
        """What everybody can read from us, oldest first."""

    @property
    @abstractmethod
    def private(self) -> list[str]:
        """What the citizen alone can read from us."""

    @property
    @abstractmethod
    def troubles(self) -> Mapping[str, Callable[[], Any]]: ...


class OnWeibo(Platform):
    """`wrote`: whether the citizen also wrote in private; `permitted`: whether mentions may be answered there."""

    name = "weibo"

    def __init__(self, *, wrote: bool = True, permitted: bool = False) -> None:
        limits = Limits(user=MANY, posting=MANY)
        self.far: SimulatedWeibo = SimulatedWeibo(limits=limits, may_answer_mentions=permitted)
        self._wrote = wrote
        self._permitted = permitted
        self.post = 0

    def connect(self, folder: Path, now: Clock) -> None:
        self._token = folder / "weibo-token"
        block = weibo_accounts.block(self.far, folder, timeout=0.3, replies_per_day=100_000)
        block["budget"] = {"calls": 10**7, "seconds": 86_400}
        self.channel = made = Weibo(WeiboConfig.model_validate(block))
        made._answers._clock = now

    async def asks(self, text: str) -> Raw:
        self.post = self.far.post(WHO, f"@{self.far.world.us} {text}")
        if self._wrote:
            await self.far.say(WHO, text)
        if self._permitted:
            await self.far.mention(WHO, self.post, text)
        shown = Shown(self.far.world, self.far.url).post(self.far.world.posts[self.post])
        return raw_of(shown, datetime.now(UTC))

    @property
    def public(self) -> list[str]:
        return [one["text"] for one in self.far.comments_by_us()]

    @property
    def private(self) -> list[str]:
        return [one["text"] for one in self.far.messages_sent()]

    @property
    def troubles(self) -> Mapping[str, Callable[[], Any]]:
        return {
            "the citizen unfollows": lambda: self.far.event(WHO, "unfollow"),
            "the post is deleted": lambda: self.far.delete(self.post),
            "the token is over": self.far.expire_token,
            "the token is new": lambda: self._token.write_text(self.far.new_token(10**9)),
        }


class OnWeChat(Platform):
    name = "wechat"

    def __init__(self) -> None:
        self.far: SimulatedWeChat = SimulatedWeChat()

    def connect(self, folder: Path, now: Clock) -> None:
        (folder / "wechat-secret").write_text(SECRET)
        block = {
            "app_id": APPID,
            "app_secret_file": str(folder / "wechat-secret"),
            "api": self.far.url,
            "allow_private": ["127.0.0.0/8"],
            "timeout": 0.3,
        }
        self.channel = made = Wechat(Wechat.config_type.model_validate(block))
        made._answering._now = now

    async def asks(self, text: str) -> Raw:
        await self.far.say(WHO, text)
        body = message(sender=self.far.openid(WHO), Content=text)
        return Raw(
            channel="wechat",
            source_id="msg:1",
            received_at=datetime.now(UTC),
            body=body,
            content_type="application/xml",
            meta={"verified": "signature"},
        )

    @property
    def public(self) -> list[str]:
        return []

    @property
    def private(self) -> list[str]:
        return [one["text"] for one in self.far.sent()]

    @property
    def troubles(self) -> Mapping[str, Callable[[], Any]]:
        return {
            "the citizen unfollows": lambda: self.far.unsubscribe_silently(WHO),
            "the token is over": lambda: self.far.expire_tokens(False),
        }


class OnX(Platform):
    name = "x"

    def __init__(self) -> None:
        self.far: SimulatedX = SimulatedX()
        self.post = ""

    def connect(self, folder: Path, now: Clock) -> None:
        block = x_accounts.block(self.far, folder, timeout=0.3, replies_per_day=100_000)
        self.channel = made = X(XConfig.model_validate(block))
        made._answers._clock = lambda: now().timestamp()

    async def asks(self, text: str) -> Raw:
        self.post = self.far.post("wang", f"@{self.far.world.us} {text}")
        body = x_accounts.listed(self.far.world, self.far.world.posts[self.post])
        source_id = understand(body).source_id
        assert source_id is not None
        return Raw(
            channel="x",
            source_id=source_id,
            received_at=datetime.now(UTC),
            body=body,
            content_type="application/json",
            meta={},
        )

    @property
    def public(self) -> list[str]:
        return [one["text"] for one in self.far.posts_by_us()]

    @property
    def private(self) -> list[str]:
        return []

    @property
    def troubles(self) -> Mapping[str, Callable[[], Any]]:
        return {
            "the post is deleted": lambda: self.far.delete(self.post),
            "the citizen hides": lambda: self.far.protect("wang"),
            "the keys are over": self.far.revoke,
            "the keys are good": lambda: self.far.revoke(False),
        }
