"""A mailbox with much in it: thousands of mails, and one as large as a mail may be."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

from channels.email.imap import GROUP, GROUP_BYTES, _groups
from channels.fake_host import FakeHost
from tests.channels.email.dovecot import MARKED, Mailbox, Polling, bodies
from tests.channels.email.posts import numbered

MIB = 1024 * 1024
MANY = 2_000


async def until_taken(host: FakeHost, count: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while len(host.taken) < count:
        assert time.monotonic() < deadline, f"{len(host.taken)} of {count}"
        await asyncio.sleep(0.05)


def test_small_mails_are_fetched_together_and_a_large_one_alone() -> None:
    large = GROUP_BYTES + 1
    assert list(_groups({1: 10, 2: 10, 3: large, 4: large, 5: 10})) == [[1, 2], [3], [4], [5]]
    assert list(_groups({1: GROUP_BYTES // 2, 2: GROUP_BYTES // 2, 3: 1})) == [[1, 2], [3]]


async def test_thousands_of_mails_are_taken_each_once_in_order(
    mailbox: Mailbox, polling: Polling, host: FakeHost
) -> None:
    mailbox.fill(numbered(n) for n in range(MANY))
    began = time.monotonic()
    polling(mailbox.block())
    await until_taken(host, MANY, 60)
    print(f"\n{MANY / (time.monotonic() - began):.0f} mails/s")
    assert bodies(host) == [numbered(n).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for n in range(MANY)]
    found = await asyncio.to_thread(mailbox.flags)
    assert len(found) == MANY
    assert {flags for uid, flags in found.items() if uid <= MANY - GROUP} == {MARKED}


async def test_a_mail_of_25_mb_needs_less_than_150_mb(mailbox: Mailbox, polling: Polling, host: FakeHost) -> None:
    line = b"x" * 76 + b"\r\n"
    mailbox.fill([numbered(n) + line * (25 * MIB // len(line) - 10) for n in range(2)])
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from now on
    before = memory("VmRSS")
    polling(mailbox.block())
    await until_taken(host, 2, 60)
    needed = memory("VmHWM") - before
    print(f"\n{needed / MIB:.0f} MB for the two, which the test's host keeps")
    assert needed < 150 * MIB + 25 * MIB


def memory(what: str) -> int:
    """Bytes, by name of /proc/self/status."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
