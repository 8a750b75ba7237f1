"""The simulated WeChat keeps to STANDARDS 5.3 and the developers' documentation. A tool; what it promises is here."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from tests.simulators.clocks import HOUR
from tests.simulators.pushing import signature
from tests.simulators.wechat import WeChat
from tests.simulators.wechat.crypto import Box
from tests.simulators.wechat.envelope import fields_of, xml_of
from tests.simulators.wechat.platform import AES_KEY, APPID, SECRET, TEMPLATE, TOKEN
from tests.simulators.wechat.world import OURS

CUSTOM = "message/custom/send"


def test_a_push_is_signed_as_the_reference_vector() -> None:
    assert signature("AAAAA", "1714036504", "1514711492") == "f464b24fc39322e44b38aa78f5edd27bd1441696"


def test_a_sealed_message_opens_with_its_appid_only() -> None:
    sealed = Box(AES_KEY, APPID).seal(b"<xml/>")
    assert len(base64.b64decode(sealed)) % 32 == 0
    assert Box(AES_KEY, APPID).open(sealed) == b"<xml/>"
    with pytest.raises(ValueError, match="appid"):
        Box(AES_KEY, "wx-other").open(sealed)


class Callback:
    """An account's server: what it got, and how it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[dict[str, str], bytes], web.Response] = lambda query, body: web.Response(text="success")
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.Response(text=request.query["echostr"])
        body = await request.read()
        self.got.append((dict(request.query), body))
        return self.answer(dict(request.query), body)


@pytest.fixture
async def callback() -> AsyncIterator[Callback]:
    there = Callback()
    app = web.Application()
    app.router.add_route("*", "/wechat", there.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there.url = f"http://127.0.0.1:{runner.addresses[0][1]}/wechat"
    yield there
    await runner.cleanup()


def passive(to: str, text: str) -> bytes:
    stamp = int(time.time())
    return xml_of({"ToUserName": to, "FromUserName": OURS, "CreateTime": stamp, "MsgType": "text", "Content": text})


class TestPush:
    async def test_plain(self, callback: Callback) -> None:
        async with WeChat(callback=callback.url, mode="plain") as wechat:
            assert await wechat.verify_callback()
            callback.answer = lambda query, body: web.Response(body=passive(fields_of(body)["FromUserName"], "已受理"))
            assert await wechat.say("王女士", "路灯不亮")
            ((query, body),) = callback.got
            assert query["signature"] == signature(TOKEN, query["timestamp"], query["nonce"])
            assert "encrypt_type" not in query
            told = fields_of(body)
            assert (told["MsgType"], told["Content"], told["ToUserName"]) == ("text", "路灯不亮", OURS)
            assert b"<![CDATA[" in body
            assert [one["text"] for one in wechat.answers()] == ["已受理"]

    async def test_sealed_with_the_answer_s_signature_checked(self, callback: Callback) -> None:
        box = Box(AES_KEY, APPID)

        def sealed(query: dict[str, str], body: bytes) -> web.Response:
            outer = fields_of(body)
            assert query["msg_signature"] == signature(TOKEN, query["timestamp"], query["nonce"], outer["Encrypt"])
            told = fields_of(box.open(outer["Encrypt"]))
            encrypt = box.seal(passive(told["FromUserName"], "已受理"))
            right = signature(TOKEN, "1", "2", encrypt) if told["Content"] == "一" else "0" * 40
            answer = {"Encrypt": encrypt, "MsgSignature": right, "TimeStamp": 1, "Nonce": "2"}
            return web.Response(body=xml_of(answer))

        callback.answer = sealed
        async with WeChat(callback=callback.url, mode="aes") as wechat:
            await wechat.say("王女士", "一")
            await wechat.say("王女士", "二")
            assert [one["text"] for one in wechat.answers()] == ["已受理"]
            assert wechat.bad_answers == ["ValueError: MsgSignature"]

    async def test_both_at_once(self, callback: Callback) -> None:
        async with WeChat(callback=callback.url, mode="both") as wechat:
            await wechat.say("王女士", "一")
            told = fields_of(callback.got[0][1])
            assert told["Content"] == "一"
            assert b"<Content>" in Box(AES_KEY, APPID).open(told["Encrypt"])

    async def test_three_more_tries_with_the_same_msg_id(self, callback: Callback) -> None:
        callback.answer = lambda query, body: web.Response(status=500)
        async with WeChat(callback=callback.url, mode="plain") as wechat:
            assert not await wechat.say("王女士", "一")
            assert len(callback.got) == 4
            assert len({fields_of(body)["MsgId"] for _, body in callback.got}) == 1

    async def test_every_kind(self, callback: Callback) -> None:
        async with WeChat(callback=callback.url, mode="plain") as wechat:
            await wechat.picture("王女士", "lamp")
            await wechat.voice("王女士", "路灯不亮")
            await wechat.location("王女士", 39.9, 116.4, "东城区")
            await wechat.link("王女士", "新闻", "路灯", "http://example.com/1")
            await wechat.event("王女士", "subscribe")
            kinds = [fields_of(body) for _, body in callback.got]
            assert [one["MsgType"] for one in kinds] == ["image", "voice", "location", "link", "event"]
            assert (kinds[2]["Location_X"], kinds[2]["Location_Y"]) == ("39.9", "116.4")
            assert "MsgId" not in kinds[4]
            async with wechat.http.get(kinds[0]["PicUrl"]) as picture:
                assert (await picture.read())[:2] == b"\xff\xd8"


@pytest.fixture
async def wechat() -> AsyncIterator[WeChat]:
    async with WeChat(daily={"/cgi-bin/message/template/send": 1}) as simulator:
        yield simulator


async def token(wechat: WeChat, **more: Any) -> str:
    asked = {"grant_type": "client_credential", "appid": APPID, "secret": SECRET, **more}
    async with wechat.http.post(f"{wechat.url}/cgi-bin/stable_token", json=asked) as answer:
        return str((await answer.json())["access_token"])


async def call(wechat: WeChat, path: str, access: str | None, told: Any) -> int:
    params = {"access_token": access} if access else {}
    body = told if isinstance(told, bytes) else json.dumps(told, ensure_ascii=False).encode()
    async with wechat.http.post(f"{wechat.url}/cgi-bin/{path}", params=params, data=body) as answer:
        assert answer.status == 200
        return int((await answer.json())["errcode"])


def text(openid: str, content: str = "已办结") -> dict[str, Any]:
    return {"touser": openid, "msgtype": "text", "text": {"content": content}}


class TestTokens:
    async def test_a_stable_token_stays_until_it_is_forced(self, wechat: WeChat) -> None:
        first = await token(wechat)
        assert await token(wechat) == first
        second = await token(wechat, force_refresh=True)
        await wechat.say("王女士", "一")
        openid = wechat.openid("王女士")
        assert await call(wechat, CUSTOM, first, text(openid)) == 40001
        assert await call(wechat, CUSTOM, second, text(openid)) == 0
        assert await call(wechat, CUSTOM, None, text(openid)) == 41001
        wechat.expire_tokens()
        assert await call(wechat, CUSTOM, second, text(openid)) == 42001

    async def test_the_wrong_secret(self, wechat: WeChat) -> None:
        async with wechat.http.post(
            f"{wechat.url}/cgi-bin/stable_token", json={"appid": APPID, "secret": "?"}
        ) as answer:
            assert (await answer.json())["errcode"] == 40125


class TestLaterAnswers:
    async def test_five_within_48_hours_of_a_message(self, wechat: WeChat) -> None:
        access, openid = await token(wechat), wechat.openid("王女士")
        assert await call(wechat, CUSTOM, access, text(openid)) == 45015
        await wechat.say("王女士", "路灯不亮")
        assert [await call(wechat, CUSTOM, access, text(openid)) for _ in range(6)] == [0, 0, 0, 0, 0, 45047]
        await wechat.say("王女士", "还是不亮")
        wechat.advance(48 * HOUR + 1)
        assert await call(wechat, CUSTOM, await token(wechat), text(openid)) == 45015

    async def test_following_allows_three_for_a_minute(self, wechat: WeChat) -> None:
        access, openid = await token(wechat), wechat.openid("王女士")
        await wechat.event("王女士", "subscribe")
        assert [await call(wechat, CUSTOM, access, text(openid)) for _ in range(4)] == [0, 0, 0, 45047]
        await wechat.event("王女士", "subscribe")
        wechat.advance(61)
        assert await call(wechat, CUSTOM, access, text(openid)) == 45015

    async def test_what_is_refused(self, wechat: WeChat) -> None:
        access, openid = await token(wechat), wechat.openid("王女士")
        await wechat.say("王女士", "路灯不亮")
        assert await call(wechat, CUSTOM, access, text("nobody")) == 40003
        assert await call(wechat, CUSTOM, access, text(openid, "好" * 683)) == 45002
        assert await call(wechat, CUSTOM, access, text(openid, "")) == 44004
        assert await call(wechat, CUSTOM, access, b"{") == 47001
        wechat.set_faults(next=["busy", "busy after"])
        assert [await call(wechat, CUSTOM, access, text(openid)) for _ in range(2)] == [-1, -1]
        assert len(wechat.sent()) == 1

    async def test_json_escapes_are_shown_as_they_stand(self, wechat: WeChat) -> None:
        access, openid = await token(wechat), wechat.openid("王女士")
        await wechat.say("王女士", "路灯不亮")
        await call(wechat, CUSTOM, access, json.dumps(text(openid, "好")).encode())
        assert wechat.sent()[0]["text"] == "\\u597d"

    async def test_templates(self, wechat: WeChat) -> None:
        access, openid = await token(wechat), wechat.openid("王女士")
        data = {"character_string1": {"value": "1"}, "thing2": {"value": "已办结"}}
        told = {"touser": openid, "template_id": TEMPLATE, "data": data}
        assert await call(wechat, "message/template/send", access, told) == 0
        assert wechat.sent()[0]["via"] == "template"
        assert await call(wechat, "message/template/send", access, told) == 45009
        wechat.advance(24 * HOUR)
        access = await token(wechat)
        wechat.unsubscribe_silently("王女士")
        assert await call(wechat, "message/template/send", access, told) == 43004

    async def test_a_template_that_is_not_ours_and_one_without_its_words(self) -> None:
        async with WeChat(unauthorized=[f"/cgi-bin/{CUSTOM}"]) as wechat:
            access, openid = await token(wechat), wechat.openid("王女士")
            told: dict[str, Any] = {"touser": openid, "template_id": "other", "data": {}}
            assert await call(wechat, "message/template/send", access, told) == 40037
            assert await call(wechat, "message/template/send", access, told | {"template_id": TEMPLATE}) == 47003
            assert await call(wechat, CUSTOM, access, text(openid)) == 48001

    async def test_media(self, wechat: WeChat) -> None:
        access = await token(wechat)
        await wechat.picture("王女士", "lamp")
        where = f"{wechat.url}/cgi-bin/media/get"
        async with wechat.http.get(where, params={"access_token": access, "media_id": "media-lamp"}) as answer:
            assert (await answer.read())[:2] == b"\xff\xd8"
        async with wechat.http.get(where, params={"access_token": access, "media_id": "?"}) as answer:
            assert (await answer.json())["errcode"] == 40007
