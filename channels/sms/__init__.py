"""Text messages to citizens, through the HTTP API of any vendor, described in the configuration. See `channel`."""

from channels.sms.channel import Sms

__all__ = ["Sms"]
