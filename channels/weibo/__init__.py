"""The channel `weibo`: mentions, comments and private messages. See `channel`."""

from channels.weibo.channel import Weibo

__all__ = ["Weibo"]
