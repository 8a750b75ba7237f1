"""The server: routes, the callback's push, and the page for people. What Weibo knows and allows is in its neighbours.

May not hold a rule of Weibo's that another module of this folder could.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Final

from aiohttp import web
from pydantic import TypeAdapter

from tests.simulators import pages, pictures
from tests.simulators.faults import Handler
from tests.simulators.pushing import Push, Pusher, signature
from tests.simulators.server import Simulator
from tests.simulators.weibo.citizens import Citizens
from tests.simulators.weibo.errors import Refused
from tests.simulators.weibo.gate import Gate, Limits
from tests.simulators.weibo.reading import Reading
from tests.simulators.weibo.watch import Watch
from tests.simulators.weibo.world import OURS, Message, Talk, World, when
from tests.simulators.weibo.writing import Writing

APP_SECRET: Final = "weibo-app-secret"
_FOLLOWS: Final = {"follow": True, "subscribe": True, "unfollow": False, "unsubscribe": False}


class Weibo(Citizens, Simulator):
    """`callback`: where messages are pushed to; without it they are only kept."""

    name = "weibo"
    world_type = World
    world: World
    controls: ClassVar[tuple[str, ...]] = (
        "post", "post_mentions", "post_ours", "comment", "edit", "delete", "delete_comment", "say", "event", "mention",
        "post_late", "show", "push_again", "verify_callback", "expire_token", "new_token", "set_limit", "set_callback",
        "stats", "comments_by_us", "messages_sent",
    )  # fmt: skip

    def __init__(
        self,
        *,
        port: int = 0,
        state: Path | None = None,
        callback: str | None = None,
        app_secret: str = APP_SECRET,
        limits: Limits | Mapping[str, Any] | None = None,
        may_answer_mentions: bool = False,
        patience: float = 5.0,
        pause: float = 0.0,
    ) -> None:
        super().__init__(port=port, state=state)
        self.callback = callback
        self.limits = TypeAdapter(Limits).validate_python(limits or Limits())
        self.gate = Gate(self.world, self.clock, self.limits)
        self.watch = Watch(self.clock, self.limits.user)
        self.pushes: list[Push] = []
        self.bad_answers: list[str] = []
        self._pushed: list[dict[str, Any]] = []
        self._app_secret = app_secret
        self._patience = (patience, pause)
        self._may_answer_mentions = may_answer_mentions

    def account(self) -> dict[str, str]:
        world = self.world
        return {"uid": str(OURS), "name": world.us, "token": world.token, "app_secret": self._app_secret}

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        read = {
            "/2/statuses/mentions.json": "status_mentions",
            "/2/comments/mentions.json": "comment_mentions",
            "/2/comments/to_me.json": "to_me",
            "/2/comments/by_me.json": "by_me",
            "/2/comments/show.json": "comments_show",
            "/2/statuses/show.json": "status",
            "/2/statuses/show_batch.json": "batch",
        }
        write = {
            "/2/comments/create.json": "create",
            "/2/comments/reply.json": "reply",
            "/2/messages/reply.json": "message",
        }
        return [
            *(web.get(path, self._reads(how)) for path, how in read.items()),
            *(web.post(path, self._writes(how)) for path, how in write.items()),
            web.post("/oauth2/get_token_info", self._token_info),
            *(web.get(f"/{size}/{{name}}", pictures.serve) for size in ("thumbnail", "bmiddle", "large")),
            web.get("/", self._page),
            web.post("/say", self._from_page),
        ]

    async def __aenter__(self) -> Weibo:
        await super().__aenter__()
        self._reading = Reading(self.world, self.url)
        self._writing = Writing(
            self.world, self.clock, self.url, self.limits.posting, may_answer_mentions=self._may_answer_mentions
        )
        self._pusher = Pusher(self.http, *self._patience)
        return self

    def busy(self, request: web.Request) -> web.Response:
        return Refused(10001 if self.faults.met.total() % 2 else 10009).answer(request.path)

    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(("/2/", "/oauth2/")):
            return await handler(request)
        return await self.watch.see(request, self._passing(handler))

    def _passing(self, handler: Handler) -> Handler:
        async def passed(request: web.Request) -> web.StreamResponse:
            return await self._pass(request, handler)

        return passed

    async def _pass(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if request.path.startswith("/2/"):
                self.gate.pass_api(request.path, await _token(request))
            return await self.spoiled(request, _explained(handler))
        except Refused as refused:
            return refused.answer(request.path)

    def set_callback(self, url: str | None) -> None:
        """Where messages are pushed to from now on."""
        self.callback = url

    async def verify_callback(self) -> bool:
        """What the operator's "提交" does: is the callback ours?"""
        assert self.callback is not None, "no callback"
        asked = self._signed(b"") | {"echostr": "dnPdpTZz85"}
        answer = await self._pusher.ask(self.callback, asked)
        return answer.status == 200 and answer.body == b"dnPdpTZz85"

    async def say(
        self, author: str, text: str, kind: str = "text", data: Mapping[str, Any] | None = None, times: int = 1
    ) -> bool:
        """A private message to us, pushed `times` at once (a retry that crossed our answer). Taken?"""
        sender = self.world.user(author).id
        self._talk(sender).said = self.clock.now()
        self.world.messages.append(Message(sender, OURS, kind, text, self.clock.now(), "citizen"))
        return await self._push(sender, kind, text, data or {}, times)

    async def event(self, author: str, subtype: str, text: str = "事件消息", **data: Any) -> bool:
        """follow, unfollow, subscribe, unsubscribe, click, scan_follow …"""
        sender = self.world.user(author).id
        talk = self._talk(sender)
        talk.follows = _FOLLOWS.get(subtype, talk.follows)
        talk.said = self.clock.now()
        return await self._push(sender, "event", text, {"subtype": subtype, **data})

    async def mention(self, author: str, key: int, text: str, subtype: str = "status") -> bool:
        """The push of a mention: `key` is the post (or with subtype `comment` the comment) that names us."""
        sender = self.world.user(author).id
        self._talk(sender).mentioned = self.clock.now()
        return await self._push(sender, "mention", text, {"subtype": subtype, "key": str(key)})

    async def push_again(self, last: int = 1, backwards: bool = True) -> list[bool]:
        """The last messages once more, signed anew: late, and newest first."""
        again = self._pushed[-last:]
        return [await self._send(one) for one in (reversed(again) if backwards else list(again))]

    def stats(self) -> dict[str, Any]:
        """What was counted."""
        return {
            "calls": self.gate.counts(),
            "polls": self.watch.counts(),
            "faults": dict(self.faults.met),
            "pushes": [[one.status or one.error for one in push.tries] for push in self.pushes],
            "bad_answers": self.bad_answers,
            "token": self.world.token,
            "time": self.clock.now(),
            "posts": len(self.world.posts),
            "mentions": len(self.world.mentions),
            "limits": asdict(self.limits),
        }

    def _talk(self, uid: int) -> Talk:
        return self.world.talks.setdefault(uid, Talk())

    async def _push(self, sender: int, kind: str, text: str, data: Mapping[str, Any], times: int = 1) -> bool:
        message = {
            "type": kind,
            "receiver_id": OURS,
            "sender_id": sender,
            "created_at": when(self.clock.now()),
            "text": text,
            "data": dict(data),
        }
        self._pushed.append(message)
        if self.callback is None:
            return False
        return all(await asyncio.gather(*(self._send(message) for _ in range(times))))

    async def _send(self, message: Mapping[str, Any]) -> bool:
        assert self.callback is not None, "no callback"
        body = json.dumps(message, ensure_ascii=False).encode()
        push = await self._pusher.send(self.callback, lambda: body, self._signed, "application/json")
        self.pushes.append(push)
        if push.answer.strip():
            try:
                self._writing.passive(push.answer)
            except (ValueError, KeyError, TypeError) as error:
                self.bad_answers.append(f"{type(error).__name__}: {error}")
        return push.taken

    def _signed(self, body: bytes) -> dict[str, str]:
        """Of the callback's query; the body is not in it (STANDARDS 5.1)."""
        stamp, nonce = str(int(self.clock.now() * 1000)), self._pusher.nonce()
        return {"signature": signature(self._app_secret, stamp, nonce), "timestamp": stamp, "nonce": nonce}

    def _reads(self, how: str) -> Handler:
        async def read(request: web.Request) -> web.Response:
            return _json(getattr(self._reading, how)(dict(request.query)))

        return read

    def _writes(self, how: str) -> Handler:
        async def write(request: web.Request) -> web.Response:
            return _json(getattr(self._writing, how)(dict(request.query) | await _form(request)))

        return write

    async def _token_info(self, request: web.Request) -> web.Response:
        return _json(self.gate.pass_oauth(await _token(request)))

    async def _page(self, request: web.Request) -> web.Response:
        world = self.world
        latest = list(world.posts.values())[-50:]
        choice = {str(one.id): one.text[:30] for one in reversed(latest)}
        forms = [
            pages.Form("post", "Post about the hotline", f"@{world.us} 小区门口路灯坏了三天", {}),
            pages.Form("message", "Private message to the hotline", "我想反映噪音扰民", {}),
            *([pages.Form("comment", "Comment on a post", "我也是", choice)] if choice else []),
        ]
        name = {uid: user.screen_name for uid, user in world.users.items()}
        lines = [
            *(pages.Line(p.created, name[p.uid], p.text, p.uid == OURS, "posts") for p in latest),
            *(
                pages.Line(c.created, name[c.uid], c.text, c.uid == OURS, f"below: {world.posts[c.post].text[:20]}")
                for c in list(world.comments.values())[-100:]
            ),
            *(
                pages.Line(m.at, name[m.sender], m.text, m.sender == OURS, f"writes privately to {name[m.receiver]}")
                for m in world.messages[-100:]
            ),
        ]
        return pages.page("Simulated Weibo", f"The hotline's account is @{world.us}.", forms, lines)

    async def _from_page(self, request: web.Request) -> web.Response:
        told = await _form(request)
        author, text = told.get("author") or "王女士", told.get("text", "")
        match told.get("kind"):
            case "message":
                await self.say(author, text)
            case "comment":
                self.comment(author, int(told["to"]), text)
            case _:
                self.post(author, text)
        return pages.back()


def _explained(handler: Handler) -> Handler:
    async def explained(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as refused:
            return refused.answer(request.path)

    return explained


async def _form(request: web.Request) -> dict[str, str]:
    return {key: value for key, value in (await request.post()).items() if isinstance(value, str)}


async def _token(request: web.Request) -> str | None:
    """In the query, the form, or `Authorization: OAuth2 …`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme == "OAuth2":
        return token
    told = request.query.get("access_token")
    return told or (await _form(request)).get("access_token") if request.method == "POST" else told


def _json(body: object) -> web.Response:
    return web.Response(body=json.dumps(body, ensure_ascii=False).encode(), content_type="application/json")
