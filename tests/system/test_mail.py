"""Mail through the whole line while everything in it is killed; and a mail that no parser gets through in time."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image

from gateway import spool_file
from tests.system.far_mail import RELAY, FarMail
from tests.system.postman import LISTEN, Postman, opened, row, somewhere
from tests.waiting import HANGS, wait_until
from workers.destinations.file_index import repeats

pytestmark = pytest.mark.system
TARGETS = ("gateway", "pump", "valkey", "gateway", "dispatcher", "worker:dispatch", "gateway", "worker:urgent")
CONNECTIONS = 4


@pytest.fixture
def far_mail() -> Iterator[FarMail]:
    with FarMail().served() as running:
        yield running


@pytest.fixture
def environment(far_mail: FarMail) -> dict[str, str]:
    return {LISTEN: somewhere(), RELAY: far_mail.address}


def matter(n: int) -> str:
    return f"幸福路{n}号门口的路灯坏了三天了"


def sender(n: int) -> str:
    return f"citizen{n}@home.example"


def letter(n: int, subject: str = "路灯") -> bytes:
    """Every fourth has no Message-ID; every third is in GBK that calls itself gb2312."""
    charset, codec = ("gb2312", "gbk") if n % 3 == 0 else ("utf-8", "utf-8")
    head = [
        f"From: <{sender(n)}>",
        "To: hotline@hotline.example",
        f"Subject: =?utf-8?b?{base64.b64encode(subject.encode()).decode()}?=",
        "Date: Mon, 23 Nov 2026 09:30:00 +0800",
        f"Content-Type: text/plain; charset={charset}",
        "Content-Transfer-Encoding: 8bit",
    ]
    if n % 4:
        head.append(f"Message-ID: <{n}@home.example>")
    return "\r\n".join([*head, "", matter(n), ""]).encode(codec)


# --- nothing is lost, nothing doubled


class Storm:
    """Mails over some connections, each part begun when something was killed in the one before; what becomes of them.

    Every tenth mail is sent to its end and its answer not waited for; every eighth comes again after its 250, with
    another trace, as when the 250 was lost on its way.
    """

    def __init__(self, up: Any, address: str, far_mail: FarMail) -> None:
        self._up = up
        self._far_mail = far_mail
        self._postmen = [Postman(address) for _ in range(CONNECTIONS)]
        self._dice = random.Random(20261124)
        self.numbers: dict[int, set[str]] = {}
        self.kills: Counter[str] = Counter()

    def rages(self, count: int, kills: int) -> None:
        started = time.monotonic()
        share = -(-count // kills)
        try:
            for begin in range(0, count, share):
                self._part(range(begin, min(begin + share, count)))
        finally:
            for postman in self._postmen:
                postman.hang_up()
        wait_until(self._up.settled, "settled", HANGS + count / 4)
        self._ends_well(count, kills, time.monotonic() - started)

    def _part(self, letters: range) -> None:
        with ThreadPoolExecutor(CONNECTIONS + 1) as pool:
            killed = pool.submit(self._kill, self._dice.randrange(1, max(2, len(letters) // 2)))
            shares = [letters[begin::CONNECTIONS] for begin in range(CONNECTIONS)]
            for sent in [*map(pool.submit, [self._deliver] * CONNECTIONS, self._postmen, shares), killed]:
                sent.result()

    def _deliver(self, postman: Postman, letters: Iterable[int]) -> None:
        for n in letters:
            deliver: Callable[[bytes, str], str] = postman.deliver_unheard if n % 10 == 0 else postman.deliver
            found = {deliver(letter(n), sender(n))}
            if n % 8 == 0:
                again = f"Received: from mx{n} by mx; Mon, 23 Nov 2026 10:00:00 +0800\r\n".encode() + letter(n)
                found.add(postman.deliver(again, sender(n)))
            self.numbers[n] = found

    def _kill(self, more: int) -> None:
        """The gateway once it has taken so many more mails, else once so many more are on the queue."""
        role = TARGETS[self.kills.total() % len(TARGETS)]
        count = (lambda: len(self.numbers)) if role == "gateway" else (lambda: self._up.counts().get("queued", 0))
        enough = count() + more
        wait_until(lambda: count() >= enough, "mails go on")
        wait_until(lambda: self._up.kill(role), f"a {role} to kill")
        self.kills[role] += 1

    def _ends_well(self, count: int, kills: int, seconds: float) -> None:
        up = self._up
        lines = [json.loads(line) for line in (up.directory / "delivered.jsonl").read_bytes().splitlines()]
        counts, added = up.counts(), up.client().xinfo_stream("jiesu:tickets")["entries-added"]
        print(
            f"\n{count} mails in {seconds:.0f} s, {sum(p.tries for p in self._postmen)} tries, {self.kills.total()} "
            f"kills {dict(self.kills)}, {added} entries, {len(lines)} lines, "
            f"{repeats(up.directory / 'delivered.jsonl')} repeats dropped by id, {counts}"
        )
        assert self.kills.total() >= kills
        assert added == len({line["id"] for line in lines}) == len(lines) == count, "one stream entry and line each"
        assert Counter(line["data"]["text"] for line in lines) == Counter(map(matter, range(count))), "each once"
        numbers = {line["data"]["text"]: {line["data"]["number"]} for line in lines}
        assert numbers == {matter(n): found for n, found in self.numbers.items()}, "each under the number of its 250"
        self._everybody_got_a_receipt()
        assert (counts["received"], counts["queued"]) == (count, count)
        assert (counts["in_flight"], counts["parked"], counts["set_aside"]) == (0, 0, 0)

    def _everybody_got_a_receipt(self) -> None:
        """Each the one about their own number; again only where a worker was killed between the relay's 250 and its
        record, and then as the same message."""
        letters = self._far_mail.letters()
        by_citizen: dict[str, set[tuple[str, str]]] = {}
        for one in letters:
            by_citizen.setdefault(one.recipient, set()).add((one["Subject"][-21:], one["Message-ID"]))
        repeats = len(letters) - len(by_citizen)
        print(f"{len(letters)} receipts to {len(by_citizen)} citizens, {repeats} repeats")
        assert by_citizen.keys() == {sender(n) for n in self.numbers}
        for n, numbers in self.numbers.items():
            ((subject, _),) = by_citizen[sender(n)]
            assert all(number in subject for number in numbers)
        assert repeats <= sum(count for role, count in self.kills.items() if role.startswith(("worker", "valkey")))


def test_kill_anything_while_mails_come_and_none_is_lost_or_doubled(up, environment, far_mail):
    Storm(up, environment[LISTEN], far_mail).rages(count=200, kills=6)


@pytest.mark.soak
def test_the_long_storm_of_mails(up, environment, far_mail):
    Storm(up, environment[LISTEN], far_mail).rages(count=3_200, kills=24)


# --- a mail that takes too long


def poison(pictures: int = 48) -> bytes:
    """Less than 10 MB that take very many seconds: pictures of 32 million pixels, all of them white."""
    picture = io.BytesIO()
    Image.new("RGB", (8_000, 4_000), "white").save(picture, "PNG")
    encoded = base64.encodebytes(picture.getvalue()).replace(b"\n", b"\r\n")
    part = b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encoded + b"\r\n"
    head = b"From: <many@home.example>\r\nSubject: pictures\r\nMIME-Version: 1.0\r\n"
    return head + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + part * pictures + b"--b--\r\n"


def seconds_to_restart(up: Any, postman: Postman, n: int) -> float:
    """How long a mail waits when the pump's process has just died, on this machine as busy as it is."""
    assert up.kill("pump")
    number, began = postman.deliver(letter(n), sender(n)), time.time()
    wait_until(lambda: row(up, number)[0] == "queued", "a new process has come up")
    return time.time() - began


def tried_since(up: Any, number: str) -> float:
    """When the mail was last seen untried (unix seconds), once it is tried."""
    with contextlib.closing(spool_file.connect(up.directory / "spool")) as db:
        seen = time.time()
        while not db.execute("SELECT attempts FROM submission WHERE number = ?", (number,)).fetchone()[0]:
            seen = time.time()
            time.sleep(0.002)
    return seen


def test_one_poison_mail_delays_no_other_by_more_than_its_time(make_up):
    """33 mails come before it, 33 while it is tried the first time, 33 while it is tried again in a line of its own."""
    address = somewhere()
    up = make_up(**{LISTEN: address})
    up.start()
    postman = Postman(address)
    postman.deliver(letter(999), sender(999))
    wait_until(lambda: up.counts()["queued"] == 1, "everything is up")
    restart = seconds_to_restart(up, postman, 1_000)
    up.stop()
    limit = max(3.0, 6 * restart)  # half of it for a start beside the poison, on a machine that others use too
    up.environment["JIESU_PUMP__TIME_LIMIT"] = str(limit)
    up.start()
    tried, poisoned, taken = 0.0, "", {}
    for n in range(99):
        if n == 33:
            poisoned = postman.deliver(poison(), "many@home.example")
            tried = tried_since(up, poisoned)
        if n == 66:
            wait_until(lambda: up.counts()["queued"] == 2 + len(taken), "those around it are queued", HANGS + limit)
        taken[postman.deliver(letter(n), sender(n))] = time.time()
    postman.hang_up()
    assert row(up, poisoned)[0] == "received", "it is still being tried"
    wait_until(lambda: not up.counts()["in_flight"], "all have ended", HANGS + 3 * limit)
    queued = {number: at for at, ticket in opened(up) if (number := ticket["number"]) in taken}
    assert queued.keys() == taken.keys(), "every other mail is a ticket"
    assert (up.counts()["queued"], row(up, poisoned)) == (101, ("parked", "crashed"))
    restart = max(restart, seconds_to_restart(up, postman, 1_001))
    postman.hang_up()
    delays = [queued[number] - max(at, tried) for number, at in taken.items()]
    later, longest = max(delays[-33:]), max(delays)
    print(f"\nlimit {limit:.2f} s: longest {longest:.2f} s, tried again {later:.2f} s; a restart takes {restart:.2f} s")
    assert longest > limit / 2, "some were behind it"
    # Beside the poison itself, its successor starts and the batch is tried again on the same few processors: the exact
    # bound is asserted where nothing else runs (tests/gateway/test_pump.py).
    assert longest < limit + 2 * restart, "they waited for its time, and while all of them were tried again"
    assert later < limit / 2, "tried again it delays nobody"
