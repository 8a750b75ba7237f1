"""The block `channels.weibo` of config.yaml: which account, how it is asked, and how often.

May not hold a secret: files do.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    IPvAnyAddress,
    PlainSerializer,
    field_validator,
    model_validator,
)

from channels.addresses import Network, is_literal, permitted

List = Literal["mentions", "comment_mentions", "comments"]
CALLS_OF_A_REPLY: Final = 2
"""Reading back and writing."""
_DAY: Final = 86_400

Private = Annotated[Network, PlainSerializer(str, return_type=str, when_used="json")]
Uid = Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)


class Calls(_Block):
    """What Weibo allows our application, or what you want it to use: everything counts, also answers."""

    calls: int = Field(default=100, ge=4, description="API calls, at most, in any window of so many seconds")
    seconds: float = Field(default=86_400, gt=0)


class WeiboConfig(_Block):
    """One account. Without `token_file` nothing is asked or answered, without `app_secret_file` nothing is pushed to
    us; `jiesu normalize weibo` works without either."""

    uid: Uid | None = Field(default=None, description="Of our account: its own posts are none of ours")
    names: tuple[str, ...] = Field(default=(), description="Of our account, without @: they are taken off the text")
    token_file: Path | None = Field(default=None, description="The access token, one line; read again when refused")
    token_expires_at: AwareDatetime | None = Field(
        default=None, description="When the token ends, where Weibo does not say; days ahead there is an alarm"
    )
    app_secret_file: Path | None = Field(
        default=None, description="The App Secret, one line, which signs what Weibo pushes to us"
    )
    api: str = Field(default="https://api.weibo.com", description="Where posts are read and comments written")
    message_api: str = Field(default="https://m.api.weibo.com", description="Where private messages are answered")
    sources: tuple[List, ...] = Field(
        default=("mentions", "comment_mentions", "comments"),
        min_length=1,
        description="Lists that are polled: posts and comments that mention us, comments on our posts",
    )
    poll: float = Field(default=300, gt=0, description="Seconds from one look at a list to the next, at least")
    budget: Calls = Calls()
    replies_per_day: int = Field(default=20, ge=0, description="Answers that use calls: two are kept for each")
    rip: IPvAnyAddress | None = Field(
        default=None, description="Our public address: Weibo wants the writer's with every comment"
    )
    picture_hosts: tuple[str, ...] = Field(
        default=("*.sinaimg.cn",), description="Hosts that pictures are fetched from; *.name is every name below it"
    )
    allow_private: tuple[Private, ...] = Field(
        default=(), description="Networks that are not public but may be called, for a simulator or a proxy"
    )
    timeout: float = Field(default=20, gt=0, le=60, description="Seconds for one call")

    @field_validator("names")
    @classmethod
    def _bare(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if any(not name.strip() or name.startswith("@") for name in names):
            raise ValueError("names stand without @ and are not empty")
        return names

    @field_validator("api", "message_api")
    @classmethod
    def _address(cls, address: str) -> str:
        url = HttpUrl(address)
        if url.username or url.password or url.query or url.fragment or url.path not in (None, "/"):
            raise ValueError("an address of an API is scheme://host[:port]")
        return str(url).rstrip("/")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for address in (self.api, self.message_api):
            host = (HttpUrl(address).host or "").strip("[]")
            if is_literal(host) and not permitted(host, self.allow_private):
                raise ValueError("api names an address that is not public; allow_private must list its network")
        if len(set(self.sources)) != len(self.sources):
            raise ValueError("a list stands twice in sources")
        if self.polling_calls < 2:
            raise ValueError(f"budget.calls leaves nothing to poll with: {CALLS_OF_A_REPLY} are kept for each answer")
        return self

    @property
    def polling_calls(self) -> int:
        """Calls of the budget that are not kept for answers. The meter of answers (workers/meter.py) lets half of a
        day's calls through at once and the others evenly, so a short window may see half a day's."""
        per_day = self.replies_per_day * CALLS_OF_A_REPLY
        at_once = max(per_day / 2, CALLS_OF_A_REPLY) if per_day else 0
        return self.budget.calls - math.ceil(at_once + (per_day - at_once) * self.budget.seconds / _DAY)
