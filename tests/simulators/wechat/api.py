"""api.weixin.qq.com as a later answer needs it: access tokens, customer-service and template messages, media.

Errors come with HTTP 200, as {errcode, errmsg}. May not push.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.simulators.clocks import DAY, Clock, Limit, Meter
from tests.simulators.wechat.world import Message, World

LIFE: Final = 7200
RENEWED: Final = 300
"""A stable token is renewed when it has so many seconds left; the old one then goes on until its end."""
TEXT_BYTES: Final = 2048
CLIENT_ID_FOR: Final = 600
_ERRORS: Final = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40003: "invalid openid",
    40007: "invalid media_id",
    40008: "invalid message type",
    40013: "invalid appid",
    40037: "invalid template_id",
    40125: "invalid appsecret",
    41001: "access_token missing",
    42001: "access_token expired",
    43004: "require subscribe",
    44002: "empty post data",
    44004: "empty content",
    45002: "content size out of limit",
    45009: "reach max api daily quota limit",
    45015: "response out of time limit or subscription is canceled",
    45047: "out of response count limit",
    47001: "data format error",
    47003: "argument invalid! data.{}.value is empty",
    48001: "api unauthorized",
}
Answer = dict[str, Any]


class Refused(Exception):
    """A call that WeChat answers with an errcode."""

    def __init__(self, code: int, about: str = "") -> None:
        super().__init__(code)
        self.answer: Answer = {"errcode": code, "errmsg": f"{_ERRORS[code].format(about)} rid: 6a5f0c1e-1-jiesu"}


class Api:
    """The endpoints as functions of query and body; they raise Refused."""

    def __init__(
        self,
        world: World,
        clock: Clock,
        account: tuple[str, str],
        templates: Mapping[str, Sequence[str]],
        daily: Mapping[str, int],
        unauthorized: Sequence[str],
    ) -> None:
        self._world = world
        self._clock = clock
        self._account = account
        self._templates = templates
        self._meters = {path: Meter(clock, Limit(calls, DAY)) for path, calls in daily.items()}
        self._unauthorized = frozenset(unauthorized)
        self.asked: dict[str, int] = {}
        self._by_client_id: dict[tuple[str, object], tuple[float, int]] = {}

    def stable_token(self, told: Mapping[str, Any]) -> Answer:
        """POST /cgi-bin/stable_token: the same one again until shortly before its end; `force_refresh` makes a new one
        and ends the old one."""
        self._credential(told)
        now, world = self._clock.now(), self._world
        if told.get("force_refresh"):
            world.tokens.pop(world.stable, None)
        if world.tokens.get(world.stable, 0) - now < RENEWED:
            world.stable = self._make()
        return {"access_token": world.stable, "expires_in": int(world.tokens[world.stable] - now)}

    def token(self, query: Mapping[str, Any]) -> Answer:
        """GET /cgi-bin/token: a new one each time; the ones made so before end in five minutes."""
        self._credential(query)
        now, world = self._clock.now(), self._world
        for one, until in world.tokens.items():
            if one != world.stable:
                world.tokens[one] = min(until, now + RENEWED)
        return {"access_token": self._make(), "expires_in": LIFE}

    def allow(self, path: str, query: Mapping[str, str]) -> None:
        """The access token, the permission and the day's quota of a call."""
        self.asked[path] = self.asked.get(path, 0) + 1
        token = query.get("access_token")
        if not token:
            raise Refused(41001)
        if token not in self._world.tokens:
            raise Refused(40001)
        if self._world.tokens[token] <= self._clock.now():
            raise Refused(42001)
        if path in self._unauthorized:
            raise Refused(48001)
        meter = self._meters.get(path)
        if meter is not None and not meter.take():
            raise Refused(45009)

    def custom(self, body: bytes) -> Answer:
        """POST /cgi-bin/message/custom/send. The citizen reads `\\u4f60` when it was sent so: WeChat shows the JSON's
        escapes as they stand."""
        told = read_json(re.sub(rb"\\u([0-9a-fA-F]{4})", rb"\\\\u\1", body))
        follower = self._world.followers.get(told.get("touser", ""))
        if follower is None:
            raise Refused(40003)
        if told.get("msgtype") != "text":
            raise Refused(40008)
        text = (told.get("text") or {}).get("content")
        if not isinstance(text, str) or not text.strip():
            raise Refused(44004)
        if len(text.encode()) > TEXT_BYTES:
            raise Refused(45002)
        if not follower.subscribed or self._clock.now() > follower.until:
            raise Refused(45015)
        if follower.left <= 0:
            raise Refused(45047)
        follower.left -= 1
        self._world.messages.append(Message(follower.openid, text, self._clock.now(), "custom"))
        return {"errcode": 0, "errmsg": "ok"}

    def template(self, body: bytes) -> Answer:
        """POST /cgi-bin/message/template/send."""
        told = read_json(body)
        fields = self._templates.get(told.get("template_id", ""))
        if fields is None:
            raise Refused(40037)
        follower = self._world.followers.get(told.get("touser", ""))
        if follower is None:
            raise Refused(40003)
        if not follower.subscribed:
            raise Refused(43004)
        data = told.get("data") or {}
        for name in fields:
            if not str((data.get(name) or {}).get("value", "")).strip():
                raise Refused(47003, name)
        if (before := self._sent_before(follower.openid, told.get("client_msg_id"))) is not None:
            return {"errcode": 0, "errmsg": "ok", "msgid": before}
        text = "\n".join(f"{name}：{data[name]['value']}" for name in fields)
        self._world.messages.append(Message(follower.openid, text, self._clock.now(), "template"))
        msgid = self._world.new_msg_id()
        self._by_client_id[follower.openid, told.get("client_msg_id")] = (self._clock.now(), msgid)
        return {"errcode": 0, "errmsg": "ok", "msgid": msgid}

    def _sent_before(self, openid: str, client_msg_id: object) -> int | None:
        """防重入: one openid and client_msg_id are one message for ten minutes. What is answered then is not said; here
        what was answered before."""
        at, msgid = self._by_client_id.get((openid, client_msg_id), (0.0, 0))
        return msgid if client_msg_id and self._clock.now() - at <= CLIENT_ID_FOR else None

    def media(self, query: Mapping[str, str]) -> str:
        """GET /cgi-bin/media/get: the name of a picture."""
        wanted = query.get("media_id", "")
        if wanted not in self._world.media:
            raise Refused(40007)
        return wanted

    def _credential(self, told: Mapping[str, Any]) -> None:
        appid, secret = self._account
        if told.get("appid") != appid:
            raise Refused(40013)
        if told.get("secret") != secret:
            raise Refused(40125)

    def _make(self) -> str:
        world = self._world
        world.tokens_made += 1
        token = f"{world.tokens_made}_wechat-access-token"
        world.tokens[token] = self._clock.now() + LIFE
        return token


def read_json(body: bytes) -> dict[str, Any]:
    """The object in a body; raises Refused."""
    if not body:
        raise Refused(44002)
    try:
        told = json.loads(body)
    except ValueError:
        raise Refused(47001) from None
    if not isinstance(told, dict):
        raise Refused(47001)
    return told
