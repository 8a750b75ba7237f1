"""The block `channels.x` of config.yaml: which account is the line's, how it is read and answered.

May not hold a secret: files do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, PlainSerializer, model_validator

from channels.addresses import Network, is_literal, permitted

API: Final = "https://api.x.com"
A_DAY: Final = 86_400.0
WEEK: Final = 7 * A_DAY

Private = Annotated[Network, PlainSerializer(str, return_type=str, when_used="json")]
Host = Annotated[str, Field(pattern=r"^(\*\.)?[a-z0-9.-]{1,253}(:[0-9]{1,5})?$")]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)


class Keys(_Block):
    """The four files of OAuth 1.0a by which the account itself writes. They do not expire."""

    consumer_key_file: Path
    consumer_secret_file: Path
    access_token_file: Path
    access_token_secret_file: Path


class XConfig(_Block):
    """One account. Without `bearer_token_file` nothing is asked, without `keys` nothing is answered;
    `jiesu normalize x` works without either. Files hold one line each and are read anew for every connection, so they
    can be changed while we run."""

    user_id: str | None = Field(
        default=None, pattern=r"^[0-9]{1,19}$", description="The account's number; its own posts are none of ours"
    )
    username: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_]{1,15}$", description="The account's name without @: taken off the text"
    )
    bearer_token_file: Path | None = Field(default=None, description="The app's bearer token, by which we read")
    keys: Keys | None = Field(default=None, description="By which the account writes")
    api: HttpUrl = Field(default=HttpUrl(API), description="Another address than X's own is for tests and the sandbox")
    interval: float = Field(default=60, gt=0, le=900, description="Seconds from one look to the next; X allows 2")
    look_back: float = Field(
        default=A_DAY, ge=0, le=WEEK, description="Seconds: how old a mention may be at the very first start"
    )
    picture_hosts: tuple[Host, ...] = Field(
        default=("pbs.twimg.com",), description="Pictures are fetched from nowhere else; *.name is every name below it"
    )
    replies_per_day: int = Field(default=1000, ge=1, description="Posts of ours a day; X bills each")
    timeout: float = Field(default=15, gt=0, le=60, description="Seconds for one call")
    allow_private: tuple[Private, ...] = Field(
        default=(), description="Networks that are not public but may be called, for tests and the sandbox"
    )

    @model_validator(mode="after")
    def _address(self) -> Self:
        api = self.api
        if any(part is not None for part in (api.username, api.password, api.query, api.fragment)):
            raise ValueError("api must have no user name, password, ?query or #fragment")
        host = (api.host or "").strip("[]")
        if is_literal(host) and not permitted(host, self.allow_private):
            raise ValueError("api names an address that is not public; allow_private must list its network")
        return self

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.bearer_token_file is not None or self.keys is not None) and self.user_id is None:
            raise ValueError("user_id is missing: whose mentions are read")
        if self.keys is not None and self.bearer_token_file is None:
            raise ValueError("keys need bearer_token_file: what was written is read back by it")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Of the account, without @."""
        return (self.username,) if self.username else ()

    @property
    def base(self) -> str:
        """What every route is put behind."""
        return str(self.api).rstrip("/")
