"""A mailbox that keeps no marks: the place in it is saved, only after accept, and believed only where it was made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from channels.email.imap_cursor import Cursor
from channels.fake_host import FakeHost
from normalizer.ticket import Raw, Receipt
from tests.channels.email.dovecot import Dovecot, Mailbox, Polling, bodies
from tests.channels.email.posts import numbered, until

# --- the rule


def test_a_cursor_of_another_place_or_of_no_sense_counts_as_nothing() -> None:
    cursor = Cursor("here", None)
    assert cursor.pending([3, 5]) == [3, 5]
    cursor.pass_by([3, 5])
    assert Cursor("here", cursor.text).pending([3, 5, 6]) == [6]
    for saved in (
        cursor.text.replace("here", "there"),
        "",
        "{",
        "[]",
        '{"place": "here"}',
        '{"place":"here","uid":"x"}',
    ):
        assert Cursor("here", saved).pending([3, 5]) == [3, 5]


@given(st.lists(st.tuples(st.sets(st.integers(1, 30)), st.sets(st.integers(1, 30))), max_size=6))
def test_whatever_came_and_was_passed_by_in_whatever_order_the_rest_is_pending(
    looks: list[tuple[set[int], set[int]]],
) -> None:
    """Each look: UIDs that came (higher than all before, as RFC 3501 wants) and which of the pending ones went well."""
    saved, there, passed, highest = None, list[int](), set[int](), 0
    for came, went_well in looks:
        there += [highest + uid for uid in sorted(came)]
        highest = max([highest, *there])
        cursor = Cursor("here", saved)
        found = [uid for uid in there if uid >= cursor.start]
        pending = cursor.pending(found)
        assert pending == [uid for uid in there if uid not in passed]
        for uid in pending:
            if uid % 30 + 1 in went_well:
                cursor.pass_by([uid])
                passed.add(uid)
        saved = cursor.text


# --- against a server


READ_ONLY, NO_KEYWORDS = "lr", "lrs"
ACL = """
mail_plugins = acl
protocol imap {{
  mail_plugins = acl imap_acl
}}
plugin {{
  acl = vfile:{home}/acl
}}
"""


@pytest.fixture(params=[READ_ONLY, NO_KEYWORDS])
def bare(request: pytest.FixtureRequest, own_dovecot: Callable[..., Dovecot]) -> Mailbox:
    """A mailbox that may be read; keywords may not be set in it."""
    dovecot = own_dovecot(ACL)
    (dovecot.home / "acl").write_text(f"INBOX owner {request.param}ip\n")
    dovecot.start()
    mailbox = Mailbox(dovecot, "INBOX")
    with dovecot.client() as client:
        said = client.select_folder("INBOX", readonly=request.param == READ_ONLY)
    assert set(said[b"PERMANENTFLAGS"]) <= {rb"\Seen"}
    return mailbox


def place(host: FakeHost) -> tuple[int, list[int]]:
    found = json.loads(host.cursor or "{}")
    return found["uid"], found["owed"]


async def test_the_cursor_moves_only_after_accept_and_nothing_is_offered_twice(
    bare: Mailbox, polling: Polling, host: FakeHost
) -> None:
    host.hold()
    bare.arrive(numbered(1), numbered(2))
    with capture_logs() as logs:
        task = polling(bare.block(poll=0.2))
        await asyncio.wait_for(host.arrived.wait(), 10)
        assert host.cursor is None
        host.release()
        await until(lambda: logs)
    assert (place(host), logs[0]["policy"]) == ((2, []), "cursor")
    task.cancel()
    await asyncio.wait({task})
    accepted = len(host.taken)
    host.taken.clear()
    polling(bare.block(poll=0.2))  # another process begins where this one ended
    await asyncio.to_thread(bare.arrive, numbered(3))
    await until(lambda: place(host) == (3, []))
    assert (accepted, bodies(host)) == (2, [numbered(3)])


async def test_a_mail_we_fail_at_is_owed_while_the_cursor_goes_on(
    bare: Mailbox, polling: Polling, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept, healed = host.accept, asyncio.Event()

    async def accept_but_one(raw: Raw) -> Receipt:
        if raw.body == numbered(1) and not healed.is_set():
            raise RuntimeError
        return await accept(raw)

    monkeypatch.setattr(host, "accept", accept_but_one)
    bare.arrive(numbered(1), numbered(2))
    task = polling(bare.block(poll=0.2))
    await until(lambda: host.cursor is not None)
    assert place(host) == (2, [1])
    task.cancel()
    await asyncio.wait({task})
    healed.set()
    polling(bare.block(poll=0.2))
    await until(lambda: place(host) == (2, []))
    assert bodies(host) == [numbered(2), numbered(1)]


async def test_with_another_uidvalidity_everything_is_offered_again_and_the_source_id_drops_it(
    bare: Mailbox, polling: Polling, host: FakeHost
) -> None:
    bare.arrive(numbered(1), numbered(2))
    task = polling(bare.block(poll=0.2))
    await until(lambda: host.cursor is not None and place(host) == (2, []))
    before = json.loads(host.cursor or "")["place"]
    task.cancel()
    await asyncio.wait({task})
    bare.dovecot.stop()
    home = bare.dovecot.home / "mail" / "Maildir"
    for index in home.glob("dovecot*"):  # what a server knows of a folder that was restored from a backup
        index.unlink()
    bare.dovecot.start()
    host.saved = asyncio.Event()
    polling(bare.block(poll=0.2))
    await asyncio.wait_for(host.saved.wait(), 10)
    await until(lambda: place(host) == (2, []))
    assert json.loads(host.cursor or "")["place"] != before
    assert len(host.taken) == 2
