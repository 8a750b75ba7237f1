"""The poller keeps within what Weibo allows, through bad days and refused tokens. Time is simulated."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels.weibo.poll import TOKEN_LOOK
from tests.channels.weibo.polling import Line, answering, line
from tests.simulators.clocks import DAY
from tests.simulators.weibo.errors import Refused
from tests.waiting import HANGS

__all__ = ["line"]


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
