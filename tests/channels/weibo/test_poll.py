"""Mentions and comments are fetched from the simulated Weibo: all of them, each once, within the budget, whatever Weibo
or we do meanwhile. Time is simulated: when the poller waits, Weibo's clock goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from channels.fake_host import FakeHost
from channels.social.envelope import unpack
from channels.weibo.api import Api
from channels.weibo.config import WeiboConfig
from channels.weibo.documents import id_of, read
from channels.weibo.parse import parse
from channels.weibo.place import Place
from channels.weibo.poll import TOKEN_LOOK, Poller
from channels.weibo.post import Account
from normalizer.errors import TryAgain
from normalizer.ticket import Inbound, Raw, Receipt
from tests.channels.weibo.accounts import block
from tests.simulators.clocks import DAY, Limit
from tests.simulators.weibo import Weibo
from tests.simulators.weibo.errors import Refused
from tests.simulators.weibo.gate import Limits
from tests.simulators.weibo.reading import Query, Reading
from tests.simulators.weibo.world import OURS, Post
from tests.waiting import HANGS

FREE: Final = Limits(user=Limit(10**9, 100), address=Limit(10**9, 100))


class Line:
    """The simulated Weibo, a host, and a poller between them."""

    def __init__(self, weibo: Weibo, host: FakeHost, folder: Path) -> None:
        self.weibo, self.host, self.folder = weibo, host, folder
        self.slept: list[float] = []
        self.queries: list[tuple[str, Query]] = []
        self.logged: list[Any] = []
        self.more: dict[str, Any] = {"poll": 60, "sources": ["mentions"], "replies_per_day": 0, "timeout": 1}
        self.block = block(weibo, folder)

    @property
    def config(self) -> WeiboConfig:
        return WeiboConfig.model_validate(self.block | self.more)

    @property
    def place(self) -> Place:
        return Place.read(self.host.cursor, 0)

    @property
    def ids(self) -> list[int]:
        """In the order in which they were accepted."""
        return [id_of(unpack(read(raw.body)).post) for raw in self.host.taken.values()]

    def said(self) -> list[Inbound]:
        return [self.parse(raw) for raw in self.host.taken.values()]

    def parse(self, raw: Raw) -> Inbound:
        return parse(raw, Account(str(OURS), (self.weibo.world.us,)))

    def asked(self, path: str = "statuses/mentions") -> list[Query]:
        return [query for asked, query in self.queries if asked == path]

    def offered(self) -> list[str]:
        """Source ids that reach accept from now on."""
        offered: list[str] = []
        accept = self.host.accept

        async def noting(raw: Raw) -> Receipt:
            offered.append(raw.source_id)
            return await accept(raw)

        self.host.accept = noting  # type: ignore[method-assign]
        return offered

    def events(self, name: str) -> list[Any]:
        return [one for one in self.logged if one["event"] == name]

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.weibo.advance(seconds)
        await asyncio.sleep(0)

    @asynccontextmanager
    async def polling(self) -> AsyncIterator[None]:
        config = self.config
        with capture_logs() as logged:
            async with Api(self.folder / "weibo-token", config.allow_private, timeout=config.timeout) as api:
                poller = Poller(config, self.host, self.parse, api, clock=self.weibo.clock.now, sleep=self.sleep)
                task = asyncio.create_task(poller.run())
                try:
                    yield
                    assert not task.done(), task
                finally:
                    task.cancel()
                    await asyncio.wait({task})
                    self.logged += logged

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(HANGS):
            while not holds():
                await asyncio.sleep(0.002)

    async def poll(self, holds: Callable[[], object]) -> None:
        """Until it is so."""
        async with self.polling():
            await self.until(holds)

    async def looks(self, count: int) -> None:
        """So many calls for mentions more, and what they brought is taken."""
        seen = len(self.asked()) + count
        await self.poll(lambda: len(self.asked()) > seen)

    async def came_to(self, post: int) -> None:
        await self.poll(lambda: self.place.walk("mentions").since >= post)


@pytest.fixture
async def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Line]:
    async with Weibo(limits=FREE) as weibo, FakeHost() as host:
        line = Line(weibo, host, tmp_path)
        for path, name in (("statuses/mentions", "status_mentions"), ("statuses/show_batch", "batch")):
            monkeypatch.setattr(weibo._reading, name, _noted(line, path, getattr(Reading, name)))
        yield line


def _noted(line: Line, path: str, real: Callable[[Reading, Query], dict[str, Any]]) -> Callable[[Query], Any]:
    def noted(query: Query) -> dict[str, Any]:
        line.queries.append((path, query))
        return real(line.weibo._reading, query)

    return noted


def answering(line: Line, answers: list[Any]) -> None:
    """The next answers to calls for mentions: this, or with None what is true; an error is raised."""
    real = line.weibo._reading.__dict__["status_mentions"]

    def planted(query: Query) -> Any:
        found = real(query)
        answer = answers.pop(0) if answers else None
        if isinstance(answer, Exception):
            raise answer
        return found if answer is None else answer

    line.weibo._reading.__dict__["status_mentions"] = planted


class TestWalks:
    async def test_page_after_page_back_to_the_beginning_and_the_oldest_of_a_page_first(self, line: Line) -> None:
        ids = line.weibo.post_mentions(450)
        await line.came_to(ids[-1])
        assert sorted(line.ids) == ids
        assert line.ids[:200] == ids[250:], "the newest page, in the order in which people wrote"
        assert [query.get("max_id") for query in line.asked()[:3]] == [None, str(ids[250] - 1), str(ids[50] - 1)]
        assert not line.events("weibo_gap")

    async def test_then_back_from_a_full_page_to_what_is_known_and_no_further(self, line: Line) -> None:
        ids = line.weibo.post_mentions(450)
        await line.came_to(ids[-1])
        line.queries.clear()
        more = line.weibo.post_mentions(250)
        await line.came_to(more[-1])
        await line.looks(1)
        assert sorted(line.ids) == ids + more
        assert [query.get("max_id") for query in line.asked()][:3] == [None, str(more[50] - 1), None]

    async def test_what_was_taken_is_not_taken_again(self, line: Line) -> None:
        ids = line.weibo.post_mentions(150)
        await line.came_to(ids[-1])
        offered = line.offered()
        await line.looks(5)
        assert not offered, "not even after a restart: the cursor remembers"

    async def test_a_list_that_stands_still_is_remembered_while_another_goes_on(self, line: Line) -> None:
        line.more["sources"] = ["mentions", "comments"]
        ours = line.weibo.post_ours("本周停水通知")
        comments = [line.weibo.comment("王女士", ours, f"我家没有收到通知 {n}") for n in range(150)]
        offered = line.offered()
        for _ in range(6):
            ids = line.weibo.post_mentions(200)
            await line.came_to(ids[-1])
            await line.looks(2)
        assert len(set(offered)) == len(offered) == 1200 + len(comments)

    async def test_a_post_that_is_listed_late_below_newer_ones_is_taken(self, line: Line) -> None:
        late = line.weibo.post_late("李先生", "健身器材坏了")
        ids = line.weibo.post_mentions(3)
        await line.came_to(ids[-1])
        assert line.ids == ids
        line.weibo.show(late)
        await line.poll(lambda: len(line.host.taken) == 4)
        assert line.ids == [*ids, late]

    async def test_an_edited_post_is_taken_again_under_its_thread(self, line: Line) -> None:
        post = line.weibo.post("王女士", f"@{line.weibo.world.us} 路灯不亮")
        await line.came_to(post)
        line.weibo.edit(post, f"@{line.weibo.world.us} 路灯不亮，地址是望京街道")
        await line.poll(lambda: len(line.host.taken) == 2)
        first, second = line.said()
        assert first.threads == second.threads
        assert first.digest != second.digest

    async def test_deleted_posts_and_our_own_are_passed_by(self, line: Line) -> None:
        us = line.weibo.world.us
        line.weibo.post("王女士", f"@{us} 写错了", gone="shown")
        line.weibo.post("王女士", f"@{us} 不见了", gone="missing")
        own = line.weibo.world.add_post(Post(line.weibo.world.new_id(), OURS, "通知", line.weibo.clock.now())).id
        line.weibo.world.mentions.append(own)
        post = line.weibo.post("王女士", f"@{us} 路灯不亮")
        await line.came_to(post)
        assert line.ids == [post]
        assert [one["code"] for one in line.events("weibo_post_refused")] == ["deleted_post"]

    async def test_at_the_very_first_start_only_what_is_recent(self, line: Line) -> None:
        us = line.weibo.world.us
        line.weibo.post("王女士", f"@{us} 去年的事", ago=2 * DAY)
        post = line.weibo.post("王女士", f"@{us} 今天的事")
        await line.came_to(post)
        line.weibo.advance(10 * DAY)
        await line.looks(2)
        assert line.ids == [post]

    async def test_what_came_while_nobody_polled_is_taken_however_long_that_was(self, line: Line) -> None:
        post = line.weibo.post("王女士", f"@{line.weibo.world.us} 路灯不亮")
        await line.came_to(post)
        missed = line.weibo.post_mentions(3)
        line.weibo.advance(10 * DAY)
        await line.came_to(missed[-1])
        assert line.ids == [post, *missed]

    async def test_an_end_before_what_is_known_is_a_gap_that_is_said(self, line: Line) -> None:
        ids = line.weibo.post_mentions(3)
        await line.came_to(ids[-1])
        line.weibo.world.mentions.clear()
        more = line.weibo.post_mentions(201)
        await line.came_to(more[-1])
        assert [one["kind"] for one in line.events("weibo_gap")] == ["mentions"]
        assert sorted(line.ids) == ids + more

    async def test_an_empty_answer_in_the_middle_is_not_believed_at_once(self, line: Line) -> None:
        ids = line.weibo.post_mentions(3)
        await line.came_to(ids[-1])
        more = line.weibo.post_mentions(450)
        answering(line, [None, [], None])
        await line.came_to(more[-1])
        assert sorted(line.ids) == ids + more
        assert not line.events("weibo_gap")


class TestThePlace:
    async def test_an_unfinished_walk_goes_on_where_it_stopped(self, line: Line) -> None:
        ids = line.weibo.post_mentions(450)
        line.weibo.set_faults(next=["", "", "", "hang"])  # the token, two pages
        await line.poll(lambda: line.weibo.faults.met["hang"])
        assert (line.place.walk("mentions").since, len(line.host.taken)) == (0, 400)
        newer = line.weibo.post_mentions(2)
        line.queries.clear()
        await line.came_to(newer[-1])
        assert [query.get("max_id") for query in line.asked()][:2] == [str(ids[50] - 1), str(ids[0] - 1)]
        assert sorted(line.ids) == ids + newer

    async def test_it_moves_only_when_everything_before_it_was_accepted(self, line: Line) -> None:
        ids = line.weibo.post_mentions(50)
        line.host.outcomes.extend([None] * 25)
        line.host.otherwise = TryAgain(0.05, "full")
        await line.poll(lambda: len(line.host.taken) == 25 and line.host.raised.is_set())
        assert line.place.walk("mentions").top == 0
        line.host.otherwise = None
        await line.came_to(ids[-1])
        assert sorted(line.ids) == ids

    async def test_a_lost_place_makes_no_second_submission(self, line: Line) -> None:
        ids = line.weibo.post_mentions(30)
        await line.came_to(ids[-1])
        line.host.cursor = None
        await line.came_to(ids[-1])
        assert line.ids == ids

    async def test_who_lost_the_lease_begins_at_the_place_of_the_other(self, line: Line) -> None:
        ids = line.weibo.post_mentions(3)
        loads: list[str | None] = []
        load, save = line.host.load_cursor, line.host.save_cursor

        async def loaded() -> str | None:
            loads.append(await load())
            return loads[-1]

        async def refused(cursor: str) -> None:
            place = Place.read(cursor, 0)
            if len(loads) == 1 and place.walk("mentions").since:
                place.walk("mentions").since = ids[1]
                await save(place.text)  # the other one's
                raise TryAgain(0, "another polls")
            await save(cursor)

        line.host.load_cursor, line.host.save_cursor = loaded, refused  # type: ignore[method-assign]
        await line.came_to(ids[-1])
        assert [Place.read(one, 0).walk("mentions").since for one in loads] == [0, ids[1]]
        assert line.ids == ids

    async def test_who_lost_the_lease_makes_no_call(self, line: Line) -> None:
        """The count is saved before the call, and who cannot save it does not poll."""
        lost: list[int] = []

        async def refused(_: str) -> None:
            lost.append(len(line.queries))
            await asyncio.sleep(0)
            raise TryAgain(0, "another polls")

        line.host.save_cursor = refused  # type: ignore[method-assign]
        await line.poll(lambda: len(lost) > 10)
        assert not line.queries

    async def test_a_count_that_took_long_to_save_is_counted_again(self, line: Line) -> None:
        """Meanwhile another gateway may have had the lease, and a whole window may have gone by."""
        save, slow, tats = line.host.save_cursor, [60.0, 60.0], []

        async def saved(cursor: str) -> None:
            await save(cursor)
            if not line.queries:
                tats.append(line.place.tat)
            if slow:
                line.weibo.advance(slow.pop())

        line.host.save_cursor = saved  # type: ignore[method-assign]
        line.more["token_expires_at"] = None
        await line.looks(1)
        assert len(tats) >= 4, "twice in vain, once for the token's end, once for the list"
        assert tats == sorted(tats)


class TestTexts:
    async def test_long_texts_come_by_fifty(self, line: Line) -> None:
        text = "车库积水已经半个月" * 20
        ids = [line.weibo.post(f"市民{n}", f"@{line.weibo.world.us} {text} 第{n}件") for n in range(120)]
        await line.came_to(ids[-1])
        assert [len(query["ids"].split(",")) for query in line.asked("statuses/show_batch")] == [50, 50, 20]
        assert [one.text.rpartition(" ")[2] for one in line.said()] == [f"第{n}件" for n in range(120)]
        await line.looks(3)
        assert len(line.asked("statuses/show_batch")) == 3

    async def test_without_them_a_post_is_taken_as_it_is_listed(
        self, line: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refused(*_: object) -> None:
            raise Refused(10014)

        monkeypatch.setitem(line.weibo._reading.__dict__, "batch", refused)
        post = line.weibo.post("王女士", f"@{line.weibo.world.us} " + "车库积水" * 50)
        await line.came_to(post)
        assert "text_cut" in {note.code for note in line.said()[0].notes}
        assert line.events("weibo_long_texts_refused")

    async def test_pictures_are_there_before_it_is_accepted_and_a_missing_one_is_a_note(self, line: Line) -> None:
        where = f"@{line.weibo.world.us} 就在这里"
        post = line.weibo.post("王女士", where, pictures=["lamp", "missing-lamp", "html-lamp"])
        await line.came_to(post)
        (inbound,) = line.said()
        assert [one.content[:2] for one in inbound.attachments] == [b"\xff\xd8"]
        assert [note.code for note in inbound.notes if note.code == "picture_not_fetched"] == ["picture_not_fetched"]

    async def test_a_mistake_of_ours_in_reading_a_post_keeps_the_post(self, line: Line) -> None:
        def broken(_: Raw) -> Inbound:
            raise KeyError("planted")

        line.parse = broken  # type: ignore[method-assign]
        post = line.weibo.post("王女士", f"@{line.weibo.world.us} 路灯不亮")
        await line.came_to(post)
        assert line.ids == [post]
        assert [one["error"] for one in line.events("weibo_parse_failed")] == ["KeyError"]


class TestTheBudget:
    @pytest.fixture
    def tight(self, line: Line) -> Line:
        """A hundred calls a day, and lists looked at as often as that allows."""
        line.more |= {"budget": {"calls": 100, "seconds": DAY}, "poll": 0.01}
        line.weibo.set_limit(100, DAY)
        return line

    async def test_a_quiet_week_uses_it_evenly_and_never_more(self, tight: Line) -> None:
        await tight.poll(lambda: len(tight.asked()) > 600)
        polls = tight.weibo.watch.counts()
        assert (polls["peak"] <= 100, polls["refused"], polls["two_at_once"]) == (True, 0, 0)
        assert polls["peak"] > 85, "what is kept for walking back is all that is not used"

    async def test_walking_back_uses_what_was_kept_and_never_more(self, tight: Line) -> None:
        await tight.looks(1)
        for _ in range(4):
            tight.weibo.advance(DAY / 3)
            ids = tight.weibo.post_mentions(1200)
            before = tight.weibo.clock.now()
            await tight.came_to(ids[-1])
            assert tight.weibo.clock.now() - before < DAY / 30, "seven pages: at once, and a pause or two behind them"
        assert tight.weibo.watch.counts()["peak"] <= 100

    async def test_restarts_do_not_renew_it(self, tight: Line) -> None:
        began = tight.weibo.clock.now()
        for _ in range(120):
            await tight.looks(1)
        assert tight.weibo.clock.now() - began > DAY
        assert tight.weibo.watch.counts()["peak"] <= 100

    async def test_bad_answers_are_counted_too(self, tight: Line) -> None:
        tight.weibo.set_faults(share=0.5, kinds=["html", "busy", "reset", "truncated"])
        ids = tight.weibo.post_mentions(3000)
        await tight.came_to(ids[-1])
        assert sorted(tight.ids) == ids
        assert tight.weibo.gate.user.peak <= 100

    async def test_a_broken_connection_costs_the_call_that_was_counted_and_no_other(self, line: Line) -> None:
        """aiohttp would repeat a GET on a connection that was used before."""
        ids = line.weibo.post_mentions(201)
        line.weibo.set_faults(next=["", "", "reset", "reset"])
        await line.came_to(ids[-1])
        assert line.weibo.faults.met["reset"] == 2
        assert line.slept.count(1.0) == line.slept.count(2.0) == 1, "each was noticed and waited for"

    async def test_the_plan_is_said(self, tight: Line) -> None:
        tight.more["poll"] = 300
        await tight.looks(1)
        (told,) = tight.events("weibo_plan")[:1]
        assert (told["calls"], told["seconds"]) == (100, DAY)
        assert told["apart"] == pytest.approx(DAY / 90, abs=0.1)


class TestBadDays:
    @pytest.mark.parametrize("fault", ["html", "busy", "reset", "truncated", "hang"])
    async def test_one_bad_answer(self, line: Line, fault: str) -> None:
        ids = line.weibo.post_mentions(300)
        line.more["timeout"] = 0.5
        line.weibo.set_faults(next=["", "", fault, fault])
        await line.came_to(ids[-1])
        assert sorted(line.ids) == ids
        assert 1 <= len(line.events("weibo_unreachable")) <= 2  # `busy` has two codes
        assert len(line.events("weibo_reachable")) == 1

    async def test_a_refused_list_keeps_its_place_and_holds_up_no_other(self, line: Line) -> None:
        line.more["sources"] = ["mentions", "comments"]
        ids = line.weibo.post_mentions(3)
        await line.came_to(ids[-1])
        more = line.weibo.post_mentions(300)
        comment = line.weibo.comment("王女士", line.weibo.post_ours("通知"), "我家没有收到通知")
        answering(line, [None, Refused(10014), Refused(10014)])
        async with line.polling():
            await line.until(lambda: comment in line.ids)
            assert line.place.walk("mentions").since == ids[-1]
            await line.until(lambda: line.place.walk("mentions").since == more[-1])
        assert sorted(line.ids) == sorted([*ids, *more, comment])
        assert [one["code"] for one in line.events("weibo_list_refused")] == [10014, 10014]

    async def test_too_many_calls_are_waited_for(self, line: Line) -> None:
        post = line.weibo.post("王女士", f"@{line.weibo.world.us} 路灯不亮")
        answering(line, [Refused(10023), Refused(10023)])
        await line.came_to(post)
        assert line.slept.count(3600.0) == 2
        assert [one["error"] for one in line.events("weibo_unreachable")] == ["limited_10023"]


class TestTheToken:
    async def refused(self, line: Line, renew: Callable[[], object]) -> list[int]:
        """The token ends, mentions come, `renew`; what had come in the end."""
        ids = line.weibo.post_mentions(2)
        await line.came_to(ids[-1])
        line.weibo.expire_token()
        more = line.weibo.post_mentions(2)
        async with line.polling():
            await line.until(lambda: line.slept.count(TOKEN_LOOK) > 20)
            calls = line.weibo.gate.address.asked
            await line.until(lambda: line.slept.count(TOKEN_LOOK) > 40)
            assert line.weibo.gate.address.asked == calls, "nothing is asked meanwhile"
            assert line.place.walk("mentions").since == ids[-1]
            renew()
            await line.until(lambda: line.place.walk("mentions").since == more[-1])
        assert line.ids == ids + more
        return more

    async def test_a_refused_one_is_waited_for_and_then_it_goes_on(self, line: Line) -> None:
        await self.refused(line, lambda: (line.folder / "weibo-token").write_text(line.weibo.new_token()))
        assert [one["code"] for one in line.events("weibo_token_refused")] == [21327]
        assert len(line.events("weibo_token_renewed")) == 1

    async def test_the_same_one_given_again_is_tried_when_the_file_is_written(self, line: Line) -> None:
        def again() -> None:
            line.weibo.world.token_until = None
            (line.folder / "weibo-token").write_text(line.weibo.world.token)

        await self.refused(line, again)

    async def test_one_that_is_refused_too_is_waited_for_again(self, line: Line) -> None:
        file = line.folder / "weibo-token"

        def first_a_wrong_one() -> None:
            file.write_text("mistyped")
            asyncio.get_running_loop().call_later(0.2, lambda: file.write_text(line.weibo.new_token()))

        await self.refused(line, first_a_wrong_one)
        assert [one["code"] for one in line.events("weibo_token_refused")] == [21327, 21332]

    async def test_an_empty_file_is_waited_for(self, line: Line) -> None:
        post = line.weibo.post("王女士", f"@{line.weibo.world.us} 路灯不亮")
        file = line.folder / "weibo-token"
        file.write_text("")
        async with line.polling():
            await line.until(lambda: TOKEN_LOOK in line.slept)
            file.write_text(line.weibo.world.token)
            await line.until(lambda: line.place.walk("mentions").since == post)

    @pytest.mark.parametrize(("days", "told"), [(3, [3.0]), (20, [])])
    async def test_its_end_is_said_days_ahead(self, line: Line, days: int, told: list[float]) -> None:
        line.weibo.world.token_until = line.weibo.clock.now() + days * DAY
        await line.looks(3)
        assert [one["days"] for one in line.events("weibo_token_expires_soon")] == told

    async def test_and_every_day_again(self, line: Line) -> None:
        line.weibo.world.token_until = line.weibo.clock.now() + 8.5 * DAY
        line.more["poll"] = DAY / 4
        await line.looks(16)
        assert [round(one["days"], 1) for one in line.events("weibo_token_expires_soon")][:2] == [6.5, 5.5]

    async def test_where_weibo_does_not_say_the_operator_does_and_weibo_is_asked_again(self, line: Line) -> None:
        line.more["token_expires_at"] = datetime.fromtimestamp(line.weibo.clock.now(), UTC) + timedelta(days=2)
        line.more["poll"] = 600
        line.weibo.set_faults(next=["html"])
        await line.looks(10)
        assert [one["code"] for one in line.events("weibo_token_unknown")] == ["status_502"]
        assert [one["days"] for one in line.events("weibo_token_expires_soon")] == [2.0]
        assert line.weibo.gate.address.asked - len(line.asked()) == 1, "an hour later: the failed one got no further"

    async def test_a_new_one_is_looked_at_at_once(self, line: Line) -> None:
        def renew() -> None:
            (line.folder / "weibo-token").write_text(line.weibo.new_token(life=2 * DAY))

        await self.refused(line, renew)
        await line.looks(2)
        assert line.events("weibo_token_expires_soon")


class TestTheSimulator:
    async def test_two_calls_at_once_are_seen(self, line: Line) -> None:
        await self.two(line, 200)
        assert line.weibo.watch.two_at_once == 1

    async def test_but_not_when_the_first_has_lost_its_patience(self, line: Line) -> None:
        await self.two(line, 0.2)
        assert line.weibo.watch.two_at_once == 0

    async def two(self, line: Line, patience: float) -> None:
        """One call hangs; another is made beside it, or when it was given up."""
        line.weibo.set_faults(next=["hang"], hang=1.0)
        parameters = {"access_token": line.weibo.world.token}
        url = f"{line.weibo.url}/2/statuses/mentions.json"

        async def ask(seconds: float) -> None:
            async with line.weibo.http.get(url, params=parameters) as answer:
                await asyncio.wait_for(answer.read(), seconds)

        first: Awaitable[Any] = asyncio.create_task(asyncio.wait_for(ask(HANGS), patience))
        await line.until(lambda: line.weibo.faults.met["hang"])
        if patience < 1:
            await asyncio.wait({first})  # type: ignore[type-var]
        await ask(HANGS)
        await asyncio.wait({first})  # type: ignore[type-var]
