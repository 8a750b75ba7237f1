"""What must reach a sender at once: the flags of an emergency and the numbers to call, beside the receipt.

May never turn a receipt into an error: what is accepted is accepted, whatever a rule does.
"""

from __future__ import annotations

from pydantic import Field

from normalizer.ticket import Flag, Inbound, Receipt
from normalizer.urgency import alarms, emergency_numbers


class AlertReceipt(Receipt):
    """The receipt as the HTTP APIs answer it."""

    call_now: tuple[str, ...] = Field(
        default=(), description="Emergency numbers to call at once: tell the citizen before anything else"
    )


def alerted(receipt: Receipt, inbound: Inbound) -> AlertReceipt:
    """The receipt with what the words of `inbound` demand."""
    flags, numbers = warnings_of(inbound)
    return AlertReceipt(
        ticket_id=receipt.ticket_id,
        number=receipt.number,
        code=receipt.code,
        status_url=receipt.status_url,
        duplicate=receipt.duplicate,
        flags=tuple(dict.fromkeys((*receipt.flags, *flags))),
        call_now=numbers,
    )


def warnings_of(inbound: Inbound) -> tuple[tuple[Flag, ...], tuple[str, ...]]:
    """The flags that must reach the sender at once, and the emergency numbers to call; none when a rule fails."""
    try:
        flags = alarms(inbound)
        return flags, emergency_numbers(inbound) if flags else ()
    except Exception:  # it is accepted: a bug in a rule must not turn the receipt into an error
        return (), ()
