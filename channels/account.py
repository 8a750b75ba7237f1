"""What a channel says besides that needs an account with a platform before anything can come in.

May not say what is in a file, only which key names none.
"""

from typing import Protocol, runtime_checkable


@runtime_checkable
class NeedsAccount(Protocol):
    """With its block but without an account a channel starts, and waits."""

    lacks: str | None
    """The key of its block that is missing; None: it can receive."""
