"""The server: routes with tokens and limits before them, what citizens do, and the page for people.

May not hold a rule of X's that another module of this folder could.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web

from tests.simulators import pages, pictures
from tests.simulators.clocks import Limit
from tests.simulators.faults import Handler
from tests.simulators.server import Simulator
from tests.simulators.x.api import Api, Object, Problem
from tests.simulators.x.auth import Keys
from tests.simulators.x.rules import Windows
from tests.simulators.x.world import OURS, Post, World


class X(Simulator):
    """`keys` are what an app needs to be let in."""

    name = "x"
    world_type = World
    world: World
    controls: ClassVar[tuple[str, ...]] = (
        "post", "post_mentions", "edit", "delete", "protect", "revoke", "set_limit", "stats", "posts_by_us",
    )  # fmt: skip

    def __init__(self, *, port: int = 0, state: Path | None = None) -> None:
        super().__init__(port=port, state=state)
        self.keys = Keys()
        self.windows = Windows(self.clock)

    def account(self) -> dict[str, str]:
        names = ("bearer", "consumer_key", "consumer_secret", "access_token", "access_token_secret")
        keys = {name: str(getattr(self.keys, name)) for name in names}
        return {"user_id": OURS, "username": self.world.us} | keys

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/2/users/me", self._answers("GET me", lambda request, _: self._api.me(request.query))),
            web.get(
                "/2/users/{id}/mentions",
                self._answers("GET mentions", lambda r, _: self._api.mentions(r.match_info["id"], r.query)),
            ),
            web.get(
                "/2/users/{id}/tweets",
                self._answers("GET posts", lambda r, _: self._api.posts(r.match_info["id"], r.query)),
            ),
            web.get(
                "/2/tweets/{id}", self._answers("GET tweet", lambda r, _: self._api.tweet(r.match_info["id"], r.query))
            ),
            web.post("/2/tweets", self._answers("POST tweets", lambda _, body: self._api.create(body))),
            web.get("/media/{name}", pictures.serve),
            web.get("/", self._page),
            web.post("/say", self._from_page),
        ]

    async def __aenter__(self) -> X:
        await super().__aenter__()
        self._api = Api(self.world, self.clock, self.url)
        return self

    def busy(self, request: web.Request) -> web.Response:
        return _json({"title": "Service Unavailable", "detail": "Service Unavailable", "type": "about:blank"}, 503)

    def post(
        self,
        author: str,
        text: str,
        pictures: Sequence[str] = (),
        replied_to: str | None = None,
        quoted: str | None = None,
        place: str | None = None,
        lat: float | None = None,
        long: float | None = None,
        ago: float = 0.0,
    ) -> str:
        """A post; a mention when it says @ and our name. Pictures and place by name."""
        world = self.world
        made = world.new_id()
        parent = world.posts.get(replied_to or "")
        if place:
            world.places[_place_id(place)] = place
        point = None if lat is None or long is None else (long, lat)
        media = [f"3_{name}" for name in pictures]
        root = parent.conversation if parent else made
        where = _place_id(place) if place else None
        written = self.clock.now() - ago
        uid = OURS if author == world.us else world.user(author).id
        return world.add(Post(made, uid, text, written, root, replied_to, quoted, media, where, point)).id

    def post_mentions(self, count: int, authors: int = 10, text: str = "{n}号楼的路灯不亮了") -> list[str]:
        """So many posts of so many citizens at once; {n} is the number of the post."""
        there = len(self.world.posts)
        said = f"@{self.world.us} {text}"
        return [self.post(f"citizen_{n % authors}", said.replace("{n}", str(n))) for n in range(there, there + count)]

    def edit(self, post: str, text: str) -> str:
        """An edit is a new post with the ids of the earlier ones in its history; lists show the newest only."""
        world = self.world
        old = world.posts[post]
        new = Post(
            world.new_id(), old.author, text, old.created, old.conversation, old.replied_to, old.quoted, old.media,
            old.place, old.point, [*old.history, old.id],
        )  # fmt: skip
        if post in world.mentions:
            world.mentions.remove(post)
        return world.add(new).id

    def delete(self, post: str) -> None:
        self.world.posts[post].gone = True

    def protect(self, author: str, protected: bool = True) -> None:
        """His posts cannot be seen any more."""
        self.world.user(author).protected = protected

    def revoke(self, revoked: bool = True) -> None:
        """Every token and key answers 401, or does again what it did."""
        self.keys.revoked = revoked

    def set_limit(self, endpoint: str, context: str, calls: int, seconds: float) -> None:
        """`GET mentions`, `POST tweets` …; `app` or `user`."""
        self.windows.limits[endpoint, context] = Limit(calls, seconds)
        self.windows.open.pop((endpoint, context), None)

    def posts_by_us(self) -> list[dict[str, Any]]:
        """Oldest first."""
        ours = [self.world.posts[one] for one in self.world.ours]
        return [{"id": one.id, "text": one.text, "replied_to": one.replied_to} for one in ours]

    def stats(self) -> dict[str, Any]:
        """What was counted."""
        return {
            "calls": {
                f"{endpoint} ({context})": {"asked": window.asked, "refused": window.refused}
                for (endpoint, context), window in self.windows.open.items()
            },
            "faults": dict(self.faults.met),
            "posts": len(self.world.posts),
            "mentions": len(self.world.mentions),
            "time": self.clock.now(),
        }

    def _answers(self, endpoint: str, how: Callable[[web.Request, bytes], Object]) -> Handler:
        async def handled(request: web.Request) -> web.Response:
            status = 201 if request.method == "POST" else 200
            return _json(how(request, await request.read()), status)

        async def answer(request: web.Request) -> web.StreamResponse:
            headers: dict[str, str] = {}
            try:
                self._let_in(request, endpoint, headers)
                given = await self.spoiled(request, _explained(handled))
            except Problem as problem:
                given = _json(problem.body, problem.status)
            given.headers.update(headers)
            return given

        return answer

    def _let_in(self, request: web.Request, endpoint: str, headers: dict[str, str]) -> None:
        """Raises Problem; says in `headers` what is left."""
        context = self.keys.context(request)
        if context is None:
            raise Problem(401, "Unauthorized", "Unauthorized")
        if context == "app" and endpoint in ("POST tweets", "GET me"):
            kind = "https://api.twitter.com/2/problems/unsupported-authentication"
            detail = "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint."
            raise Problem(403, "Unsupported Authentication", detail, kind)
        window = self.windows.of(endpoint, context)
        within = window.take()
        headers.update(window.headers)
        if not within or (endpoint == "POST tweets" and not self.windows.of(endpoint, "all").take()):
            raise Problem(429, "Too Many Requests", "Too Many Requests")

    async def _page(self, request: web.Request) -> web.Response:
        world = self.world
        latest = list(world.posts.values())[-100:]
        choice = {"": "(nobody)"} | {one.id: one.text[:30] for one in reversed(latest)}
        form = pages.Form("post", "Post", f"@{world.us} 小区门口路灯坏了三天", choice)
        lines = [
            pages.Line(
                one.created, f"@{world.users[one.author].username}", one.text, one.author == OURS,
                f"answers: {world.posts[one.replied_to].text[:20]}" if one.replied_to in world.posts else "",
            )
            for one in latest
        ]  # fmt: skip
        return pages.page("Simulated X", f"The hotline's account is @{world.us}.", [form], lines)

    async def _from_page(self, request: web.Request) -> web.Response:
        told = await request.post()
        self.post(
            str(told.get("author") or "wang"), str(told.get("text", "")), replied_to=str(told.get("to") or "") or None
        )
        return pages.back()


def _explained(handler: Handler) -> Handler:
    async def explained(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Problem as problem:
            return _json(problem.body, problem.status)

    return explained


def _place_id(place: str) -> str:
    return place.encode().hex()[:16]


def _json(body: object, status: int = 200) -> web.Response:
    text = json.dumps(body, ensure_ascii=False).encode()
    return web.Response(status=status, body=text, content_type="application/json")
