"""A report that something we sent did not arrive: recorded at the ticket, under the operation that sent it.

May not judge a report: the channel proved that it is about something of ours. Repeating it changes nothing.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final, cast

import redis

from normalizer import events
from normalizer.ticket import Undelivered
from workers import keys

FAILED: Final = "failed"


class Returns:
    """Records reports. `domain`: the site's, for the event source. The client must have redis-py's retries off."""

    def __init__(self, client: redis.Redis, *, domain: str) -> None:
        self._client = client
        self._source = events.source(domain)
        self._step = client.register_script(keys.script("step"))

    def record(self, channel: str, report: Undelivered, at: datetime) -> str:
        """`done`, `repeated`, or `missing` when there is no such ticket, or it sent nothing of that reference.

        Raises:
            redis.RedisError: Redis is away; record the same report again.
        """
        found = cast("bytes | None", self._client.get(keys.number(report.number)))
        if found is None:
            return "missing"
        ticket_id = found.decode()
        while True:
            facts = cast(
                "list[bytes | None]", self._client.hmget(keys.ticket(ticket_id), "version", f"sent:{report.reference}")
            )
            version, operation = facts
            if version is None or operation is None:
                return "missing"
            outcome = self._try(ticket_id, int(version), operation.decode(), channel, report, at)
            if outcome != "moved":
                return outcome

    def _try(
        self, ticket_id: str, version: int, operation: str, channel: str, report: Undelivered, at: datetime
    ) -> str:
        data: dict[str, str] = {
            "operation": operation,
            "channel": channel,
            "outcome": FAILED,
            "reason": report.reason,
            "reference": report.reference,
            "at": events.rfc3339(at),
        }
        answer = cast(
            "list[Any]",
            self._step(
                keys=[keys.EVENTS, keys.DUE],
                args=[
                    ticket_id,
                    version,
                    f"returned:{report.reference}",
                    "",
                    events.opening(type=events.NOTIFIED, source=self._source, time=at),
                    b"," + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()[1:-1],
                    "",
                    "",
                    f"reply:{operation}",
                    FAILED,
                ],
            ),
        )
        return cast(bytes, answer[0]).decode()
