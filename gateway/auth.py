"""Who is calling: bearer tokens (kept as hashes, RFC 6750) and the client's address behind trusted proxies.

May not log or keep a token, nor believe a forwarding header of a peer that is not trusted.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from base64 import b32encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Final, Self

import structlog
from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.config_text import ConfigError, faults

log = structlog.get_logger(__name__)

PREFIX: Final = "jiesu"
_BEARER: Final = re.compile(rf"(?i:bearer) +{PREFIX}\.(?P<id>[a-z2-7]{{8}})\.(?P<secret>[A-Za-z0-9_-]{{43}})")

Scope = Annotated[
    str,
    Field(
        pattern=r"^([a-z_]+:[a-z_]+|unit|desk|personal)$",
        description="such as `submit:web`, `tickets:read`; or one of `unit`, `desk`, `personal`",
    ),
]
UNIT: Final = "unit"
DESK: Final = "desk"
PERSONAL: Final = "personal"
"""Scopes: a unit's own tickets, the centre's desk, and to see of these who asked and how to reach them."""


class Token(BaseModel):
    """One line of the tokens file. `hash`: SHA-256 of the secret part, which has 256 random bits, so that a
    slow password hash would add nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: str = Field(pattern=r"^[a-z2-7]{8}$")
    hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: tuple[Scope, ...]
    created: AwareDatetime
    note: str = ""
    unit: str | None = Field(default=None, pattern=r"^[a-z0-9_]{1,40}$", description="Whose it is, with scope `unit`")
    operator: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_.-]{1,60}$", description="Whose it is, with scope `desk`"
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        """Who acts goes on record, so a scope that acts needs a name; a name without its scope is a mistake."""
        for scope, name in ((UNIT, self.unit), (DESK, self.operator)):
            if (scope in self.scopes) != (name is not None):
                raise ValueError("scope `unit` and a unit go together, so do scope `desk` and an operator")
        return self

    def caller(self, scope: str | None) -> str:
        """Who calls, in the capacity that a route's scope asks for."""
        names = {UNIT: self.unit, DESK: self.operator}
        return f"token:{self.id}" if (name := names.get(scope or "")) is None else f"{scope}:{name}"


@dataclass(frozen=True, slots=True)
class Denied:
    """Why not: 401 (who are you) or 403 (not you), with the challenge for WWW-Authenticate (RFC 6750 3)."""

    status: HTTPStatus
    code: str
    detail: str
    challenge: str


def new_token(
    file: Path,
    scopes: Iterable[str],
    note: str = "",
    *,
    unit: str | None = None,
    operator: str | None = None,
    now: datetime | None = None,
) -> str:
    """Adds a token to `file` (made with mode 0600 when absent) and returns it: it can never be shown again.

    Raises:
        ConfigError: a scope is neither of the form `word:word` nor one of ours, or it and the name do not go together.
        OSError: the file cannot be written.
    """
    secret = secrets.token_urlsafe(32)
    try:
        token = Token(
            id=b32encode(secrets.token_bytes(5)).decode().lower(),
            hash=_hash(secret),
            scopes=tuple(scopes),
            created=now or datetime.now(UTC),
            note=note,
            unit=unit,
            operator=operator,
        )
    except ValidationError as error:
        raise ConfigError(faults(Token, error)) from None
    file.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(fd, "r+b") as out:
        size = out.seek(0, os.SEEK_END)
        cut = size > 0 and os.pread(out.fileno(), 1, size - 1) != b"\n"
        # One write: readers and other writers see the whole line or nothing.
        line = token.model_dump_json(exclude_none=True).encode()
        out.write((b"\n" if cut else b"") + line + b"\n")
        out.flush()
        os.fsync(out.fileno())
    return f"{PREFIX}.{token.id}.{secret}"


def read_tokens(file: Path) -> dict[str, Token]:
    """The tokens of `file` by id; none when there is no such file.

    Raises:
        ConfigError: lines that are not tokens, each named; an id given twice; others may write the file.
    """
    try:
        text = file.read_text("utf-8")
        mode = file.stat().st_mode
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{file}: cannot be read ({type(error).__name__})"]) from None
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError([f"{file}: others may write it; chmod 600"])
    tokens: dict[str, Token] = {}
    problems: list[str] = []
    for line_number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            token = Token.model_validate_json(line)
        except ValidationError as error:
            problems += [f"{file}, line {line_number}: {fault}" for fault in faults(Token, error)]
            continue
        if token.id in tokens:
            problems.append(f"{file}, line {line_number}: id appears twice")
        tokens[token.id] = token
    if problems:
        raise ConfigError(problems)
    return tokens


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class Tokens:
    """The tokens of one file, read again when it changes. A change that cannot be read is logged and the
    tokens known before stay in force.

    Raises:
        ConfigError: at construction, as `read_tokens`.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen = self._stamp()
        self._tokens = read_tokens(file)

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            facts = os.stat(self._file)
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_size, facts.st_ino

    def _refresh(self) -> None:
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._tokens = read_tokens(self._file)
        except ConfigError as error:
            log.error("tokens_file_unusable", path=self._file, problem=len(error.problems))

    def identify(self, authorization: str | None) -> Token | None:
        """The token in an Authorization header, None when there is none that we know."""
        given = _BEARER.fullmatch(authorization.strip()) if authorization else None
        if given is None:
            return None
        self._refresh()
        token = self._tokens.get(given["id"])
        if token is None or not hmac.compare_digest(_hash(given["secret"]), token.hash):
            return None
        return token

    def check(self, authorization: str | None, scope: str) -> Token | Denied:
        """The token, when it allows `scope`; otherwise what to answer."""
        token = self.identify(authorization)
        if token is None:
            error = ', error="invalid_token"' if authorization else ""
            return Denied(
                HTTPStatus.UNAUTHORIZED,
                "token_needed",
                "This needs a valid bearer token.",
                f'Bearer realm="jiesu", scope="{scope}"{error}',
            )
        if scope not in token.scopes:
            return Denied(
                HTTPStatus.FORBIDDEN,
                "scope_needed",
                f"The token does not allow {scope}.",
                f'Bearer realm="jiesu", error="insufficient_scope", scope="{scope}"',
            )
        return token


@dataclass(frozen=True, slots=True)
class Client:
    """The citizen's side of a request. `local`: a program on this machine, no proxy in between."""

    address: str
    local: bool


@dataclass(frozen=True, slots=True)
class Peer:
    """An address: what it means when it talks to us itself, and when a proxy says that it does."""

    itself: Client
    behind_proxy: Client
    trusted: bool


_UNKNOWN: Final = Client("unknown", local=False)


class Clients:
    """Finds the client's address: the right-most one that is not a trusted proxy's, and only when the peer
    itself is trusted, because everything further left may have been typed by the client.

    Only one header is read, the one that the proxies are known to set (`X-Forwarded-For`, or `Forwarded` of
    RFC 7239): proxies pass the other one on as the client sent it.
    """

    def __init__(self, trusted: Sequence[IPv4Network | IPv6Network], header: str) -> None:
        self._trusted = tuple(trusted)
        self._header = header
        self._peer = lru_cache(maxsize=4096)(self._look_at)

    def _look_at(self, text: str) -> Peer:
        address = _address(text)
        if address is None:
            return Peer(_UNKNOWN, _UNKNOWN, trusted=False)
        trusted = any(address in network for network in self._trusted if network.version == address.version)
        return Peer(
            itself=Client(str(address), local=address.is_loopback),
            behind_proxy=Client(str(address), local=False),
            trusted=trusted,
        )

    def of(self, request: web.BaseRequest) -> Client:
        """Who sent `request`."""
        peer = self._peer(request.remote or "")
        if "X-Forwarded-For" not in request.headers and "Forwarded" not in request.headers:
            return peer.itself
        if peer.trusted:
            for hop in reversed(self._hops(request)):
                peer = self._peer(hop)
                if not peer.trusted:
                    break
        return peer.behind_proxy

    def _hops(self, request: web.BaseRequest) -> list[str]:
        """Addresses without ports, the client's end first; `unknown` and obfuscated ones stay as they are."""
        if self._header == "Forwarded":
            return [_without_port(element.get("for", "unknown")) for element in request.forwarded]
        lines = request.headers.getall("X-Forwarded-For", ())
        return [_without_port(hop.strip()) for line in lines for hop in line.split(",")]


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _without_port(node: str) -> str:
    if node.startswith("["):
        return node[1:].partition("]")[0]
    host, _, port = node.partition(":")
    return host if port.isdigit() else node
