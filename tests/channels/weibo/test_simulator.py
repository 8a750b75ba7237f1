"""The simulated Weibo keeps to open.weibo.com's wiki (STANDARDS 5.1). It is a tool; what it promises is here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web

from tests.simulators.clocks import DAY, HOUR, Limit
from tests.simulators.pushing import signature
from tests.simulators.server import Remote
from tests.simulators.weibo import Weibo
from tests.simulators.weibo.gate import Limits
from tests.waiting import HANGS, until

TOKEN = "weibo-token"
RIP = "211.156.0.1"


@pytest.fixture
async def weibo() -> AsyncIterator[Weibo]:
    async with Weibo() as simulator:
        yield simulator


async def get(weibo: Weibo, path: str, token: str = TOKEN, **query: Any) -> dict[str, Any]:
    async with weibo.http.get(f"{weibo.url}/2/{path}.json", params={"access_token": token, **query}) as answer:
        return dict(await answer.json())


async def post(weibo: Weibo, path: str, token: str = TOKEN, **form: Any) -> dict[str, Any]:
    async with weibo.http.post(f"{weibo.url}/2/{path}.json", data={"access_token": token, **form}) as answer:
        return dict(await answer.json())


def code(answer: dict[str, Any]) -> int:
    assert set(answer) == {"request", "error_code", "error"}
    return int(answer["error_code"])


def test_a_push_is_signed_as_the_wiki_signs_its_example() -> None:
    assert signature("xyz123xyz", "1397022061823", "57155157") == "90e4c22c90a58f26526c2dd5b6c56c8822edeaa1"


class TestReading:
    async def test_lists_are_newest_first_after_since_id_and_up_to_max_id(self, weibo: Weibo) -> None:
        ids = weibo.post_mentions(7)
        page = await get(weibo, "statuses/mentions", since_id=ids[1], max_id=ids[5], count=2)
        assert [one["id"] for one in page["statuses"]] == [ids[5], ids[4]]
        assert (page["next_cursor"], page["total_number"]) == (ids[3], 7)
        last = await get(weibo, "statuses/mentions", since_id=ids[1], max_id=ids[5], count=2, page=2)
        assert [one["id"] for one in last["statuses"]] == [ids[3], ids[2]]
        assert last["next_cursor"] == 0

    async def test_a_page_holds_50_and_at_most_200(self, weibo: Weibo) -> None:
        weibo.post_mentions(300)
        assert len((await get(weibo, "statuses/mentions"))["statuses"]) == 50
        assert len((await get(weibo, "statuses/mentions", count=999))["statuses"]) == 200

    async def test_ids_need_more_digits_than_a_double_has(self, weibo: Weibo) -> None:
        ids = weibo.post_mentions(2)
        shown = (await get(weibo, "statuses/mentions"))["statuses"]
        assert [one["idstr"] for one in shown] == [str(one) for one in reversed(ids)]
        assert any(int(float(one)) != one for one in ids)

    async def test_a_long_text_is_cut_in_lists_and_whole_when_asked_for(self, weibo: Weibo) -> None:
        text = f"@{weibo.world.us} " + "路灯坏了" * 60
        made = weibo.post("王女士", text, pictures=["a"], lat=39.9, long=116.4)
        (cut,) = (await get(weibo, "statuses/mentions"))["statuses"]
        whole = await get(weibo, "statuses/show", id=made, isGetLongText=1)
        batch = await get(weibo, "statuses/show_batch", ids=made, isGetLongText=1)
        assert cut["isLongText"] is True
        assert text not in cut["text"]
        assert whole["longText"]["longTextContent"] == batch["statuses"][0]["longText"]["longTextContent"] == text
        assert cut["geo"] == {"type": "Point", "coordinates": [39.9, 116.4]}
        async with weibo.http.get(cut["pic_urls"][0]["thumbnail_pic"]) as picture:
            assert (await picture.read())[:2] == b"\xff\xd8"

    async def test_deleted_posts_and_originals(self, weibo: Weibo) -> None:
        original = weibo.post("李先生", "河里漂着垃圾")
        shared = weibo.post("王女士", f"@{weibo.world.us} 有人管吗", original=original)
        gone = weibo.post("张先生", f"@{weibo.world.us} 写错了")
        weibo.delete(original)
        weibo.delete(gone)
        newest, repost = (await get(weibo, "statuses/mentions"))["statuses"]
        assert "user" not in newest
        assert repost["id"] == shared
        assert repost["retweeted_status"]["text"] == "此微博已被原作者删除。"
        weibo.delete(gone, "missing")
        assert len((await get(weibo, "statuses/mentions"))["statuses"]) == 1
        assert code(await get(weibo, "statuses/show", id=gone)) == 20101

    async def test_comments_that_name_us_and_comments_on_what_is_ours(self, weibo: Weibo) -> None:
        theirs, ours = weibo.post("李先生", "停水了"), weibo.post_ours("今日停水公告")
        naming = weibo.comment("王女士", theirs, f"@{weibo.world.us} 我家也是")
        below = weibo.comment("张先生", ours, "什么时候来水")
        assert [c["id"] for c in (await get(weibo, "comments/mentions"))["comments"]] == [naming]
        assert [c["id"] for c in (await get(weibo, "comments/to_me"))["comments"]] == [below]
        assert [c["id"] for c in (await get(weibo, "comments/show", id=theirs))["comments"]] == [naming]


class TestWriting:
    async def test_a_comment_is_read_back_below_its_post_and_among_ours(self, weibo: Weibo) -> None:
        (made,) = weibo.post_mentions(1)
        said = await post(weibo, "comments/create", id=made, comment="已受理，编号 1", rip=RIP)
        for there in (await get(weibo, "comments/show", id=made), await get(weibo, "comments/by_me")):
            assert [one["id"] for one in there["comments"]] == [said["id"]]

    async def test_a_reply_names_whom_it_answers(self, weibo: Weibo) -> None:
        made = weibo.post("李先生", "停水了")
        comment = weibo.comment("王女士", made, f"@{weibo.world.us} 我家也是")
        said = await post(weibo, "comments/reply", id=made, cid=comment, comment="已受理，编号 2", rip=RIP)
        assert said["text"] == "回复@王女士:已受理，编号 2"
        assert said["reply_comment"]["id"] == comment

    @pytest.mark.parametrize(
        ("form", "refused"),
        [
            ({"comment": "好", "rip": ""}, 10016),
            ({"comment": "好", "rip": "nowhere"}, 10017),
            ({"comment": " ", "rip": RIP}, 20008),
            ({"comment": "好" * 141, "rip": RIP}, 20012),
            ({"comment": "好", "rip": RIP, "id": 1}, 20101),
            ({"comment": "已受理，编号 7", "rip": RIP}, 20019),
            ({"comment": "已受理!编号7[心]", "rip": RIP}, 20017),
        ],
    )
    async def test_what_is_refused(self, weibo: Weibo, form: dict[str, Any], refused: int) -> None:
        first, second = weibo.post_mentions(2)
        await post(weibo, "comments/create", id=first, comment="已受理，编号 7", rip=RIP)
        assert code(await post(weibo, "comments/create", **{"id": second, **form})) == refused
        assert len(weibo.comments_by_us()) == 1

    async def test_140_characters_are_280_letters(self, weibo: Weibo) -> None:
        (made,) = weibo.post_mentions(1)
        assert "id" in await post(weibo, "comments/create", id=made, comment="好" * 139 + "ab", rip=RIP)

    async def test_thirty_comments_an_hour(self, weibo: Weibo) -> None:
        (made,) = weibo.post_mentions(1)
        codes = [await post(weibo, "comments/create", id=made, comment=f"编号 {n}", rip=RIP) for n in range(31)]
        assert code(codes[-1]) == 20016
        assert len(weibo.comments_by_us()) == 30


class TestPrivateMessages:
    async def send(self, weibo: Weibo, name: str, text: str = "请补充地址") -> dict[str, Any]:
        data = json.dumps({"text": text})
        return await post(weibo, "messages/reply", type="text", data=data, receiver_id=weibo.world.user(name).id)

    async def test_within_48_hours_of_what_the_citizen_wrote(self, weibo: Weibo) -> None:
        assert code(await self.send(weibo, "王女士")) == 20301
        await weibo.say("王女士", "路灯不亮")
        assert (await self.send(weibo, "王女士"))["result"] is True
        weibo.advance(48 * HOUR + 1)
        assert code(await self.send(weibo, "王女士")) == 20301
        assert [one["text"] for one in weibo.messages_sent()] == ["请补充地址"]

    async def test_never_to_who_does_not_follow_any_more(self, weibo: Weibo) -> None:
        await weibo.say("王女士", "路灯不亮")
        await weibo.event("王女士", "unfollow")
        assert code(await self.send(weibo, "王女士")) == 20301

    async def test_after_a_mention_one_and_only_with_the_permission(self, weibo: Weibo) -> None:
        await weibo.mention("王女士", 1, "@我们")
        assert code(await self.send(weibo, "王女士")) == 10014
        async with Weibo(may_answer_mentions=True) as allowed:
            await allowed.mention("王女士", 1, "@我们")
            assert (await self.send(allowed, "王女士"))["result"] is True
            assert code(await self.send(allowed, "王女士")) == 20301

    async def test_fewer_than_300_characters(self, weibo: Weibo) -> None:
        await weibo.say("王女士", "路灯不亮")
        assert code(await self.send(weibo, "王女士", "好" * 300)) == 20012
        assert (await self.send(weibo, "王女士", "好" * 299))["result"] is True


class TestLimits:
    async def test_a_hundred_calls_a_day_whatever_they_ask(self) -> None:
        async with Weibo(
            limits=Limits(user=Limit(3, DAY), endpoints={"/2/comments/to_me.json": Limit(1, HOUR)})
        ) as weibo:
            await get(weibo, "comments/to_me")
            assert code(await get(weibo, "comments/to_me")) == 10024
            await get(weibo, "statuses/mentions")
            assert code(await get(weibo, "statuses/mentions")) == 10023
            weibo.advance(DAY)
            assert "statuses" in await get(weibo, "statuses/mentions")
            assert weibo.stats()["calls"]["user"] == {"asked": 5, "refused": 1, "peak": 4, "limit": 3, "seconds": DAY}
            assert weibo.stats()["calls"]["endpoints"]["/2/comments/to_me.json"]["asked"] == 2

    async def test_of_an_address(self) -> None:
        async with Weibo(limits=Limits(address=Limit(1, HOUR))) as weibo:
            await get(weibo, "statuses/mentions")
            assert code(await get(weibo, "statuses/mentions")) == 10022

    async def test_tokens_end(self, weibo: Weibo) -> None:
        assert code(await get(weibo, "statuses/mentions", token="made-up")) == 21332
        weibo.expire_token()
        assert code(await get(weibo, "statuses/mentions")) == 21327
        renewed = weibo.new_token(life=DAY)
        assert code(await get(weibo, "statuses/mentions")) == 21327
        assert "statuses" in await get(weibo, "statuses/mentions", token=renewed)
        async with weibo.http.post(f"{weibo.url}/oauth2/get_token_info", data={"access_token": renewed}) as answer:
            assert DAY - 60 < (await answer.json())["expire_in"] <= DAY

    async def test_codes_come_as_numbers_and_as_strings(self, weibo: Weibo) -> None:
        kinds = {type((await get(weibo, "statuses/mentions", token="x"))["error_code"]) for _ in range(2)}
        assert kinds == {int, str}


class TestBadDays:
    async def succeeds(self, weibo: Weibo, made: int, comment: str) -> bool:
        try:
            return "id" in await post(weibo, "comments/create", id=made, comment=comment, rip=RIP)
        except (aiohttp.ClientError, ValueError):
            return False

    @pytest.mark.parametrize("kind", ["busy", "html", "reset", "truncated", "hang"])
    async def test_an_answer_fails_before_or_after_the_comment_was_made(self, weibo: Weibo, kind: str) -> None:
        (made,) = weibo.post_mentions(1)
        for n, when in enumerate(("", " after")):
            weibo.set_faults(next=[kind + when], hang=0.05)
            assert not await self.succeeds(weibo, made, f"编号 {n}")
            assert len(weibo.comments_by_us()) == (n + 1 if kind == "truncated" else n)
        assert weibo.stats()["faults"] == {kind: 1, f"{kind} after": 1}

    async def test_a_good_answer_may_be_late(self, weibo: Weibo) -> None:
        weibo.set_faults(next=["slow"], slow=HANGS)
        asked = weibo.http.get(f"{weibo.url}/2/statuses/mentions.json", params={"access_token": TOKEN})
        late = asyncio.ensure_future(asked)
        await until(lambda: weibo.faults.met["slow"], "the slow answer to begin")
        assert "statuses" in await get(weibo, "statuses/mentions")
        assert not late.done()
        weibo.closing.set()
        assert (await late).status == 200

    async def test_a_share_of_calls_is_the_same_with_the_same_seed(self, weibo: Weibo) -> None:
        met = []
        for _ in range(2):
            weibo.set_faults(share=0.3, kinds=["busy"], seed=5)
            met.append(["error_code" in await get(weibo, "statuses/mentions") for _ in range(20)])
        assert met[0] == met[1]
        assert 1 <= sum(met[0]) <= 12


class Callback:
    """Somebody's callback: what it got, and what it answers next."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.answers: list[web.Response | None] = []
        self.slow = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.Response(text=request.query["echostr"])
        self.got.append((dict(request.query), json.loads(await request.read())))
        answer = self.answers.pop(0) if self.answers else web.Response()
        if answer is None:
            await self.slow.wait()
        return answer or web.Response()


@pytest.fixture
async def callback() -> AsyncIterator[tuple[Callback, str]]:
    there = Callback()
    app = web.Application()
    app.router.add_route("*", "/weibo", there.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield there, f"http://127.0.0.1:{runner.addresses[0][1]}/weibo"
    there.slow.set()
    await runner.cleanup()


class TestPush:
    async def test_signed_echoed_and_tried_four_times(self, callback: tuple[Callback, str]) -> None:
        there, url = callback
        async with Weibo(callback=url, patience=0.2) as weibo:
            assert await weibo.verify_callback()
            there.answers = [web.Response(status=500), None, web.Response(status=404)]
            assert await weibo.say("王女士", "路灯不亮")
            assert weibo.stats()["pushes"] == [[500, "TimeoutError", 404, 200]]
            assert len({json.dumps(body) for _, body in there.got}) == 1
            for query, body in there.got:
                assert query["signature"] == signature("weibo-app-secret", query["timestamp"], query["nonce"])
                assert body["text"] == "路灯不亮"
            there.answers = [web.Response(status=503)] * 4
            assert not await weibo.say("王女士", "还是不亮")
            assert len(there.got) == 8

    async def test_duplicates_and_late_ones(self, callback: tuple[Callback, str]) -> None:
        there, url = callback
        async with Weibo(callback=url) as weibo:
            await weibo.say("王女士", "一", times=2)
            await weibo.say("王女士", "二")
            assert await weibo.push_again(2) == [True, True]
            assert [body["text"] for _, body in there.got] == ["一", "一", "二", "二", "一"]

    async def test_a_passive_answer_reaches_the_citizen(self, callback: tuple[Callback, str]) -> None:
        there, url = callback
        async with Weibo(callback=url) as weibo:
            uid = weibo.world.user("王女士").id
            answer = {"result": True, "sender_id": 1902538057, "receiver_id": uid, "type": "text"}
            data = json.dumps({"text": "已受理"}, ensure_ascii=False)
            there.answers = [
                web.json_response(answer | {"data": quote(data)}),
                web.json_response(answer | {"data": data}),
            ]
            await weibo.say("王女士", "一")
            await weibo.say("王女士", "二")
            assert [(one["text"], one["via"]) for one in weibo.messages_sent()] == [("已受理", "passive")]
            assert weibo.bad_answers == ["ValueError: data is not URL-encoded"]


class TestControls:
    async def test_from_another_process_and_over_a_restart(self, tmp_path: Path) -> None:
        state = tmp_path / "weibo.json"
        async with Weibo(state=state) as weibo:
            remote = Remote(weibo.url)
            ids = await asyncio.to_thread(remote.post_mentions, count=3)
        async with Weibo(state=state) as weibo:
            assert [one["id"] for one in (await get(weibo, "statuses/mentions"))["statuses"]] == ids[::-1]

    async def test_people_write_on_the_page_and_see_our_answer(self, weibo: Weibo) -> None:
        form = {"kind": "post", "author": "王<女士>", "text": f"@{weibo.world.us} 路灯不亮"}
        async with weibo.http.post(f"{weibo.url}/say", data=form) as answer:
            assert "王&lt;女士&gt;" in await answer.text()
        (made,) = (await get(weibo, "statuses/mentions"))["statuses"]
        await post(weibo, "comments/create", id=made["id"], comment="已受理，编号 9", rip=RIP)
        async with weibo.http.get(weibo.url) as page:
            assert "已受理，编号 9" in await page.text()
