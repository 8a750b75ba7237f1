"""The phone channel: transcripts that a speech service made of calls. See `channel`."""

from channels.phone.channel import Phone

__all__ = ["Phone"]
