"""The whole channel against the simulated platform: pushed in every mode, answered at once and later."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from channels.contract import Delivery, Reply
from channels.fake_host import FakeHost
from channels.wechat import Wechat
from channels.wechat.callback import PATH
from tests.simulators.wechat import WeChat
from tests.simulators.wechat.envelope import Mode
from tests.simulators.wechat.platform import AES_KEY, APPID, SECRET, TOKEN
from tests.simulators.wechat.world import OURS

WHO = "欧阳测试"


def channel(folder: Path, platform: WeChat, mode: Mode) -> Wechat:
    for name, secret in {"token": TOKEN, "aes_key": AES_KEY, "app_secret": SECRET}.items():
        (folder / name).write_text(secret)
    block = {
        "app_id": APPID,
        "account": OURS,
        "mode": mode,
        "token_file": str(folder / "token"),
        "aes_key_file": None if mode == "plain" else str(folder / "aes_key"),
        "app_secret_file": str(folder / "app_secret"),
        "api": platform.url,
        "picture_hosts": [platform.url.removeprefix("http://")],
        "allow_private": ["127.0.0.0/8"],
    }
    return Wechat(Wechat.config_type.model_validate(block))


@pytest.mark.parametrize("mode", ["plain", "both", "aes"])
async def test_a_citizen_writes_and_is_answered_by_the_whole_channel(mode: Mode, tmp_path: Path) -> None:
    async with FakeHost() as host, WeChat(callback=host.public_url + PATH, mode=mode) as platform:
        wechat = channel(tmp_path, platform, mode)
        task = asyncio.create_task(wechat.run(host))
        await host.routed.wait()
        assert await platform.verify_callback()
        assert await platform.say(WHO, "五一北路路灯坏了", times=4)
        assert await platform.picture(WHO)
        assert await platform.voice(WHO, "还有井盖")
        assert await platform.location(WHO, 39.9, 116.4, "五一北路 88 号")
        assert await platform.link(WHO, "标题", "说明", "https://news.example/1")
        assert await platform.event("另一位", "subscribe")
        assert all(await platform.push_again(3))
        assert platform.bad_answers == []
        assert len(host.taken) == 5
        parsed = [wechat.parse(raw) for raw in host.taken.values()]
        assert [len(one.attachments) for one in parsed] == [0, 1, 0, 0, 0]
        assert len({one.threads for one in parsed}) == 1, "one conversation"
        assert len({one["text"] for one in platform.answers() if one["name"] == WHO}) == 5
        [to] = {one.requester.reply_to[0] for one in parsed}
        reply = Reply(operation="reply:7", number="2026011500000012", text="路灯已修好。")
        assert await wechat.reply(to, reply) == Delivery(outcome="sent")
        assert [(one["name"], one["text"]) for one in platform.sent()] == [(WHO, "路灯已修好。")]
        task.cancel()
        await asyncio.wait({task})
