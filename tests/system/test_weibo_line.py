"""Weibo with real processes and a simulated Weibo that fails: two gateways take turns, are killed and stand still,
tokens end; every mention is in one ticket, and no window has more calls than allowed."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from channels.weibo.config import WeiboConfig
from tests.simulators.server import Remote
from tests.system.conftest import Gateway, Site
from tests.waiting import HANGS, wait_until

pytestmark = pytest.mark.system
BUDGET = {"calls": 100, "seconds": 10.0}
"""So few that it is the budget that the poller waits for, not the clock."""
REPLIES = 40
US = "@北京12345"
MARK = re.compile(r"K[A-J]{6}")
LETTERS = str.maketrans("0123456789", "ABCDEFGHIJ")
"""A mark has no digits: 110, 119 and 120 are calls for help wherever they stand."""
FAILURES = ("busy", "html", "hang", "reset", "truncated")
SEED = 20260901


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What the platform says of itself: `url` and `account`."""
    settings = {"limits": {"user": BUDGET, "posting": {"calls": 10_000, "seconds": 3600}}}
    command = [sys.executable, "-m", "tests.simulators.weibo", "--settings", json.dumps(settings)]
    with (
        open(tmp_path / "weibo.log", "wb") as log,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(HANGS)


@pytest.fixture
def token_file(tmp_path: Path, platform: dict[str, Any]) -> Path:
    path = tmp_path / "weibo-token"
    path.write_text(platform["account"]["token"])
    return path


@pytest.fixture
def block(platform: dict[str, Any], token_file: Path) -> dict[str, Any]:
    url, account = platform["url"], platform["account"]
    return {
        "uid": account["uid"],
        "names": [account["name"]],
        "token_file": str(token_file),
        "api": url,
        "message_api": url,
        "allow_private": ["127.0.0.0/8"],
        "picture_hosts": [url.removeprefix("http://")],
        "rip": "211.156.0.1",
        "poll": 0.3,
        "timeout": 1.5,
        "budget": BUDGET,
        "replies_per_day": REPLIES,
    }


@pytest.fixture
def environment(block: dict[str, Any]) -> dict[str, str]:
    return {"JIESU_CHANNELS__WEIBO": json.dumps(block)}


@dataclass
class Citizens:
    """Write to the simulated Weibo: every request and advertisement carries a mark of its own. `requests`: by whom, and
    below which post, which together are a ticket. `under`: the marks of comments below one post, of several citizens.
    `quoted`: marks that stand again below what their author wrote later."""

    weibo: Remote
    dice: random.Random = field(default_factory=lambda: random.Random(SEED))
    requests: dict[str, tuple[str, int]] = field(default_factory=dict)
    advertisements: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    pictured: list[str] = field(default_factory=list)
    under: list[list[str]] = field(default_factory=list)
    quoted: set[str] = field(default_factory=set)
    _marks: int = 0

    def mark(self) -> str:
        self._marks += 1
        return f"K{self._marks:06d}".translate(LETTERS)

    def asks(self, author: str, text: str, **more: Any) -> str:
        """A post that mentions us; its mark."""
        mark = self.mark()
        self.requests[mark] = (author, self.weibo.post(author=author, text=f"{US} {text} {mark}", **more))
        return mark

    def says_below(self, author: str, post: int, text: str) -> str:
        """A comment; its mark."""
        mark = self.mark()
        self.requests[mark] = (author, post)
        self.weibo.comment(author=author, post=post, text=f"{text} {mark}")
        return mark

    def mentions(self, count: int, authors: int) -> None:
        """So many, of every kind."""
        kinds = (self._plain, self._long, self._pictured, self._passed_on, self._advertising, self._deleted)
        for _ in range(count):
            (kind,) = self.dice.choices(kinds, (70, 8, 8, 6, 4, 4))
            kind(f"市民{self.dice.randrange(authors)}")

    def comments(self, by: int) -> None:
        """Below a post that mentions nobody its author and `by` others ask us, one of them twice; and somebody asks
        below a post of ours."""
        poster, neighbours = f"楼主{self._marks}", [f"邻居{self._marks}-{n}" for n in range(by)]
        post = self.weibo.post(author=poster, text="这条路一直在挖")
        citizens = (poster, *neighbours, neighbours[0])
        self.under.append([self.says_below(one, post, f"{US} 我也是，夜里吵得睡不着") for one in citizens])
        ours = self.weibo.post_ours(text="本周六网上办事系统维护")
        self.says_below(f"读者{self._marks}", ours, "什么时候恢复？")

    def _plain(self, author: str) -> None:
        """Every tenth goes on below it."""
        mark = self.asks(author, "望京街道阜通西大街的路灯不亮了")
        if self.dice.random() < 0.1:
            self.quoted.add(mark)
            self.says_below(author, self.requests[mark][1], f"{US} 补充一下，是第三根灯杆")

    def _long(self, author: str) -> None:
        """What matters stands at its end."""
        self.asks(author, "小区的地下车库积水已经半个月，物业说在等配件。" * 12)

    def _pictured(self, author: str) -> None:
        name = f"lamp-{self._marks}"
        self.pictured.append(self.asks(author, "路面塌陷，见图", pictures=[name, f"missing-{name}"]))

    def _passed_on(self, author: str) -> None:
        original = self.weibo.post(author=f"记者{self._marks}", text="某地桥面出现裂缝")
        self.asks(author, "我家门口的桥也这样，请来看看", original=original)

    def _advertising(self, _: str) -> None:
        self.advertisements.append(mark := self.mark())
        text = f"{US} 新品上市，优惠券限时优惠，加微信：shop{mark} 下单链接点击下方 {mark}"
        self.weibo.post(author=f"商家{mark}", text=text)

    def _deleted(self, author: str) -> None:
        self.deleted.append(mark := self.mark())
        how = self.dice.choice(("shown", "missing"))
        self.weibo.post(author=author, text=f"{US} 写错了 {mark}", gone=how)


@dataclass
class Hotline:
    """The two gateways, and who of them polls."""

    site: Site
    weibo: Remote
    token_file: Path

    def asked(self) -> int:
        return int(self.weibo.stats()["polls"]["asked"])

    def turns(self) -> list[tuple[str, Gateway]]:
        """Every time that one began to poll, the last one last."""
        found = [
            (event["timestamp"], gateway)
            for gateway in self.site.gateways
            for event in gateway.events()
            if event["event"] == "poller_turn"
        ]
        return sorted(found, key=lambda turn: turn[0])

    def poller(self) -> Gateway:
        wait_until(self.turns, "somebody polls")
        return self.turns()[-1][1]

    def other(self) -> Gateway:
        poller = self.poller()
        return next(one for one in self.site.gateways if one is not poller)

    def wait_for_calls(self, count: int) -> None:
        until = self.asked() + count
        wait_until(lambda: self.asked() >= until, "Weibo is asked")

    def kill(self, which: Gateway) -> None:
        which.kill()
        which.start()

    def stand_still(self) -> None:
        """The one that polls, until the other does."""
        which, turns = self.poller(), len(self.turns())
        which.tell_process(signal.SIGSTOP)
        try:
            wait_until(lambda: len(self.turns()) > turns, "the other one polls")
            self.wait_for_calls(3)
        finally:
            which.tell_process(signal.SIGCONT)

    def let_the_token_end(self, meanwhile: Callable[[], None]) -> None:
        """Until a person puts another one into the file."""
        before = self.refusals()
        self.weibo.expire_token()
        wait_until(lambda: self.refusals() > before, "it was noticed")
        meanwhile()
        self.token_file.write_text(self.weibo.new_token())

    def refusals(self) -> int:
        return sum(one["event"] == "weibo_token_refused" for role in self.site.gateways for one in role.events())

    def knows(self, mark: str) -> bool:
        """Whether a ticket, or what was added to one, says it."""
        streams = ("jiesu:tickets", "jiesu:events")
        return any(mark.encode() in b"".join(said.values()) for s in streams for _, said in self._latest(s))

    def _latest(self, stream: str) -> Any:
        return self.site.redis.xrevrange(stream, count=2000)

    def submissions(self) -> int:
        return sum(1 for _ in self.site.redis.scan_iter(match="jiesu:submission:*", count=1000))

    def added(self) -> int:
        return int(self.site.redis.xinfo_stream("jiesu:tickets")["entries-added"])


def an_edited_post_and_one_shown_late(line: Hotline, citizens: Citizens) -> None:
    """The newest post is written anew, and one below it comes out of Weibo's own examination."""
    shown = citizens.mark()
    hidden = line.weibo.post_late(author="晚到者", text=f"健身器材坏了 {shown}")
    citizens.requests[shown] = ("晚到者", hidden)
    first, second = citizens.asks("改稿人", "垃圾没有人清运"), citizens.mark()
    citizens.requests[second] = ("改稿人", post := citizens.requests[first][1])
    wait_until(lambda: line.knows(first), "the first version is taken")
    line.weibo.edit(post=post, text=f"{US} 垃圾清运了，可是又堆起来了 {second}")
    line.weibo.show(post=hidden)
    wait_until(lambda: line.knows(second) and line.knows(shown), "both are taken")


def storm(line: Hotline, citizens: Citizens, mentions: int, kills: int, expiries: int, stops: int) -> None:
    """Half of all comes while tokens are refused, and whoever walks back then is killed on the way; the other half
    between the other disturbances, each of which follows when Weibo was asked a few times more."""
    line.weibo.set_faults(share=0.05, kinds=FAILURES, seed=SEED, hang=3.0)
    disturbances = ["expiry"] * expiries + ["kill"] * (kills - expiries) + ["stop"] * stops
    citizens.dice.shuffle(disturbances)
    authors, backlog = mentions // 4, mentions // 2 // expiries
    part = -(-(mentions - backlog * expiries) // len(disturbances))
    for number, disturbance in enumerate(disturbances):
        citizens.mentions(part, authors)
        citizens.comments(by=4)
        line.wait_for_calls(citizens.dice.randint(1, 6))
        if disturbance == "kill":  # now and then the one that waits for its turn
            line.kill(line.other() if number % 4 == 3 else line.poller())
        elif disturbance == "stop":
            line.stand_still()
        else:
            line.let_the_token_end(lambda: citizens.mentions(backlog, authors))
            line.wait_for_calls(2)
            line.kill(line.poller())
    an_edited_post_and_one_shown_late(line, citizens)


def wait_for_all(line: Hotline, citizens: Citizens) -> None:
    """Everything is taken: the newest that was written and whatever a walk still has to come back to."""

    def progress() -> int:
        return sum(one.counts()["received"] for one in line.site.gateways)

    before = -1
    while (now := progress()) != before:
        before = now
        line.wait_for_calls(12)
        wait_until(lambda: all(one.counts()["in_flight"] == 0 for one in line.site.gateways), "rows ended")
    assert before >= len(citizens.requests), "nobody waited for nothing"


def said(ticket: dict[str, Any]) -> list[str]:
    """Marks in the citizen's own words."""
    turns = [turn["text"] for turn in ticket["conversation"] if turn["speaker"] == "citizen"]
    return [mark for text in turns for mark in MARK.findall(text)]


def assert_every_mention_is_in_one_ticket(line: Hotline, citizens: Citizens, tickets: list[dict[str, Any]]) -> None:
    times = Counter(mark for ticket in tickets for mark in said(ticket))
    written = {*citizens.requests, *citizens.advertisements}
    assert sorted(written - times.keys()) == [], "missing"
    once = citizens.requests.keys() - citizens.quoted
    assert sorted(mark for mark in once if times[mark] > 1) == [], "doubled"
    assert not times.keys() & set(citizens.deleted)
    assert line.added() == len(tickets)
    assert line.submissions() == len(written)


def assert_one_ticket_each(citizens: Citizens, tickets: list[dict[str, Any]]) -> None:
    """What a citizen says below one post is one ticket, and no other's. What asks nothing is kept by itself."""
    found: dict[tuple[str, int], set[str]] = defaultdict(set)
    whose: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for ticket in tickets:
        for mark in said(ticket):
            if mark in citizens.requests:
                found[citizens.requests[mark]].add(ticket["ticket_id"])
                whose[ticket["ticket_id"]].add(citizens.requests[mark])
    assert {matter for matter, ids in found.items() if len(ids) != 1} == set()
    assert {ticket for ticket, matters in whose.items() if len(matters) != 1} == set()
    assert len(found) == len(set(citizens.requests.values()))
    flagged = [ticket for ticket in tickets if {"no_request", "automated"} & set(ticket["flags"])]
    assert len(flagged) == len(citizens.advertisements) > 0
    assert len(tickets) == len(found) + len(flagged)


def assert_pictures_and_long_texts_are_whole(citizens: Citizens, tickets: list[dict[str, Any]]) -> None:
    by_mark = {mark: ticket for ticket in tickets for mark in said(ticket)}
    assert all(by_mark[mark]["attachments"] for mark in citizens.pictured)
    assert not [one for one in tickets if "text_cut" in {note["code"] for note in one["notes"]}]


def assert_neighbours_are_related(citizens: Citizens, tickets: list[dict[str, Any]]) -> None:
    """Below one post: who was first, and the others that point to that ticket."""
    by_mark = {mark: ticket for ticket in tickets for mark in said(ticket)}
    for marks in citizens.under:
        found = [by_mark[mark] for mark in marks]
        related = {
            one["ticket_id"]: {r["ticket_id"] for r in one["related"] if r["relation"] == "same_incident"}
            for one in found
        }
        (first,) = [ticket for ticket, others in related.items() if not others]
        assert all(others == {first} for ticket, others in related.items() if ticket != first)


def assert_the_budget_was_kept(line: Hotline, block: dict[str, Any]) -> None:
    stats = line.weibo.stats()
    user, polls = stats["calls"]["user"], stats["polls"]
    comments = line.weibo.comments_by_us()
    print(f"\n{user}, {polls}, faults {stats['faults']}, {len(comments)} comments")
    assert user["refused"] == 0
    assert user["peak"] <= BUDGET["calls"]
    allowed = WeiboConfig.model_validate(block).polling_calls
    assert 0 < polls["peak"] <= allowed
    assert polls["two_at_once"] == 0
    assert 0 < len(comments) <= REPLIES / 4 + 1, "a quarter at once: the rest is for what people decide"
    said = [one["text"] for one in comments]
    receipts = [(one["post"], one["answers"]) for one in comments if "已登记" in one["text"]]
    assert len(set(said)) == len(said)
    assert len(set(receipts)) == len(receipts) > 0


def run(site: Site, platform: dict[str, Any], token_file: Path, block: dict[str, Any], **shape: int) -> None:
    weibo = Remote(platform["url"])
    line, citizens = Hotline(site, weibo, token_file), Citizens(weibo)
    storm(line, citizens, **shape)
    wait_for_all(line, citizens)
    tickets = site.gateways[0].ask("tickets", "list")
    print(f"\n{shape}: {len(citizens.requests)} requests, {len(citizens.advertisements)} advertisements, "
          f"{len(citizens.deleted)} deleted, {len(tickets)} tickets, {len(line.turns())} turns of polling")  # fmt: skip
    assert_the_budget_was_kept(line, block)
    assert_every_mention_is_in_one_ticket(line, citizens, tickets)
    assert_one_ticket_each(citizens, tickets)
    assert_neighbours_are_related(citizens, tickets)
    assert_pictures_and_long_texts_are_whole(citizens, tickets)


def test_whatever_fails_every_mention_is_in_one_ticket(site, platform, token_file, block):
    run(site, platform, token_file, block, mentions=600, kills=3, expiries=1, stops=1)


@pytest.mark.soak
def test_the_long_storm_on_weibo(site, platform, token_file, block):
    run(site, platform, token_file, block, mentions=10_000, kills=20, expiries=2, stops=2)
