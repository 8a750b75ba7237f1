"""What citizens do on Weibo, and what a test asks afterwards: every method is a control too.

May not send or answer anything.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from typing import Any, Protocol

from tests.simulators.clocks import Clock, Limit, Meter
from tests.simulators.weibo.gate import TOKEN_LIFE, Gate
from tests.simulators.weibo.watch import Watch
from tests.simulators.weibo.world import OURS, Comment, Gone, Post, World


class _Place(Protocol):
    world: World
    clock: Clock
    gate: Gate
    watch: Watch


class Citizens:
    """Mixed into the simulator. Ids come and go as numbers; authors are named, and exist as soon as they are."""

    def post(
        self: _Place,
        author: str,
        text: str,
        pictures: Sequence[str] = (),
        lat: float | None = None,
        long: float | None = None,
        original: int | None = None,
        ago: float = 0.0,
        gone: Gone = "",
    ) -> int:
        """A post, or with `original` a repost; `gone`: deleted before anybody saw it. It is a mention when it says @
        and our name."""
        uid = self.world.user(author).id
        made = self.clock.now() - ago
        post = Post(self.world.new_id(), uid, text, made, list(pictures), lat, long, original, gone=gone)
        return self.world.add_post(post).id

    def post_late(self: _Place, author: str, text: str) -> int:
        """A mention that Weibo looks at for a while before it lists it (`show`), below newer ones."""
        uid = self.world.user(author).id
        post = Post(self.world.new_id(), uid, f"@{self.world.us} {text}", self.clock.now())
        self.world.posts[post.id] = post
        return post.id

    def show(self: _Place, post: int) -> None:
        """It is listed from now on, at its place."""
        insort(self.world.mentions, post)

    def post_mentions(self: _Place, count: int, authors: int = 10, text: str = "{n}号楼的路灯不亮了") -> list[int]:
        """So many posts of so many citizens at once; {n} is the number of the post."""
        world, now = self.world, self.clock.now()
        made = []
        for n in range(len(world.posts), len(world.posts) + count):
            uid = world.user(f"市民{n % authors}").id
            said = f"@{world.us} {text.replace('{n}', str(n))}"
            made.append(world.add_post(Post(world.new_id(), uid, said, now)).id)
        return made

    def post_ours(self: _Place, text: str) -> int:
        """A post of our own account, under which citizens can comment."""
        return self.world.add_post(Post(self.world.new_id(), OURS, text, self.clock.now())).id

    def comment(self: _Place, author: str, post: int, text: str, answers: int | None = None) -> int:
        """A comment under a post, or with `answers` an answer to a comment."""
        assert post in self.world.posts, f"no such post: {post}"
        uid = self.world.user(author).id
        return self.world.add_comment(Comment(self.world.new_id(), uid, post, text, self.clock.now(), answers)).id

    def edit(self: _Place, post: int, text: str) -> None:
        """Its author writes it anew: same id."""
        self.world.posts[post].text = text
        self.world.posts[post].edits += 1

    def delete(self: _Place, post: int, how: Gone = "shown") -> None:
        """Its author deletes it: lists show that there was something, or nothing."""
        self.world.posts[post].gone = how

    def delete_comment(self: _Place, comment: int) -> None:
        self.world.comments[comment].gone = True

    def expire_token(self: _Place) -> None:
        """The token that we have is over from now on."""
        self.world.token_until = self.clock.now()

    def new_token(self: _Place, life: float = TOKEN_LIFE) -> str:
        """Somebody authorised us again: the old token is over."""
        world = self.world
        world.tokens_expired.append(world.token)
        world.token = f"weibo-token-{len(world.tokens_expired)}"
        world.token_until = self.clock.now() + life
        return world.token

    def set_limit(self: _Place, calls: int, seconds: float) -> None:
        """Of the user, instead of 100 a day; counting starts anew."""
        self.gate.set_user_limit(Limit(calls, seconds))
        self.watch.calls = Meter(self.clock, Limit(calls, seconds))

    def comments_by_us(self: _Place) -> list[dict[str, Any]]:
        """Oldest first."""
        ours = [self.world.comments[one] for one in self.world.by_me]
        return [
            {"id": one.id, "post": one.post, "answers": one.answers, "text": one.text, "rip": one.rip} for one in ours
        ]

    def messages_sent(self: _Place) -> list[dict[str, Any]]:
        """Private messages of ours, oldest first."""
        return [
            {"to": one.receiver, "name": self.world.users[one.receiver].screen_name, "text": one.text, "via": one.via}
            for one in self.world.messages
            if one.sender == OURS
        ]
