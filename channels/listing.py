"""What a channel says besides whose platform answers with lists: which submissions a document holds, and their names.

May not judge a submission: `parse` does.
"""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable


@runtime_checkable
class Listing(Protocol):
    """Pure, for files of what the platform once answered. Without it a file is one submission."""

    def submissions(self, body: bytes) -> Iterable[bytes]:
        """The items of a list, each as a body of its own; anything else is itself. Raises nothing."""

    def source_id(self, body: bytes) -> str | None:
        """The name that the channel gives this submission when it receives it; None when it cannot tell. Raises
        Rejected only."""
