"""The server: pushes of citizens' messages, the API's routes, a picture host, and the page for people.

May not hold a rule of WeChat's that another module of this folder could.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from aiohttp import web

from tests.simulators import pages, pictures
from tests.simulators.faults import Handler
from tests.simulators.pushing import Push, Pusher
from tests.simulators.server import Simulator
from tests.simulators.wechat.api import Answer, Api, Refused, read_json
from tests.simulators.wechat.crypto import Box
from tests.simulators.wechat.envelope import Envelope, Mode
from tests.simulators.wechat.world import OURS, Message, World

APPID: Final = "wx12345jiesu67890"
SECRET: Final = "wechat-app-secret"
TOKEN: Final = "wechatCallbackToken"
AES_KEY: Final = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
TEMPLATE: Final = "template-progress"


class WeChat(Simulator):
    """`callback`: where messages are pushed to; without it they are only kept."""

    name = "wechat"
    world_type = World
    world: World
    controls: ClassVar[tuple[str, ...]] = (
        "say", "picture", "voice", "location", "link", "event", "push", "push_again", "verify_callback",
        "expire_tokens", "set_callback", "unsubscribe_silently", "stats", "answers", "sent", "openid",
    )  # fmt: skip

    def __init__(
        self,
        *,
        port: int = 0,
        state: Path | None = None,
        callback: str | None = None,
        mode: Mode = "aes",
        token: str = TOKEN,
        aes_key: str = AES_KEY,
        templates: Mapping[str, Sequence[str]] | None = None,
        daily: Mapping[str, int] | None = None,
        unauthorized: Sequence[str] = (),
        patience: float = 5.0,
        pause: float = 0.0,
    ) -> None:
        """`daily`: quota a day of an endpoint's path; `unauthorized`: paths this account may not call; `patience`,
        `pause`: seconds for the answer to a push, and from one try to the next."""
        super().__init__(port=port, state=state)
        self.callback = callback
        self.mode = mode
        self.pushes: list[Push] = []
        self.bad_answers: list[str] = []
        self._keys = (token, aes_key)
        self._patience = (patience, pause)
        templates = {TEMPLATE: ("character_string1", "thing2")} if templates is None else templates
        self._api = Api(self.world, self.clock, (APPID, SECRET), templates, daily or {}, unauthorized)

    def account(self) -> dict[str, str]:
        token, aes_key = self._keys
        given = {"app_id": APPID, "secret": SECRET, "template": TEMPLATE}
        return {"account": OURS, "token": token, "aes_key": aes_key} | given

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        api = self._api
        return [
            web.post("/cgi-bin/stable_token", self._body(lambda body: api.stable_token(read_json(body)))),
            web.get("/cgi-bin/token", self._token),
            web.post("/cgi-bin/message/custom/send", self._body(api.custom, allowed=self._allowed)),
            web.post("/cgi-bin/message/template/send", self._body(api.template, allowed=self._allowed)),
            web.get("/cgi-bin/media/get", self._media),
            web.get("/mmbiz_jpg/{name}", pictures.serve),
            web.get("/", self._page),
            web.post("/say", self._from_page),
        ]

    async def __aenter__(self) -> WeChat:
        await super().__aenter__()
        token, aes_key = self._keys
        self._pusher = Pusher(self.http, *self._patience)
        box = Box(aes_key, APPID)
        self._envelope = Envelope(token, box, self.mode, self.clock.now, self._pusher.nonce)
        return self

    def busy(self, request: web.Request) -> web.Response:
        return _json(Refused(-1).answer)

    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return await (self.spoiled if request.path.startswith("/cgi-bin/") else _straight)(request, handler)

    def set_callback(self, url: str | None) -> None:
        """Where messages are pushed to from now on."""
        self.callback = url

    async def verify_callback(self) -> bool:
        """What "提交" of 服务器配置 does: is the callback ours?"""
        assert self.callback is not None, "no callback"
        answer = await self._pusher.ask(self.callback, self._envelope.query(b"") | {"echostr": "3141592653589793238"})
        return answer.status == 200 and answer.body == b"3141592653589793238"

    async def say(self, author: str, text: str, times: int = 1) -> bool:
        """A text, pushed `times` at once with one MsgId. Taken?"""
        return await self._message(author, "text", {"Content": text}, text, times)

    async def picture(self, author: str, name: str = "1") -> bool:
        """A picture on the picture host, which media/get has too."""
        self.world.media.append(f"media-{name}")
        fields = {"PicUrl": f"{self.url}/mmbiz_jpg/{name}", "MediaId": f"media-{name}"}
        return await self._message(author, "image", fields, "[picture]")

    async def voice(self, author: str, recognition: str = "") -> bool:
        """A voice message, recognised or (since the service was given up for most accounts) not."""
        self.world.media.append("media-voice")
        fields = {
            "MediaId": "media-voice",
            "Format": "amr",
            "MediaId16K": "media-voice-16k",
            "Recognition": recognition,
        }
        return await self._message(author, "voice", fields, recognition or "[voice]")

    async def location(self, author: str, lat: float, long: float, label: str, scale: int = 20) -> bool:
        """A place on the map."""
        fields = {"Location_X": lat, "Location_Y": long, "Scale": scale, "Label": label}
        return await self._message(author, "location", fields, label)

    async def link(self, author: str, title: str, description: str, url: str) -> bool:
        """A shared page."""
        fields = {"Title": title, "Description": description, "Url": url}
        return await self._message(author, "link", fields, title)

    async def event(self, author: str, event: str, key: str = "", **more: Any) -> bool:
        """subscribe, unsubscribe, SCAN, CLICK, VIEW, LOCATION, TEMPLATESENDJOBFINISH … They have no MsgId."""
        follower = self.world.follower(author)
        follower.did(event, self.clock.now())
        return await self.push(self._head(follower.openid, "event") | {"Event": event, "EventKey": key} | more)

    async def push(self, fields: Mapping[str, Any], times: int = 1) -> bool:
        """Any XML, field by field."""
        self.world.pushed.append(dict(fields))
        if self.callback is None:
            return False
        return all(await asyncio.gather(*(self._send(fields) for _ in range(times))))

    async def push_again(self, last: int = 1, backwards: bool = True) -> list[bool]:
        """The last messages once more, signed anew: late, and newest first."""
        again = self.world.pushed[-last:]
        return [await self._send(one) for one in (reversed(again) if backwards else list(again))]

    def openid(self, author: str) -> str:
        return self.world.follower(author).openid

    def unsubscribe_silently(self, author: str) -> None:
        """He is gone, and the event was lost."""
        self.world.follower(author).subscribed = False

    def expire_tokens(self, unknown: bool = False) -> None:
        """All access tokens are over: 42001, or with `unknown` 40001 (somebody else took a new one)."""
        if unknown:
            self.world.tokens.clear()
        for token in self.world.tokens:
            self.world.tokens[token] = self.clock.now()

    def answers(self) -> list[dict[str, Any]]:
        """Passive answers of ours, oldest first."""
        return [one for one in self._ours() if one["via"] == "passive"]

    def sent(self) -> list[dict[str, Any]]:
        """Later answers of ours, oldest first."""
        return [one for one in self._ours() if one["via"] != "passive"]

    def stats(self) -> dict[str, Any]:
        """What was counted."""
        return {
            "asked": self._api.asked,
            "tokens_made": self.world.tokens_made,
            "faults": dict(self.faults.met),
            "pushes": [[one.status or one.error for one in push.tries] for push in self.pushes],
            "bad_answers": self.bad_answers,
            "time": self.clock.now(),
        }

    def _ours(self) -> list[dict[str, Any]]:
        names = {one.openid: one.name for one in self.world.followers.values()}
        ours = [one for one in self.world.messages if one.via != "citizen"]
        return [{"openid": m.openid, "name": names[m.openid], "text": m.text, "via": m.via} for m in ours]

    async def _message(self, author: str, kind: str, fields: Mapping[str, Any], seen: str, times: int = 1) -> bool:
        follower = self.world.follower(author)
        follower.did("message", self.clock.now())
        self.world.messages.append(Message(follower.openid, seen, self.clock.now(), "citizen"))
        head = self._head(follower.openid, kind)
        return await self.push({**head, **fields, "MsgId": self.world.new_msg_id()}, times)

    def _head(self, openid: str, kind: str) -> dict[str, Any]:
        stamp = int(self.clock.now())
        return {"ToUserName": OURS, "FromUserName": openid, "CreateTime": stamp, "MsgType": kind}

    async def _send(self, fields: Mapping[str, Any]) -> bool:
        assert self.callback is not None, "no callback"

        def query(body: bytes) -> dict[str, str]:
            return self._envelope.query(body) | {"openid": str(fields["FromUserName"])}

        push = await self._pusher.send(self.callback, lambda: self._envelope.body(fields), query, "text/xml")
        self.pushes.append(push)
        try:
            answer = self._envelope.read_answer(push.answer)
            if answer is not None:
                if answer["ToUserName"] != fields["FromUserName"]:
                    raise ValueError("an answer to somebody else")
                self.world.messages.append(
                    Message(answer["ToUserName"], answer["Content"], self.clock.now(), "passive")
                )
        except (ValueError, KeyError) as error:
            self.bad_answers.append(f"{type(error).__name__}: {error}")
        return push.taken

    def _allowed(self, request: web.Request) -> None:
        self._api.allow(request.path, request.query)

    def _body(
        self, how: Callable[[bytes], Answer], allowed: Callable[[web.Request], None] = lambda _: None
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.Response:
            try:
                allowed(request)
                return _json(how(await request.read()))
            except Refused as refused:
                return _json(refused.answer)

        return answer

    async def _token(self, request: web.Request) -> web.Response:
        try:
            return _json(self._api.token(request.query))
        except Refused as refused:
            return _json(refused.answer)

    async def _media(self, request: web.Request) -> web.Response:
        try:
            self._api.allow(request.path, request.query)
            name = self._api.media(request.query)
        except Refused as refused:
            return _json(refused.answer)
        headers = {"Content-Disposition": f'attachment; filename="{name}.jpg"'}
        return web.Response(body=pictures.picture(name), content_type="image/jpeg", headers=headers)

    async def _page(self, request: web.Request) -> web.Response:
        names = {one.openid: one.name for one in self.world.followers.values()}
        lines = [
            pages.Line(one.at, names[one.openid], one.text, one.via != "citizen", f"({one.via})")
            for one in self.world.messages[-200:]
        ]
        form = pages.Form("text", "Message to the hotline's account", "小区门口路灯坏了三天", {})
        return pages.page("Simulated WeChat", "A chat of each citizen with the account.", [form], lines)

    async def _from_page(self, request: web.Request) -> web.Response:
        told = await request.post()
        await self.say(str(told.get("author") or "王女士"), str(told.get("text", "")))
        return pages.back()


async def _straight(request: web.Request, handler: Handler) -> web.StreamResponse:
    return await handler(request)


def _json(body: object) -> web.Response:
    return web.Response(body=json.dumps(body, ensure_ascii=False).encode(), content_type="application/json")
