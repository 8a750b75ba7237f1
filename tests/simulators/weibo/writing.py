"""What Weibo lets an app write: comments, replies, private messages; with its rules of length, repetition and windows.

May not count calls or look at tokens.
"""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any, Final
from urllib.parse import unquote_plus

from tests.simulators.clocks import DAY, HOUR, Clock, Limit, Meter
from tests.simulators.weibo.errors import Refused
from tests.simulators.weibo.reading import Query, number
from tests.simulators.weibo.world import OURS, Comment, Message, Shown, Talk, World

COMMENT: Final = 140
MESSAGE: Final = 300
WINDOW: Final = 48 * HOUR
REMEMBERED: Final = DAY
"""How long Weibo remembers what was said already; it does not say."""
_NOISE: Final = re.compile(r"\[[^\[\]]{1,8}\]|[\W_]+")


def weight(text: str) -> float:
    """In Chinese characters: two letters or digits are one."""
    return sum(0.5 if ord(char) < 128 else 1.0 for char in text)


class Writing:
    """The POST endpoints, as functions of the form."""

    def __init__(self, world: World, clock: Clock, host: str, posting: Limit, *, may_answer_mentions: bool) -> None:
        self._world = world
        self._clock = clock
        self._shown = Shown(world, host)
        self._posting = Meter(clock, posting)
        self._may_answer_mentions = may_answer_mentions

    def create(self, form: Query) -> dict[str, Any]:
        """comments/create."""
        text = self._text(form)
        post = self._post(form)
        return self._say(Comment(self._world.new_id(), OURS, post, text, self._clock.now(), rip=form["rip"]))

    def reply(self, form: Query) -> dict[str, Any]:
        """comments/reply."""
        text = self._text(form, "cid")
        post = self._post(form)
        to = self._world.comments.get(number(form, "cid", 0))
        if to is None or to.gone or to.post != post:
            raise Refused(20201)
        if form.get("without_mention", "0") != "1":
            text = f"回复@{self._world.users[to.uid].screen_name}:{text}"
        said = Comment(self._world.new_id(), OURS, post, text, self._clock.now(), answers=to.id, rip=form["rip"])
        return self._say(said)

    def message(self, form: Query) -> dict[str, Any]:
        """m.api messages/reply, "发送客服消息"."""
        for key in ("type", "data", "receiver_id"):
            if not form.get(key):
                raise Refused(10016, key)
        text = said_in(form["type"], form["data"])
        receiver = number(form, "receiver_id", 0)
        self._permit(self._world.talks.get(receiver))
        self._world.messages.append(Message(OURS, receiver, form["type"], text, self._clock.now(), "reply"))
        return {"result": True, "sender_id": OURS, "receiver_id": receiver, "type": form["type"], "data": form["data"]}

    def passive(self, body: bytes) -> Message:
        """A passive answer to a push, "发送被动响应消息": raises ValueError when it is none."""
        told = json.loads(body)
        receiver = int(told["receiver_id"])
        if told["result"] is not True or int(told["sender_id"]) != OURS or receiver not in self._world.users:
            raise ValueError("result, sender_id or receiver_id is wrong")
        if not re.fullmatch(r"[\w.~*+%-]+", told["data"], re.ASCII):
            raise ValueError("data is not URL-encoded")
        try:
            text = said_in(told["type"], unquote_plus(told["data"]))
        except Refused as refused:
            raise ValueError(f"data is refused: {refused.code}") from refused
        message = Message(OURS, receiver, told["type"], text, self._clock.now(), "passive")
        self._world.messages.append(message)
        return message

    def _permit(self, talk: Talk | None) -> None:
        """48 hours from what the citizen did last; after a mention one message, and that with a permission only."""
        now = self._clock.now()
        if talk is None or not talk.follows:
            raise Refused(20301)
        if talk.said is not None and now - talk.said <= WINDOW:
            return
        if talk.mentioned is None or now - talk.mentioned > WINDOW:
            raise Refused(20301)
        if not self._may_answer_mentions:
            raise Refused(10014)
        if talk.answered is not None and now - talk.answered <= WINDOW:
            raise Refused(20301)
        talk.answered = now

    def _text(self, form: Query, *also: str) -> str:
        for key in ("id", "rip", *also):
            if not form.get(key):
                raise Refused(10016, key)
        try:
            ipaddress.ip_address(form["rip"])
        except ValueError:
            raise Refused(10017, "rip") from None
        text = form.get("comment", "").strip()
        if not text:
            raise Refused(20008)
        if weight(text) > COMMENT:
            raise Refused(20012, COMMENT)
        self._refuse_repeated(text)
        return text

    def _post(self, form: Query) -> int:
        post = self._world.posts.get(number(form, "id", 0))
        if post is None or post.gone:
            raise Refused(20101)
        return post.id

    def _refuse_repeated(self, text: str) -> None:
        """Word by word the same, or the same but for spaces, marks and [emoticons]: wherever it is said."""
        since = self._clock.now() - REMEMBERED
        for one in reversed(self._world.by_me):
            earlier = self._world.comments[one]
            if earlier.created <= since:
                return
            said = re.sub(r"^回复@[^:]+:", "", earlier.text)
            if said == text:
                raise Refused(20019)
            if _NOISE.sub("", said) == _NOISE.sub("", text):
                raise Refused(20017)

    def _say(self, comment: Comment) -> dict[str, Any]:
        if not self._posting.take():
            raise Refused(20016)
        return self._shown.comment(self._world.add_comment(comment))


def said_in(kind: str, data: str) -> str:
    """The text of a message's JSON; raises Refused."""
    try:
        told = json.loads(data)
        text = told["text"] if kind == "text" else json.dumps(told, ensure_ascii=False)
    except (ValueError, KeyError, TypeError):
        raise Refused(10017, "data") from None
    if kind not in ("text", "articles", "position"):
        raise Refused(10017, "type")
    if not isinstance(text, str) or not text.strip():
        raise Refused(20008)
    if kind == "text" and weight(text) >= MESSAGE:
        raise Refused(20012, MESSAGE)
    return text
