"""Mentions and comments are fetched from the simulated Weibo: all of them, each once, within the budget, whatever Weibo
or we do meanwhile. Time is simulated: when the poller waits, Weibo's clock goes on."""

import asyncio

import pytest

from channels.weibo.place import Place
from normalizer.errors import TryAgain
from normalizer.ticket import Inbound, Raw
from tests.channels.weibo.polling import Line, answering, line
from tests.simulators.clocks import DAY
from tests.simulators.weibo.errors import Refused
from tests.simulators.weibo.world import OURS, Post

__all__ = ["line"]


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
