"""A WeChat official account: messages come in by callback, answers go out by WeChat's API. See `channel`."""

from channels.wechat.channel import Wechat

__all__ = ["Wechat"]
