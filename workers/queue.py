"""The producer's side of the queue: one Lua call puts a batch of tickets on `jiesu:tickets`, or grows older ones.

May not retry: the caller knows whether Redis is away, and every call is idempotent by submission id and digest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, cast

import redis

from normalizer import events
from normalizer.identity import ticket_id as id_of
from normalizer.ticket import Inbound, Model, Note, Raw, SetAside, Speaker, Ticket, Turn
from workers import keys
from workers.lane import lane

Code = Literal["opened", "appended", "completed", "known", "conflict", "number_taken", "early", "unopened", "error"]
QUEUED: Final[frozenset[str]] = frozenset({"opened", "appended", "completed", "known"})

STRANGER = Note(
    step="threads",
    code="not_a_sender",
    detail="Names an existing ticket, but the sender has no part in that ticket; opened on its own.",
)

UNKNOWN_NUMBER = Note(
    step="threads",
    code="unknown_number",
    detail="Names a number that no ticket came to hold while it waited; opened on its own.",
)


@dataclass(frozen=True, slots=True)
class Item:
    """One submission in the pieces that the batch script joins. All pieces are UTF-8 JSON fragments. `aside`: why it
    opens no ticket, for what may only join one."""

    ticket_id: str
    aside: SetAside | None
    digest: bytes
    number: str
    code: str
    tier: str
    opened: bytes
    doc: bytes
    rest: bytes
    stranger: bytes
    followed: bytes
    message: bytes
    threads: tuple[bytes, ...]
    senders: tuple[bytes, ...]
    known_as: tuple[bytes, ...]
    incidents: tuple[bytes, ...]

    def arguments(self) -> list[str | bytes | int]:
        """In the order in which the script takes them."""
        return [
            self.ticket_id, 0 if self.aside else 1, self.digest, self.number, self.code, self.tier, self.opened,
            self.doc, self.rest, self.stranger, self.followed, self.message,
            len(self.threads), *self.threads, len(self.senders), *self.senders,
            len(self.known_as), *self.known_as, len(self.incidents), *self.incidents,
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an item, and the ticket it now belongs to (for `error`: the server's words). `unopened`: nothing
    was done, because it belongs to no ticket and opens none."""

    code: Code
    ticket_id: str


def submission_id(raw: Raw) -> str:
    """The id of a submission: the ticket id it has, or would have had."""
    return id_of(raw.channel, raw.source_id)


def item(ticket: Ticket, inbound: Inbound, *, code: str, domain: str) -> Item:
    """The pieces of one submission: as a ticket of its own, and as a message that grows another.

    `code`: the receipt code of this submission. `domain`: the site's, for the event source.
    """
    document = ticket.model_dump_json().encode()
    head = (
        f'{{"schema_version":"1.0","ticket_id":"{ticket.ticket_id}","number":"{ticket.number}","version":1'
    ).encode()
    related, notes = _joined(ticket.related), _joined(ticket.notes)
    tail = b',"related":[%s],"notes":[%s]}' % (related, notes)
    if not (document.startswith(head) and document.endswith(tail)):
        raise AssertionError("the ticket's first and last fields moved: the batch script joins around them")
    note = STRANGER.model_dump_json().encode()
    source = events.source(domain)
    return Item(
        ticket_id=ticket.ticket_id,
        aside=inbound.set_aside,
        digest=inbound.digest.encode(),
        number=ticket.number,
        code=code,
        tier=lane(ticket.urgency.tier, ticket.flags),
        opened=events.opening(type=events.ACCEPTED, source=source, time=ticket.received_at),
        doc=document[len(head) : -len(tail)] + b',"related":[' + related,
        rest=b'],"notes":[' + notes,
        stranger=b"," + note if ticket.notes else note,
        followed=events.opening(type=events.FOLLOWED_UP, source=source, time=ticket.received_at),
        message=_message(ticket),
        threads=tuple(map(_one_line, inbound.threads)),
        senders=tuple(map(_one_line, inbound.senders)),
        known_as=tuple(map(_one_line, inbound.known_as)),
        incidents=tuple(map(_one_line, inbound.incidents)),
    )


def alone(one: Item) -> Item:
    """What was early for too long: the same submission without the numbers it names, and with a note that says so."""
    note = UNKNOWN_NUMBER.model_dump_json().encode()
    comma = b"," if one.stranger.startswith(b",") else b""  # whether other notes stand before it
    threads = tuple(thread for thread in one.threads if not thread.startswith(b"number:"))
    return replace(one, rest=one.rest + comma + note, stranger=b"," + one.stranger.removeprefix(b","), threads=threads)


def _message(ticket: Ticket) -> bytes:
    """The part of a `followed_up` event's data that this submission alone decides (normalizer.events.FollowedUp)."""
    turn = Turn(speaker=Speaker.CITIZEN, text=ticket.text, start=ticket.received_at)
    head = b',"submission_id":"%s","channel":"%s","received_at":"%s","turn":%s,"attachments":[%s],"notes":[%s]' % (
        ticket.ticket_id.encode(),
        ticket.channel.encode(),
        events.rfc3339(ticket.received_at).encode(),
        turn.model_dump_json().encode(),
        _joined(ticket.attachments),
        _joined(ticket.notes),
    )
    return head + b',"urgency":%s,"flags":%s' % (
        ticket.urgency.model_dump_json().encode(),
        json.dumps([flag.value for flag in ticket.flags]).encode(),
    )


def _joined(models: Sequence[Model]) -> bytes:
    """What stands between the brackets of their list."""
    return b",".join(model.model_dump_json().encode() for model in models)


def _one_line(key: str) -> bytes:
    """Keys are kept one a line; a line break inside one must not make two. Encoded here, where a lone surrogate parks
    its own row: in the batch it would stop every row."""
    return key.replace("\n", " ").encode()


class TicketQueue:
    """Sends batches. The client must have redis-py's retries off: they resend commands whose reply was lost."""

    def __init__(self, client: redis.Redis, *, grace: float) -> None:
        """`grace`: seconds after which a ticket that nobody delivered is enqueued again."""
        self._script = client.register_script(keys.script("batch"))
        self._grace = grace

    def enqueue(self, items: Sequence[Item]) -> list[Result]:
        """One atomic step per item, in order; the results stand in the same order. `early`: nothing was done, because
        the item names a number that no ticket has yet; send it again later, or `alone`.

        Raises:
            redis.RedisError: nothing is known about the batch; send the very same items again.
        """
        arguments: list[Any] = [self._grace, len(items)]
        for one in items:
            arguments.extend(one.arguments())
        answer = self._script(keys=[keys.TICKETS, keys.EVENTS, keys.DUE, keys.IMMEDIATE], args=arguments)
        return [
            Result(cast(Code, code.decode()), detail.decode(errors="replace"))
            for code, detail in cast("list[tuple[bytes, bytes]]", answer)
        ]
