"""Weibo's open platform and its message push (粉丝服务平台) on loopback, from open.weibo.com's wiki (STANDARDS 5.1).

    async with Weibo(callback="http://127.0.0.1:8080/…") as weibo:
        weibo.post_mentions(10, authors=3); await weibo.say("王女士", "路灯不亮"); weibo.comments_by_us()

`python -m tests.simulators.weibo --port N --state FILE`; its controls over HTTP: tests/simulators/server.py `Remote`.
"""

from tests.simulators.weibo.platform import Weibo

__all__ = ["Weibo"]
