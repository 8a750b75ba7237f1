"""What a channel is and what it asks of its host. A channel MUST say "received" (a poller: save its cursor)
only when `accept` has returned: then it is on disk. It may not know Redis, storage or another channel.

| outcome                       | SMTP          | HTTP                            | poller                  |
|-------------------------------|---------------|---------------------------------|-------------------------|
| accepted                      | 250 2.0.0     | 201, or 200 for a duplicate     | save cursor             |
| Rejected (before accept)      | 5.x.x         | 422 problem+json, all faults    | record, save cursor     |
| TryAgain                      | 451 4.3.0     | 503 + Retry-After               | keep cursor, wait       |
| unexpected, before the spool  | 451 4.3.0     | 503                             | keep cursor, alarm      |
| anything after the spool      | accepted      | accepted                        | accepted, save cursor   |
"""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Protocol, runtime_checkable

from aiohttp import web
from pydantic import BaseModel

from channels.reply import Delivery, Reply
from normalizer.ticket import Inbound, Raw, Receipt, ReplyAddress

__all__ = ["SIGNED", "SITE_SECRET", "Channel", "Delivery", "Handler", "Host", "Repeating", "Reply", "Replying"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SIGNED = "signed"
"""Scope of a route whose handler proves by a signature who calls: no token, and no rate limit for a platform."""
SITE_SECRET = "site_secret"  # noqa: S105 (a mark, no secret)
"""`Annotated[Path | None, SITE_SECRET]`: a key of a block that is the site's own secret file when left out."""


class Host(Protocol):
    """What the gateway offers to a running channel."""

    public_url: str

    async def accept(self, raw: Raw) -> Receipt:
        """Returns only when `raw` is durable. Raises TryAgain, or Rejected: same source id, other content."""

    async def load_cursor(self) -> str | None:
        """The cursor saved last, None at first; waits until no other gateway polls for this channel."""

    async def save_cursor(self, cursor: str) -> None:
        """Only after accept returned for everything before it. Raises TryAgain: another polls now, load again."""

    def route(self, method: str, path: str, handler: Handler, scope: str | None = None) -> None:
        """Serve `path` (`{name}`: one segment, in `request["path"]`); `scope`: what the bearer token needs,
        None = public. `request["caller"]` names who calls."""


@runtime_checkable
class Channel(Protocol):
    """One way in. Registered under the entry-point group `jiesu.channels` by its name."""

    name: ClassVar[str]
    config_type: ClassVar[type[BaseModel]]

    def __init__(self, config: Any, /) -> None: ...
    def parse(self, raw: Raw) -> Inbound:
        """Pure: the same bytes give the same Inbound; raises Rejected only."""

    async def run(self, host: Host) -> None:
        """Owns its sockets and tasks; ends when cancelled, within 5 s."""


@runtime_checkable
class Replying(Channel, Protocol):
    """A channel that can also carry answers."""

    async def reply(self, to: ReplyAddress, message: Reply) -> Delivery:
        """Send one answer. Raises TryAgain: not sent, or sending it again under the same operation is harmless."""


@runtime_checkable
class Repeating(Protocol):
    """What a Replying says besides when a repetition may reach the citizen twice: it has no ids and nothing to read
    back. While `repeatable` is False, `reply` is called once for one operation and address, again only after TryAgain,
    and its `unknown` is the last word. Without this attribute it is True: the channel reads back."""

    repeatable: bool
