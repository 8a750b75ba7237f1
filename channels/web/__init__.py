"""The web channel: a form that works without JavaScript, and the API of programs."""

from channels.web.channel import Web
from channels.web.config import AttachmentLimits, WebConfig
from channels.web.follow_up import follow_up_raw

__all__ = ["AttachmentLimits", "Web", "WebConfig", "follow_up_raw"]
