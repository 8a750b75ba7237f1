"""The two errors of the whole line, told apart by one question: would the same bytes fail again?

May not grow a third class: anything else that goes wrong after the acknowledgement is our bug and parks the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a submission.

    `pointer` is an RFC 6901 JSON Pointer to the field ("" = the whole submission), `code` a lower_snake_case word
    that programs may rely on, `detail` a sentence for people. Neither may repeat what the citizen typed.
    """

    pointer: str
    code: str
    detail: str


class IntakeError(Exception):
    """Common base, so that a caller can catch both."""


class Rejected(IntakeError):
    """The same bytes would fail again: the sender must change them. Raised before the acknowledgement only.

    Args:
        code: lower_snake_case, stable, meant for programs.
        detail: one sentence for people, without personal data.
        faults: every single fault found, so that all of them can be shown at once.
    """

    def __init__(self, code: str, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class TryAgain(IntakeError):
    """Nothing was accepted and nothing is wrong with the submission: the sender keeps it and tries again.

    Args:
        after: seconds the sender should wait.
        detail: why, for the operator's log; without personal data.
    """

    def __init__(self, after: float, detail: str = "") -> None:
        super().__init__(after, detail)
        self.after = after
        self.detail = detail

    def __str__(self) -> str:
        return f"try again in {self.after:g} s: {self.detail}"
