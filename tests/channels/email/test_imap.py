"""A mailbox that lives elsewhere, against a real Dovecot: what is taken, when it is marked, what stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from channels.email import digest
from channels.email.imap import TAKEN
from channels.fake_host import FakeHost
from normalizer.errors import Rejected, TryAgain
from normalizer.ticket import Raw, Receipt
from tests.channels.email.dovecot import MARKED, MARKED_REFUSED, Dovecot, Mailbox, Polling, bodies, marked
from tests.channels.email.posts import MAIL, Serving, numbered, until

NEVER = 600.0
"""Seconds between two looks, in tests where the server must wake the poller."""
# --- arriving


async def test_a_mail_wakes_the_poller_and_is_taken_byte_for_byte_unread(
    mailbox: Mailbox, polling: Polling, host: FakeHost
) -> None:
    mailbox.arrive(numbered(1))
    polling(mailbox.block(poll=NEVER))
    await marked(mailbox, MARKED)
    odd = MAIL + b".\r\n\xff\xfe \xd6\xd0\x1a\r\n" + b"x" * 3000 + b"\r\n)\r\n\r\n"
    await asyncio.to_thread(mailbox.arrive, numbered(2), odd)
    await marked(mailbox, MARKED, MARKED, MARKED)  # no \Seen either: who reads the mailbox misses nothing
    assert bodies(host) == [numbered(1), numbered(2), odd]
    raw = next(iter(host.taken.values()))
    assert (raw.source_id, raw.meta["digest"]) == digest.source_id(numbered(1))
    assert raw.meta == {"digest": raw.meta["digest"], "protocol": "IMAP", "tls": ""}


async def test_without_idle_the_mailbox_is_looked_into_now_and_then(
    own_dovecot: Callable[..., Dovecot], polling: Polling, host: FakeHost
) -> None:
    dovecot = own_dovecot("protocol imap {{\n imap_capability = IMAP4rev1 SASL-IR UIDPLUS\n}}")
    dovecot.start()
    mailbox = Mailbox(dovecot, "INBOX")
    with capture_logs() as logs:
        polling(mailbox.block(poll=0.2))
        await until(lambda: any(line["event"] == "mailbox_connected" for line in logs))
    assert (logs[-1]["kind"], logs[-1]["policy"]) == ("poll", "keywords")
    await asyncio.to_thread(mailbox.arrive, numbered(1))
    await marked(mailbox, MARKED)
    assert "IDLE" not in dovecot.log()


async def test_the_same_mail_by_smtp_and_from_the_mailbox_is_one(
    mailbox: Mailbox, polling: Polling, serving: Serving, host: FakeHost
) -> None:
    post = await serving()
    assert (await post.sent(MAIL))[0] == 250
    mailbox.arrive(b"Delivered-To: hotline@town.example\r\nReceived: from mx by us\r\n" + MAIL)
    polling(mailbox.block())
    await marked(mailbox, MARKED)
    assert len(host.taken) == 1


async def test_what_people_have_read_or_deleted_is_taken_too(
    mailbox: Mailbox, polling: Polling, host: FakeHost
) -> None:
    mailbox.arrive(numbered(1), numbered(2))
    with mailbox.dovecot.client() as client:
        client.select_folder(mailbox.folder)
        client.add_flags([1], [rb"\Seen"])
        client.add_flags([2], [rb"\Deleted"])
    polling(mailbox.block())
    await until(lambda: len(host.taken) == 2)


async def test_a_mailbox_of_more_messages_than_one_search_may_name(
    mailbox: Mailbox, polling: Polling, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.email.imap_session.WINDOW", 3)
    mailbox.arrive(*map(numbered, range(7)))
    polling(mailbox.block())
    await marked(mailbox, *[MARKED] * 7)
    assert bodies(host) == list(map(numbered, range(7)))


# --- marked only when taken


async def test_a_mail_is_marked_only_after_accept_returned(mailbox: Mailbox, polling: Polling, host: FakeHost) -> None:
    host.hold()
    mailbox.arrive(numbered(1))
    polling(mailbox.block())
    await asyncio.wait_for(host.arrived.wait(), 10)
    assert list(mailbox.flags().values()) == [()]
    host.release()
    await marked(mailbox, MARKED)


async def test_a_death_between_accept_and_mark_takes_the_mail_again_under_its_id(
    mailbox: Mailbox, polling: Polling, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipts: list[Receipt] = []
    accept = host.accept

    async def accept_and_die(raw: Raw) -> Receipt:
        receipts.append(await accept(raw))
        if len(receipts) == 1:
            raise RuntimeError
        return receipts[-1]

    monkeypatch.setattr(host, "accept", accept_and_die)
    mailbox.arrive(numbered(1))
    polling(mailbox.block())
    await marked(mailbox, MARKED)
    assert len(host.taken) == 1
    assert [(one.number, one.duplicate) for one in receipts] == [
        (receipts[0].number, False),
        (receipts[0].number, True),
    ]


async def test_a_refused_mail_is_marked_so_and_the_next_is_taken(
    mailbox: Mailbox, polling: Polling, host: FakeHost
) -> None:
    host.outcomes.append(Rejected("conflict", "Known with other content."))
    mailbox.arrive(numbered(1), numbered(2))
    with capture_logs() as logs:
        polling(mailbox.block(poll=0.1))
        await marked(mailbox, MARKED_REFUSED, MARKED)
        await asyncio.to_thread(mailbox.arrive, numbered(3))
        await marked(mailbox, MARKED_REFUSED, MARKED, MARKED)
    assert [line["code"] for line in logs if line["event"] == "mail_refused"] == ["conflict"], "not tried for ever"


async def test_a_mail_that_is_too_large_stays_marked_and_alarmed(
    mailbox: Mailbox, polling: Polling, host: FakeHost
) -> None:
    mailbox.arrive(MAIL + b"x" * 5000, numbered(2))
    with capture_logs() as logs:
        polling(mailbox.block(), max_bytes=4096)
        await marked(mailbox, MARKED_REFUSED, MARKED)
    assert bodies(host) == [numbered(2)]
    alarms = [line for line in logs if line["event"] == "mail_refused"]
    assert [(line["log_level"], line["code"], line["size"]) for line in alarms] == [
        ("error", "too_large", len(MAIL) + 5000)
    ]


# --- not now, and never by our own fault


async def test_what_cannot_be_taken_now_stays_and_is_taken_later(
    mailbox: Mailbox, polling: Polling, host: FakeHost
) -> None:
    host.otherwise = TryAgain(0.1)
    mailbox.arrive(*map(numbered, range(3)))
    with capture_logs() as logs:
        polling(mailbox.block(poll=NEVER))
        await asyncio.wait_for(host.raised.wait(), 10)
        host.raised.clear()
        await asyncio.wait_for(host.raised.wait(), 10)
        assert list(mailbox.flags().values()) == [(), (), ()]
        host.otherwise = None
        await marked(mailbox, MARKED, MARKED, MARKED)
    assert sorted(bodies(host)) == list(map(numbered, range(3)))
    assert [line["log_level"] for line in logs if line["event"] == "mailbox_deferred"] == ["warning"], "said once"


async def test_a_mail_we_fail_at_delays_nobody_and_is_tried_again(
    mailbox: Mailbox, polling: Polling, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept, healed = host.accept, asyncio.Event()

    async def accept_but_one(raw: Raw) -> Receipt:
        if raw.body == numbered(0) and not healed.is_set():
            raise RuntimeError
        return await accept(raw)

    monkeypatch.setattr(host, "accept", accept_but_one)
    mailbox.arrive(*map(numbered, range(4)))
    with capture_logs() as logs:
        polling(mailbox.block(poll=NEVER))
        await marked(mailbox, (), MARKED, MARKED, MARKED)
        await until(lambda: len([line for line in logs if line["event"] == "mailbox_message_failed"]) > 2)
        healed.set()
        await marked(mailbox, MARKED, MARKED, MARKED, MARKED)


async def test_a_host_that_fails_at_everything_is_not_given_the_whole_mailbox(
    mailbox: Mailbox, polling: Polling, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.email.imap.GROUP", 1)
    host.outcomes.extend([RuntimeError()] * 3)
    mailbox.arrive(*map(numbered, range(5)))
    polling(mailbox.block(poll=NEVER))
    await marked(mailbox, *[MARKED] * 5)
    assert bodies(host)[:2] == [numbered(3), numbered(4)], "after three failures the others first"


# --- the folder changes under us


async def test_a_folder_made_anew_is_taken_from_its_beginning(
    mailbox: Mailbox, polling: Polling, host: FakeHost
) -> None:
    mailbox.arrive(numbered(1), numbered(2))
    polling(mailbox.block(poll=0.2))
    await marked(mailbox, MARKED, MARKED)
    await asyncio.to_thread(mailbox.delete)
    await asyncio.to_thread(mailbox.make)
    await asyncio.to_thread(mailbox.arrive, numbered(3), numbered(1))
    await marked(mailbox, MARKED, MARKED)
    assert bodies(host) == [numbered(1), numbered(2), numbered(3)]


async def test_a_mail_that_vanishes_after_the_search_stops_nothing(
    mailbox: Mailbox, polling: Polling, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.email.imap.GROUP", 1)
    host.hold()
    mailbox.arrive(*map(numbered, range(3)))
    with capture_logs() as logs:
        polling(mailbox.block())
        await asyncio.wait_for(host.arrived.wait(), 10)
        with mailbox.dovecot.client() as client:
            client.select_folder(mailbox.folder)
            client.delete_messages([2])
            client.uid_expunge([2])
        host.release()
        await marked(mailbox, MARKED, MARKED)
    assert bodies(host) == [numbered(0), numbered(2)]
    assert {line["event"] for line in logs} == {"mailbox_connected"}


# --- moved away


async def test_what_was_taken_is_moved_also_when_a_crash_came_between(
    mailbox: Mailbox, polling: Polling, host: FakeHost
) -> None:
    host.outcomes.append(Rejected("conflict", "Known with other content."))
    mailbox.arrive(numbered(1), numbered(2), numbered(3))
    with mailbox.dovecot.client() as client:
        client.select_folder(mailbox.folder)
        client.add_flags([3], [TAKEN])
    done = f"{mailbox.folder}-办结"
    polling(mailbox.block(done=done))
    await marked(mailbox, MARKED_REFUSED)
    await until(lambda: list(mailbox.flags(done).values()) == [MARKED, MARKED])
    assert bodies(host) == [numbered(2)]
