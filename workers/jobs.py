"""The RQ jobs. Arguments are ids only: everything else a job needs is in the store and the runtime.

May not import gateway. Every job may run twice, or not at all: claims and `jiesu:due` make up for both.
"""

from __future__ import annotations

from typing import Final

from workers.delivery import deliver as deliver_ticket
from workers.delivery import warn as warn_of_ticket
from workers.runtime import runtime

DELIVER: Final = "workers.jobs.deliver"
WARN: Final = "workers.jobs.warn"


def deliver(ticket_id: str) -> str:
    """Deliver what is outstanding of a ticket; returns one word on how it went."""
    current = runtime()
    return current.run(deliver_ticket(current, ticket_id))


def warn(ticket_id: str) -> str:
    """Tell people on duty of a ticket; returns one word on how it went."""
    current = runtime()
    return current.run(warn_of_ticket(current, ticket_id))
