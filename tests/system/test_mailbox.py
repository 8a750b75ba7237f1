"""A mailbox elsewhere, looked into by a running line that is killed again and again while mails arrive in it."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.channels.email.dovecot import MARKED, Dovecot, Mailbox
from tests.waiting import wait_until

pytestmark = pytest.mark.system
TARGETS = ("gateway", "gateway", "pump", "gateway", "valkey", "gateway")
IMAP = "JIESU_CHANNELS__EMAIL__IMAP__"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    server = Dovecot()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module")
def mailbox(dovecot: Dovecot) -> Mailbox:
    return Mailbox(dovecot, "INBOX")


@pytest.fixture(scope="module")
def environment(mailbox: Mailbox) -> dict[str, str]:
    return {f"{IMAP}{key.upper()}": str(value) for key, value in mailbox.block(poll=5).items()}


def matter(n: int) -> str:
    return f"幸福路{n}号门口的路灯坏了三天了"


def letter(n: int) -> bytes:
    """Every fourth has no Message-ID."""
    head = [f"From: <citizen{n}@home.example>", "To: hotline@town.example", f"Subject: lamp {n}"]
    head += ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"]
    head += [f"Message-ID: <{n}@home.example>"] if n % 4 else []
    return "\r\n".join([*head, "", matter(n), ""]).encode()


class Storm:
    """Mails that arrive in parts, every eighth twice with another trace; in each part something is killed, and in the
    midst the mailbox's own server is restarted."""

    def __init__(self, up: Any, mailbox: Mailbox) -> None:
        self._up, self._mailbox = up, mailbox
        self._dice = random.Random(20261125)
        self.kills: Counter[str] = Counter()

    def rages(self, count: int, kills: int) -> None:
        share = -(-count // kills)
        for begin in range(0, count, share):
            letters = range(begin, min(begin + share, count))
            with ThreadPoolExecutor(1) as pool:
                arriving = pool.submit(self._arrive, letters)
                self._kill(begin + self._dice.randrange(1, len(letters)))
                arriving.result()
            if self.kills.total() == kills // 2:
                self._mailbox.dovecot.stop()
                self._mailbox.dovecot.start()
        wait_until(self._all_marked, "every mail is marked as taken")
        wait_until(self._up.settled, "settled", 60 + count / 10)

    def _arrive(self, letters: Iterable[int]) -> None:
        for n in letters:
            self._mailbox.arrive(letter(n))
            if n % 8 == 0:
                self._mailbox.arrive(b"Received: from mx by mx; Mon, 23 Nov 2026 10:00:00 +0800\r\n" + letter(n))

    def _kill(self, enough: int) -> None:
        """Once so many have been taken: the rest of the part arrives or waits meanwhile."""
        role = TARGETS[self.kills.total() % len(TARGETS)]
        wait_until(lambda: self._up.counts().get("received", 0) >= enough, "mails are taken")
        wait_until(lambda: self._up.kill(role), f"a {role} to kill")
        self.kills[role] += 1

    def _all_marked(self) -> bool:
        return set(self._mailbox.flags().values()) == {MARKED}


def test_kill_anything_while_mails_arrive_in_the_mailbox_and_none_is_lost_or_doubled(up, mailbox):
    count, kills = 200, 6
    began = time.monotonic()
    storm = Storm(up, mailbox)
    storm.rages(count, kills)
    lines = [json.loads(line) for line in (up.directory / "delivered.jsonl").read_bytes().splitlines()]
    added, counts = up.client().xinfo_stream("jiesu:tickets")["entries-added"], up.counts()
    print(f"\n{count} mails in {time.monotonic() - began:.0f} s, kills {dict(storm.kills)}, {added} entries, {counts}")
    assert storm.kills.total() == kills
    assert added == len({line["id"] for line in lines}) == len(lines) == count, "one stream entry and line each"
    assert Counter(line["data"]["text"] for line in lines) == Counter(map(matter, range(count))), "each once"
    assert (counts["received"], counts["queued"]) == (count, count)
    assert (counts["in_flight"], counts["parked"], counts["set_aside"]) == (0, 0, 0)
