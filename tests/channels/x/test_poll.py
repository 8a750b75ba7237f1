"""Mentions are fetched from the simulated X: all of them, each once, whatever X or we do meanwhile. Time is simulated:
when the poller waits, X's clock goes on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from channels.fake_host import FakeHost
from channels.x import take
from channels.x.parse import parse, understand
from channels.x.place import Place
from channels.x.take import Taker
from normalizer.errors import Rejected, TryAgain
from normalizer.ticket import Raw, Receipt
from tests.channels.x.accounts import written
from tests.channels.x.polling import Account
from tests.simulators.x import X

QUARTER = 900.0


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    async with X() as x, FakeHost() as host:
        yield Account(x, host, tmp_path)


def newest(account: Account, name: str) -> Callable[[], bool]:
    return lambda: account.place.since == int(name)


class TestPages:
    async def test_page_after_page_back_to_the_beginning_and_the_oldest_is_taken_first(self, account: Account) -> None:
        names = account.x.post_mentions(250)
        await account.poll(newest(account, names[-1]))
        assert account.names == names
        assert not account.events("x_gap")

    async def test_then_only_what_is_new(self, account: Account) -> None:
        names = account.x.post_mentions(150)
        await account.poll(newest(account, names[-1]))
        account.x.advance(QUARTER)
        more = account.x.post_mentions(3)
        pages = [0, 0]
        real = account.x._api.mentions

        def mentions(user: str, query: Any) -> Any:
            pages["pagination_token" in query] += 1
            return real(user, query)

        account.x._api.mentions = mentions  # type: ignore[method-assign]
        await account.poll(newest(account, more[-1]))
        assert account.names == names + more
        assert pages[1] <= pages[0], "no more than one page of what is known"

    async def test_a_post_that_is_listed_late_is_taken_though_a_newer_one_was(self, account: Account) -> None:
        names = account.x.post_mentions(3)
        account.x.world.mentions.remove(names[1])
        await account.poll(newest(account, names[2]))
        account.x.world.mentions.insert(1, names[1])
        await account.poll(lambda: len(account.host.taken) == 3)
        assert account.names == [names[0], names[2], names[1]]

    async def test_what_others_deleted_or_protected_is_left_out_and_the_rest_says_so(self, account: Account) -> None:
        about = account.x.post("li", "丰盛街口的井盖没了")
        account.x.delete(about)
        name = account.x.post("wang", f"@{account.x.world.us} 这个请你们来修", replied_to=about)
        gone = account.x.post("wang", f"@{account.x.world.us} 不见了")
        account.x.delete(gone)
        await account.poll(newest(account, name))
        (raw,) = account.host.taken.values()
        assert "reference_unavailable" in {note.code for note in parse(raw, account.config).notes}

    async def test_at_the_very_first_start_only_what_is_recent(self, account: Account) -> None:
        account.more["look_back"] = 3600
        account.x.post("wang", f"@{account.x.world.us} 去年的事", ago=7200)
        await account.looks(2)
        assert account.place.start is not None
        assert not account.host.taken
        began = account.place.start
        account.x.advance(10 * 86_400)
        name = account.x.post("wang", f"@{account.x.world.us} 我们停机时写的", ago=9 * 86_400)
        await account.poll(newest(account, name))
        await account.looks(3)
        assert account.place.start == began
        assert account.texts == ["我们停机时写的"]

    async def test_a_token_of_a_page_that_x_forgot_begins_the_walk_again(self, account: Account) -> None:
        names = account.x.post_mentions(150)
        real, forgot = account.x._api.mentions, [True]

        def mentions(user: str, query: Any) -> Any:
            if "pagination_token" in query and forgot.pop():
                query = {**query, "pagination_token": "?"}
                forgot.append(False)
            return real(user, query)

        account.x._api.mentions = mentions  # type: ignore[method-assign]
        await account.poll(newest(account, names[-1]))
        assert account.names == names
        assert len(account.events("x_pages_moved")) == 1


class TestGap:
    async def test_more_than_x_shows_is_alarmed_once_and_what_it_shows_is_taken(self, account: Account) -> None:
        first = account.x.post_mentions(1)
        await account.poll(newest(account, first[0]))
        names = account.x.post_mentions(900)
        await account.poll(newest(account, names[-1]))
        await account.looks(3)
        assert account.names == first + names[100:]
        (gap,) = account.events("x_gap")
        assert (gap["taken"], gap["log_level"]) == (800, "error")
        assert gap["after"] <= gap["before"]

    async def test_as_many_as_x_shows_back_to_the_place_is_no_gap(self, account: Account) -> None:
        first = account.x.post_mentions(1)
        await account.poll(newest(account, first[0]))
        names = account.x.post_mentions(799)
        await account.poll(newest(account, names[-1]))
        assert len(account.host.taken) == 800
        assert not account.events("x_gap")

    async def test_at_the_first_start_too_many_is_one(self, account: Account) -> None:
        names = account.x.post_mentions(801)
        await account.poll(newest(account, names[-1]))
        assert len(account.events("x_gap")) == 1


class TestLimits:
    async def test_it_rests_when_x_says_that_nothing_is_left(self, account: Account) -> None:
        account.x.set_limit("GET mentions", "app", 3, QUARTER)
        names = account.x.post_mentions(750)
        await account.poll(newest(account, names[-1]))
        assert account.names == names
        assert account.x.windows.of("GET mentions", "app").refused == 0

    async def test_it_waits_for_the_reset_where_others_used_the_window_up(self, account: Account) -> None:
        account.x.set_limit("GET mentions", "app", 1, QUARTER)
        window = account.x.windows.of("GET mentions", "app")
        window.take()
        window.asked = 0
        (name,) = account.x.post_mentions(1)
        await account.poll(newest(account, name))
        assert account.slept[0] > QUARTER - 60
        assert window.refused == 1
        assert [event["error"] for event in account.events("x_limited")] == ["limited"]


class TestBadDays:
    @pytest.mark.parametrize("fault", ["html", "busy", "reset", "truncated", "hang"])
    async def test_one_bad_answer(self, account: Account, fault: str) -> None:
        account.more["timeout"] = 0.5
        names = account.x.post_mentions(120)
        account.x.set_faults(next=["", fault, fault])
        await account.poll(newest(account, names[-1]))
        assert account.names == names
        assert len(account.events("x_unreachable")) == 1
        assert len(account.events("x_reachable")) == 1

    async def test_half_of_all_answers(self, account: Account) -> None:
        account.x.set_faults(share=0.5, kinds=["html", "busy", "reset", "truncated"])
        names = account.x.post_mentions(300)
        await account.poll(newest(account, names[-1]))
        assert account.names == names

    async def test_an_account_that_x_does_not_know_moves_nothing(self, account: Account) -> None:
        account.more["user_id"] = "1"
        account.x.post_mentions(1)
        await account.looks(3)
        assert account.place.since == 0
        assert [event["error"] for event in account.events("x_refused")] == ["status_400"]

    async def test_errors_alone_are_no_empty_list(self, account: Account) -> None:
        account.x._api.mentions = lambda *_: {"errors": [{"title": "Not Found Error"}]}  # type: ignore[method-assign]
        await account.looks(2)
        assert [event["error"] for event in account.events("x_refused")] == ["status_404"]

    async def test_a_refused_token_stops_it_until_the_file_holds_another(self, account: Account) -> None:
        names = account.x.post_mentions(2)
        await account.poll(newest(account, names[-1]))
        good, account.x.keys.bearer = account.x.keys.bearer, "another-token"
        more = account.x.post_mentions(2)
        async with account.polling():
            written(account.folder, bearer_token_file=good)
            await account.until(lambda: account.slept.count(5.0) > 20)
            assert account.place.since == int(names[-1])
            written(account.folder, bearer_token_file="another-token")
            await account.until(newest(account, more[-1]))
        assert account.names == names + more
        assert len(account.events("x_token_refused")) == 1

    async def test_a_token_that_is_missing_is_waited_for(self, account: Account) -> None:
        names = account.x.post_mentions(1)
        async with account.polling():
            (account.folder / "bearer_token_file").unlink()
            await account.until(lambda: 5.0 in account.slept)
            written(account.folder, bearer_token_file=account.x.keys.bearer)
            await account.until(newest(account, names[0]))


class Stubborn(FakeHost):
    """Fails at some posts, whatever comes beside them."""

    bad: str = ""
    offered = 0
    error: Exception = RuntimeError("planted")

    async def accept(self, raw: Raw) -> Receipt:
        self.offered += 1
        if self.bad and self.bad.encode() in raw.body:
            self.raised.set()
            raise self.error
        return await super().accept(raw)


class TestTaking:
    async def test_what_was_taken_is_not_offered_again_at_every_look(self, account: Account) -> None:
        async with Stubborn() as host:
            account.host = host
            names = account.x.post_mentions(3)
            async with account.polling():
                await account.until(newest(account, names[-1]))
                before = account.asked
                await account.until(lambda: account.asked >= before + 3)
            assert host.offered == 3

    async def test_a_lost_cursor_makes_no_second_submission(self, account: Account) -> None:
        names = account.x.post_mentions(30)
        await account.poll(newest(account, names[-1]))
        account.host.cursor = None
        await account.poll(newest(account, names[-1]))
        assert len(account.host.taken) == 30

    async def test_killed_between_two_pages_the_place_is_where_it_was(self, account: Account) -> None:
        names = account.x.post_mentions(150)
        account.x.set_faults(next=["", "hang"])
        await account.poll(lambda: account.asked == 2)
        assert account.place.since == 0
        await account.poll(newest(account, names[-1]))
        assert account.names == names

    async def test_killed_between_two_accepts_nothing_is_lost(self, account: Account) -> None:
        names = account.x.post_mentions(50)
        account.host.outcomes.extend([None] * 25)
        account.host.otherwise = TryAgain(1, "full")
        await account.poll(lambda: len(account.host.taken) == 25)
        assert account.place.since == 0
        account.host.otherwise = None
        await account.poll(newest(account, names[-1]))
        assert sorted(account.names) == names

    async def test_who_lost_the_lease_begins_at_the_place_of_the_other(self, account: Account) -> None:
        names = account.x.post_mentions(3)
        loads: list[str | None] = []
        load, save = account.host.load_cursor, account.host.save_cursor

        async def loaded() -> str | None:
            loads.append(await load())
            return loads[-1]

        async def refuse(cursor: str) -> None:
            if len(loads) == 1 and Place.read(cursor).since:
                await save(Place(since=int(names[1])).text)  # the other one's
                raise TryAgain(0, "another polls")
            await save(cursor)

        account.host.load_cursor, account.host.save_cursor = loaded, refuse  # type: ignore[method-assign]
        await account.poll(newest(account, names[2]))
        assert [Place.read(one).since for one in loads] == [0, int(names[1])]
        assert sorted(account.names) == names

    async def test_one_post_that_fails_holds_up_no_other_and_is_not_passed_by(self, account: Account) -> None:
        async with Stubborn() as host:
            account.host = host
            names = account.x.post_mentions(3)
            host.bad = names[1]
            async with account.polling():
                await account.until(lambda: len(host.taken) == 2)
                more = account.x.post_mentions(1)
                await account.until(lambda: len(host.taken) == 3)
                assert account.place.since == 0
                host.bad = ""
                await account.until(newest(account, more[0]))
            assert sorted(account.names) == names + more
            assert {event["error"] for event in account.events("x_post_not_accepted")} == {"RuntimeError"}

    async def test_a_conflict_is_recorded_and_passed_by(self, account: Account) -> None:
        async with Stubborn() as host:
            account.host = host
            names = account.x.post_mentions(2)
            host.bad, host.error = names[0], Rejected("conflict", "other content")
            await account.poll(newest(account, names[1]))
            assert account.names == [names[1]]
            assert [event["code"] for event in account.events("x_post_refused")] == ["conflict"]

    async def test_what_is_no_post_is_recorded_and_passed_by(self, account: Account) -> None:
        taker = Taker(account.config, account.host, account.sleep)
        strange = json.dumps({"data": {"id": "7", "name": "一个列表"}}).encode()
        good = json.dumps({"data": {"id": "8", "text": "路灯坏了"}}).encode()
        with capture_logs() as logged:
            await taker.take([strange, good])
        assert [event["code"] for event in logged] == ["account_list"]
        assert account.names == ["8"]

    async def test_a_mistake_of_ours_in_reading_a_post_keeps_the_post(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(body: bytes) -> None:
            raise KeyError("planted")

        monkeypatch.setattr(take, "understand", broken)
        taker = Taker(account.config, account.host, account.sleep)
        body = json.dumps({"data": {"id": "8", "text": "路灯坏了"}}).encode()
        with capture_logs() as logged:
            await taker.take([body])
        assert [raw.body for raw in account.host.taken.values()] == [body]
        assert [(event["event"], event["error"]) for event in logged] == [("x_post_unreadable", "KeyError")]

    async def test_pictures_are_there_before_it_is_accepted_and_a_missing_one_is_a_note(self, account: Account) -> None:
        where = f"@{account.x.world.us} 就在这里，请来修"
        name = account.x.post("wang", where, pictures=["lamp", "missing-lamp", "html-lamp"])
        await account.poll(newest(account, name))
        (raw,) = account.host.taken.values()
        inbound = parse(raw, account.config)
        assert [(one.name, one.content[:2]) for one in inbound.attachments] == [("lamp.jpg", b"\xff\xd8")]
        assert [note.detail[:38] for note in inbound.notes if note.code == "picture_not_fetched"] == [
            "pictures that are not attached: 2; the"
        ]
        assert raw.source_id == understand(raw.body).source_id
