"""WeChat's official-account platform on loopback (STANDARDS 5.3, and what wechatpy and the stored pages of the
developers' documentation say): pushes to the callback, and the API of later answers.

    async with WeChat(callback="http://127.0.0.1:8080/…", mode="aes") as wechat:
        await wechat.say("王女士", "路灯不亮"); wechat.answers(); wechat.sent()

`python -m tests.simulators.wechat --port N --state FILE`; its controls over HTTP: tests/simulators/server.py `Remote`.
"""

from tests.simulators.wechat.platform import WeChat

__all__ = ["WeChat"]
