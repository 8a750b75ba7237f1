"""The simulated X keeps to STANDARDS 5.2, and tweepy can talk to it. A tool; what it promises is here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import tweepy
from tweepy.asynchronous import AsyncClient

from tests.simulators.clocks import Limit
from tests.simulators.x import X, towards
from tests.simulators.x.rules import QUARTER, weight
from tests.simulators.x.world import OURS


@pytest.fixture
async def x() -> AsyncIterator[X]:
    async with X() as simulator:
        yield simulator


@pytest.fixture
async def client(x: X) -> AsyncIterator[AsyncClient]:
    keys = x.keys
    there = AsyncClient(
        keys.bearer, keys.consumer_key, keys.consumer_secret, keys.access_token, keys.access_token_secret
    )
    async with towards(x.url) as there.session:
        yield there


async def get(x: X, path: str, **query: Any) -> tuple[int, dict[str, Any], dict[str, str]]:
    headers = {"Authorization": f"Bearer {x.keys.bearer}"}
    async with x.http.get(f"{x.url}/2/{path}", params=query, headers=headers) as answer:
        return answer.status, await answer.json(), dict(answer.headers)


async def post(x: X, text: str, reply_to: str | None = None) -> int:
    headers = {"Authorization": f"Bearer {x.keys.user_bearer}"}
    told = {"text": text} | ({"reply": {"in_reply_to_tweet_id": reply_to}} if reply_to else {})
    async with x.http.post(f"{x.url}/2/tweets", json=told, headers=headers) as answer:
        return answer.status


class TestMentions:
    async def test_newest_first_page_by_page_back_to_since_id(self, x: X) -> None:
        ids = x.post_mentions(12)
        where = f"users/{OURS}/mentions"
        _, first, _ = await get(x, where, max_results=5, since_id=ids[2])
        assert [one["id"] for one in first["data"]] == ids[:6:-1]
        meta = first["meta"]
        assert (meta["newest_id"], meta["oldest_id"], meta["result_count"]) == (ids[11], ids[7], 5)
        _, last, _ = await get(x, where, max_results=5, since_id=ids[2], pagination_token=meta["next_token"])
        assert [one["id"] for one in last["data"]] == ids[6:2:-1]
        assert "next_token" not in last["meta"]
        _, none, _ = await get(x, where, since_id=ids[11])
        assert none == {"meta": {"result_count": 0}}

    async def test_only_the_newest_800_can_be_reached(self, x: X) -> None:
        ids = x.post_mentions(850)
        reached: list[str] = []
        query: dict[str, Any] = {"max_results": 100}
        while query:
            _, page, _ = await get(x, f"users/{OURS}/mentions", **query)
            reached += [one["id"] for one in page["data"]]
            token = page["meta"].get("next_token")
            query = {"max_results": 100, "pagination_token": token} if token else {}
        assert reached == ids[:49:-1]

    @pytest.mark.parametrize("query", [{"max_results": 4}, {"max_results": 101}, {"since_id": "x"}, {"fields": "id"}])
    async def test_a_wrong_parameter(self, x: X, query: dict[str, Any]) -> None:
        status, body, _ = await get(x, f"users/{OURS}/mentions", **query)
        assert (status, body["title"]) == (400, "Invalid Request")

    async def test_only_what_was_asked_for(self, x: X) -> None:
        long = f"@{x.world.us} " + "路灯坏了" * 100
        x.post("wang", long, pictures=["lamp"], place="北京东城", lat=39.9, long=116.4)
        _, bare, _ = await get(x, f"users/{OURS}/mentions")
        assert set(bare) == {"data", "meta"}
        assert set(bare["data"][0]) == {"id", "text", "edit_history_tweet_ids"}
        _, full, _ = await get(
            x, f"users/{OURS}/mentions",
            **{
                "tweet.fields": "author_id,created_at,geo,note_tweet,attachments", "media.fields": "url",
                "expansions": "author_id,attachments.media_keys,geo.place_id",
            },
        )  # fmt: skip
        (data,) = full["data"]
        assert data["note_tweet"]["text"] == long
        assert len(data["text"]) < len(long)
        assert data["geo"]["coordinates"]["coordinates"] == [116.4, 39.9]
        includes = full["includes"]
        assert set(includes["users"][0]) == {"id", "name", "username"}
        assert includes["places"][0]["full_name"] == "北京东城"
        async with x.http.get(includes["media"][0]["url"]) as picture:
            assert (await picture.read())[:2] == b"\xff\xd8"

    async def test_what_a_post_refers_to_may_be_out_of_sight(self, x: X) -> None:
        gone, private = x.post("li", "停水了"), x.post("zhang", "停电了")
        x.post("wang", f"@{x.world.us} 看看", replied_to=gone, quoted=private)
        x.delete(gone)
        x.protect("zhang")
        status, body, _ = await get(x, f"users/{OURS}/mentions", expansions="referenced_tweets.id")
        assert status == 200
        assert [error["title"] for error in body["errors"]] == ["Not Found Error", "Authorization Error"]
        _, single, _ = await get(x, f"tweets/{gone}")
        assert set(single) == {"errors"}

    async def test_an_edit_is_a_new_post_that_names_the_old_one(self, x: X) -> None:
        (old,) = x.post_mentions(1)
        new = x.edit(old, f"@{x.world.us} 六号楼")
        _, body, _ = await get(x, f"users/{OURS}/mentions")
        assert [(one["id"], one["edit_history_tweet_ids"]) for one in body["data"]] == [(new, [old, new])]


class TestPosting:
    async def test_only_to_who_mentioned_us(self, x: X) -> None:
        mention, other = x.post("wang", f"@{x.world.us} 路灯不亮"), x.post("li", "停水了")
        assert await post(x, "已受理 1", mention) == 201
        assert await post(x, "已受理 2", other) == 403
        assert await post(x, "已受理 1", mention) == 403
        x.delete(mention)
        assert await post(x, "已受理 3", mention) == 403
        assert [(one["text"], one["replied_to"]) for one in x.posts_by_us()] == [("已受理 1", mention)]

    async def test_280_by_weight(self, x: X) -> None:
        link = "https://12345.example/t/1234567890123 好"
        assert [weight(one) for one in ("a" * 280, "好" * 140, link, "👩‍👩‍👧")] == [280, 280, 26, 2]
        assert await post(x, "好" * 140) == 201
        assert await post(x, "好" * 140 + "a") == 403


class TestLimits:
    async def test_a_window_closes_without_retry_after(self, x: X) -> None:
        x.set_limit("GET mentions", "app", 2, QUARTER)
        left = [(await get(x, f"users/{OURS}/mentions"))[2]["x-rate-limit-remaining"] for _ in range(2)]
        status, body, headers = await get(x, f"users/{OURS}/mentions")
        assert (left, status, body["title"]) == (["1", "0"], 429, "Too Many Requests")
        assert 0 < int(headers["x-rate-limit-reset"]) - x.clock.now() <= QUARTER + 1
        assert "Retry-After" not in headers
        x.advance(QUARTER)
        assert (await get(x, f"users/{OURS}/mentions"))[0] == 200

    async def test_posts_of_a_day(self, x: X) -> None:
        x.windows.limits["POST tweets", "all"] = Limit(1, 86_400)
        assert [await post(x, "一"), await post(x, "二")] == [201, 429]

    async def test_an_app_alone_neither_posts_nor_is_somebody(self, x: X) -> None:
        assert (await get(x, "users/me"))[0] == 403
        x.revoke()
        assert (await get(x, f"users/{OURS}/mentions"))[0] == 401


class TestTweepy:
    async def test_reads_and_writes_with_checked_signatures(self, x: X, client: AsyncClient) -> None:
        (mention,) = x.post_mentions(1)
        assert (await client.get_me()).data.id == int(OURS)
        found = await client.get_users_mentions(
            OURS, max_results=5, expansions=["author_id"], tweet_fields=["created_at"]
        )
        assert [str(one.id) for one in found.data] == [mention]
        signed = await client.get_users_mentions(
            OURS, start_time="2020-01-01T00:00:00Z", expansions=["author_id"], user_auth=True
        )
        assert found.includes["users"][0].username == signed.includes["users"][0].username == "citizen_0"
        await client.create_tweet(text="已受理 1", in_reply_to_tweet_id=mention)
        assert x.posts_by_us()[0]["replied_to"] == mention

    async def test_a_wrong_signature_is_nobody_s(self, x: X, client: AsyncClient) -> None:
        client.access_token_secret = "wrong"
        with pytest.raises(tweepy.Unauthorized):
            await client.create_tweet(text="好")

    async def test_bad_days_as_tweepy_sees_them(self, x: X, client: AsyncClient) -> None:
        (mention,) = x.post_mentions(1)
        x.set_faults(next=["html", "busy", "reset", "reset after"])
        with pytest.raises(aiohttp.ContentTypeError):
            await client.get_users_mentions(OURS)
        with pytest.raises(tweepy.TwitterServerError):
            await client.get_users_mentions(OURS)
        for text in ("一", "二"):
            with pytest.raises(aiohttp.ClientError):
                await client.create_tweet(text=text, in_reply_to_tweet_id=mention)
        assert [one["text"] for one in x.posts_by_us()] == ["二"]
