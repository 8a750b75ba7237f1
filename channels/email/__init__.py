"""The email channel: a citizen's mail, received by SMTP or through a mail server in front. See `channel`."""

from channels.email.channel import Email

__all__ = ["Email"]
