"""The block `channels.wechat` of config.yaml: the account, how its messages are signed, and how answers may be sent.

May not hold a secret: files do. Every key may be left out, so that files can be read without an account.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, PlainSerializer, field_validator, model_validator

from channels.addresses import Network, is_literal, permitted
from channels.fields import ZoneName

API: Final = "https://api.weixin.qq.com"
KIB: Final = 1024
PLACE: Final = re.compile(r"\{([a-z]*)\}")
PLACES: Final = frozenset({"number", "purpose", "text", "time"})
_HOST: Final = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?(?::[0-9]{1,5})?")

Mode = Literal["plain", "both", "aes"]
Private = Annotated[Network, PlainSerializer(str, return_type=str, when_used="json")]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)


class Template(_Block):
    """A template message (服务号 only), for answers after WeChat has closed the conversation."""

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,100}$", description="The template's id (模板ID)")
    fields: dict[str, str] = Field(
        min_length=1,
        description="Field of the template -> what it says; {number}, {purpose}, {text}, {time} are filled in",
    )
    url: str | None = Field(default=None, description="What a touch opens, such as https://12345.example/t/{number}")

    @field_validator("fields")
    @classmethod
    def _known(cls, fields: dict[str, str]) -> dict[str, str]:
        for name, text in fields.items():
            if not re.fullmatch(r"[A-Za-z0-9_]{1,40}", name):
                raise ValueError("a field is named by letters, digits and _, as in the template without .DATA")
            _checked(text, PLACES)
        return fields

    @field_validator("url")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        if url is not None:
            _checked(url, frozenset({"number"}))
            HttpUrl(url.replace("{number}", "0"))
        return url


class WechatConfig(_Block):
    """One official account (公众号: 服务号 or 订阅号)."""

    app_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$", description="AppID, wx…")
    account: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="原始ID, gh_…: messages to another account are refused; left out: not looked at",
    )
    token_file: Path | None = Field(
        default=None, description="The Token of 服务器配置, a line; more lines while it is being changed"
    )
    aes_key_file: Path | None = Field(
        default=None, description="EncodingAESKey, 43 characters, a line; more lines while it is being changed"
    )
    mode: Mode | None = Field(
        default=None,
        description="Which messages are taken: plain (明文), aes (安全), both (兼容); left out: aes if there is a key",
    )
    tolerance: float = Field(default=300, gt=0, le=3600, description="Seconds a signature may be old, or ahead of us")
    max_bytes: int = Field(default=64 * KIB, ge=1 * KIB, le=1024 * KIB, description="Bytes of one message")
    app_secret_file: Path | None = Field(
        default=None, description="AppSecret, read anew for every access token; left out: no later answers"
    )
    template: Template | None = None
    api: HttpUrl = Field(default=HttpUrl(API), description="Where WeChat's API is")
    timeout: float = Field(default=10, gt=0, le=60, description="Seconds for one call of the API")
    retry_after: float = Field(default=60, gt=0, description="Seconds, when WeChat takes nothing now")
    picture_hosts: tuple[str, ...] = Field(
        default=("mmbiz.qpic.cn", "mmbiz.qlogo.cn"), description="Hosts that pictures are fetched from"
    )
    picture_seconds: float = Field(
        default=2, gt=0, le=4, description="For fetching a picture; WeChat waits 5 s for the answer"
    )
    picture_bytes: int = Field(default=10 * KIB * KIB, gt=0, description="Bytes of one picture")
    allow_private: tuple[Private, ...] = Field(
        default=(), description="Networks that are not public but may be called, e.g. of a proxy to WeChat"
    )
    timezone: ZoneName = Field(default="Asia/Shanghai", description="Of {time} in templates; left out: the site's")

    @field_validator("picture_hosts")
    @classmethod
    def _hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not _HOST.fullmatch(host):
                raise ValueError("a host is a name in lower case; *.name is every name below it")
        return hosts

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.mode in ("both", "aes") and self.aes_key_file is None:
            raise ValueError(f"mode {self.mode} needs aes_key_file")
        if self.aes_key_file is not None and self.app_id is None:
            raise ValueError("aes_key_file needs app_id: it stands in every sealed message")
        if self.template is not None and self.app_secret_file is None:
            raise ValueError("template needs app_secret_file")
        if self.app_secret_file is not None and self.app_id is None:
            raise ValueError("app_secret_file needs app_id")
        return self

    @model_validator(mode="after")
    def _address(self) -> Self:
        url = self.api
        if url.username is not None or url.password is not None or url.fragment is not None or url.query is not None:
            raise ValueError("api must have no user name, password, ?query or #fragment")
        host = (url.host or "").strip("[]")
        if is_literal(host) and not permitted(host, self.allow_private):
            raise ValueError("api names an address that is not public; allow_private must list its network")
        return self

    @property
    def takes(self) -> Mode:
        """Which messages are taken."""
        return self.mode or ("plain" if self.aes_key_file is None else "aes")

    @property
    def lacks(self) -> str | None:
        """What is missing before a message can come in; None: nothing."""
        return "token_file" if self.token_file is None else None


def _checked(text: str, known: frozenset[str]) -> None:
    """Raises ValueError: a place to fill in that there is not."""
    if strangers := [place for place in PLACE.findall(text) if place not in known]:
        raise ValueError(f"{{{strangers[0]}}} is not filled in here (known: {', '.join(sorted(known))})")
