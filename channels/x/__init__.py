"""X (formerly Twitter): posts that mention the line become tickets, answers are public replies. See `channel`."""

from channels.x.channel import X

__all__ = ["X"]
