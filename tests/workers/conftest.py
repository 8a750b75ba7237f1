"""Submissions as the pump would send them, and a queue on a real server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from normalizer import identity, normalize
from normalizer.ticket import AttachmentRef, Disposition, Flag, Inbound, Kind, Raw, Requester, SetAside, Tier, Urgency
from tests.workers.owners import opened, short_places
from tests.workers.servers import server
from workers.queue import Item, TicketQueue, item

__all__ = ["opened", "server", "short_places"]

RECEIVED = datetime(2026, 1, 15, 2, 30, tzinfo=UTC)
SECRET = b"the secret of a site in a test"
NOBODY = Requester()
MakeItem = Callable[..., Item]


@pytest.fixture
def make_item() -> MakeItem:
    def make(
        source_id: str,
        text: str = "路灯坏了",
        *,
        sequence: int = 1,
        digest: str | None = None,
        threads: tuple[str, ...] = (),
        senders: tuple[str, ...] = (),
        tier: Tier | None = None,
        flags: tuple[Flag, ...] = (),
        requester: Requester = NOBODY,
        set_aside: SetAside | None = None,
        kind: Kind | None = None,
        disposition: Disposition | None = None,
        attachments: tuple[AttachmentRef, ...] = (),
        channel: str = "web",
        incidents: tuple[str, ...] = (),
    ) -> Item:
        body = text.encode()
        raw = Raw(channel=channel, source_id=source_id, received_at=RECEIVED, body=body, content_type="text/plain")
        inbound = Inbound(
            text=text,
            digest=digest or identity.content_digest(body),
            threads=threads,
            senders=senders,
            flags=flags,
            requester=requester,
            set_aside=set_aside,
            kind=kind,
            disposition=disposition,
            incidents=incidents,
        )
        number = identity.number(RECEIVED.date(), 0, sequence)
        ticket = normalize(raw, inbound, number=number, attachments=attachments)
        if tier is not None:
            ticket = ticket.model_copy(update={"urgency": Urgency(tier=tier, reasons=(f"by {source_id}",))})
        return item(ticket, inbound, code=identity.receipt_code(ticket.ticket_id, SECRET), domain="hotline.example")

    return make


@pytest.fixture
def queue(valkey) -> TicketQueue:
    return TicketQueue(valkey.client(), grace=120)
