"""What the normalizer's tests share: a submission, and the ticket that it becomes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from normalizer import Inbound, Raw, Ticket, normalize
from normalizer.config import NormalizerConfig

NUMBER = "2026112301000017"

TicketOf = Callable[..., Ticket]


@pytest.fixture(scope="session")
def ticket_of() -> TicketOf:
    """`ticket_of(text, channel=…, config=…, **fields of Inbound)` normalizes one submission."""

    def make(text: str = "", *, channel: str = "web", config: NormalizerConfig | None = None, **fields: Any) -> Ticket:
        raw = Raw(channel=channel, source_id="1", received_at=datetime(2026, 11, 23, tzinfo=UTC), body=b"")
        inbound = Inbound(text=text, digest="0" * 64, **fields)
        return normalize(raw, inbound, number=NUMBER, config=config or NormalizerConfig())

    return make
