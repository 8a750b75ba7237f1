"""What an operator may set: YAML file, then environment (`JIESU_REDIS__URL`), then the files of `*_file`
keys. Every package declares its own block; this module composes them. May not print a value it was given.
Relative paths are relative to the data directory, `data_dir` itself to the current directory.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
)
from pydantic import field_validator as validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError

from gateway import config_env, config_text
from gateway.config_text import ConfigError
from gateway.intake import IntakeConfig, SpoolConfig
from normalizer.config import NormalizerConfig
from workers import region_files
from workers.alarm_config import AlarmsConfig
from workers.connect import RedisConfig
from workers.destinations.file import FileConfig
from workers.destinations.registry import DestinationConfig
from workers.dispatch_config import DispatchConfig
from workers.linking_config import LinkingConfig
from workers.region import Region
from workers.region_files import RegionError

__all__ = ["Config", "ConfigError", "config_schema", "effective", "load", "site_secret"]

SECRET_BYTES: Final = 32
MIB: Final = 1024 * 1024
ON_BY_DEFAULT: Final = ("web", "phone", "email", "desk")
"""Channels that run without a block in the configuration."""

Network = Annotated[
    ipaddress.IPv4Network | ipaddress.IPv6Network,
    PlainSerializer(str, return_type=str, when_used="json"),
]


class Block(BaseModel):
    """A part of the configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)


def split_address(listen: str) -> tuple[str, int]:
    """`HOST:PORT`, `[IPv6]:PORT` -> (host, port). Port 0 lets the system choose.

    Raises:
        ValueError: it is not of that form.
    """
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError("must be HOST:PORT with a port from 0 to 65535")
    return host.removeprefix("[").removesuffix("]"), int(port)


class SiteConfig(Block):
    """Who runs this hotline."""

    name: str = Field(default="12345", min_length=1, description="Shown to citizens at the head of every page")
    domain: str = Field(
        default="hotline.example",
        pattern=r"^[a-z0-9.-]+$",
        description="Part of the event source and addresses",
    )
    timezone: str = Field(default="Asia/Shanghai", description="IANA name; decides the day of a number")
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s?#]+$",
        description="How citizens reach this server; left out: http:// and http.listen",
    )
    secret_file: Path | None = Field(
        default=None,
        description="Holds the site's secret, the same on all gateways; left out: made in the data directory",
    )

    @validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError("is not a time zone of the IANA database") from None
        return name


class RateConfig(Block):
    """A token bucket: at once up to `burst`, then `per_minute`. A client is an IPv4 address or an IPv6
    /64."""

    burst: int = Field(default=60, ge=1)
    per_minute: float = Field(default=60, gt=0)
    clients: int = Field(default=20_000, ge=1, description="How many clients are remembered")


class HttpConfig(Block):
    """The one HTTP server."""

    listen: str = "127.0.0.1:8080"
    trusted_proxies: tuple[Network, ...] = Field(
        default=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")),
        description="Peers that are believed when they say for whom they ask",
    )
    forwarding_header: Literal["X-Forwarded-For", "Forwarded"] = Field(
        default="X-Forwarded-For", description="The header these proxies set (the other one is not read)"
    )
    max_body_bytes: ByteSize = Field(default=ByteSize(33 * MIB), description="Larger requests get 413")
    max_inflight_bytes: ByteSize = Field(
        default=ByteSize(256 * MIB),
        description="Bodies over 64 KiB being received at once, in all; beyond: 503",
    )
    body_timeout: float = Field(default=300, gt=0, description="Seconds in which a body must have arrived")
    keepalive_timeout: float = Field(default=75, gt=0, description="Seconds a silent connection is kept")
    submissions: RateConfig = RateConfig()
    guesses_per_hour: int = Field(default=5, ge=1, description="Wrong codes per ticket number and hour")

    @validator("listen")
    @classmethod
    def _address(cls, listen: str) -> str:
        split_address(listen)
        return listen

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        return split_address(self.listen)


class BlobsConfig(Block):
    """Large bodies and attachments."""

    keep_days: int = Field(
        default=730, ge=0, le=36_500, description="Whole days older than that are removed; 0 = kept for ever"
    )


class PumpConfig(Block):
    """How rows of the spool become tickets."""

    batch: int = Field(default=200, ge=1, description="Rows offered to the queue at once")
    time_limit: float = Field(default=10, gt=0, description="Seconds one row may take to parse and normalize")
    memory_limit: ByteSize = Field(default=ByteSize(1024 * MIB), description="Data of a parsing process (RLIMIT_DATA)")
    attempts: int = Field(default=3, ge=1, description="Unfinished attempts after which a row is parked")
    nice: int = Field(default=10, ge=0, le=19, description="Accepting comes first")


class QueueConfig(Block):
    """The streams."""

    groups: tuple[str, ...] = Field(
        default=("dispatch",), description="Consumer groups that must have read an entry before it is trimmed"
    )
    keep_days: float = Field(default=7, gt=0, description="How long other groups may take")


class WorkersConfig(Block):
    """The far side of the queue on this host."""

    dispatch: int = Field(default=1, ge=0, description="Processes of the RQ queue `dispatch`")
    urgent: int = Field(default=1, ge=0, description="Processes of the RQ queue `urgent`")
    alarm: int = Field(default=1, ge=0, description="Processes of the RQ queue `alarm`, when anybody is on duty")
    nice: int = Field(default=5, ge=0, le=19)
    lease: float = Field(default=120, gt=0, description="Seconds a worker owns a ticket; longer than any time-out")
    max_attempts: int = Field(default=10, ge=1, description="Failed attempts after which a delivery is dead")
    receipts_per_hour: int = Field(
        default=20, ge=0, description="Receipts sent to one address; beyond: recorded as not allowed"
    )
    call_attempts: int = Field(
        default=3, ge=1, description="Calls without an answer after which a citizen counts as not reached"
    )


class AuthConfig(Block):
    """Who may use what is not public."""

    tokens_file: Path | None = Field(
        default=None,
        description="Hashed tokens (`jiesu tokens new`); left out: tokens.jsonl in the data directory",
    )


class LogConfig(Block):
    """`auto`: colours on a terminal, else JSON, one event a line."""

    format: Literal["auto", "json", "console"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


def _channels(value: object) -> object:
    """Adds what runs by default; `false` switches a channel off, an empty block is a block of defaults."""
    if not isinstance(value, Mapping):
        return value
    blocks = {name: {} for name in ON_BY_DEFAULT} | {k: {} if v is None or v is True else v for k, v in value.items()}
    return {name: block for name, block in blocks.items() if block is not False and block != "false"}


class Config(BaseSettings):
    """Everything. Building it directly reads neither file nor environment; `load` does."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=True,
        env_prefix=config_env.PREFIX,
        env_nested_delimiter="__",
    )

    site: SiteConfig = SiteConfig()
    data_dir: Path = Field(default=Path("var"), description="Spool, blobs, secret and the embedded server's data")
    redis: RedisConfig = RedisConfig()
    http: HttpConfig = HttpConfig()
    spool: SpoolConfig = SpoolConfig()
    intake: IntakeConfig = IntakeConfig()
    blobs: BlobsConfig = BlobsConfig()
    pump: PumpConfig = PumpConfig()
    queue: QueueConfig = QueueConfig()
    workers: WorkersConfig = WorkersConfig()
    dispatch: DispatchConfig = DispatchConfig()
    alarms: AlarmsConfig = AlarmsConfig()
    linking: LinkingConfig = LinkingConfig()
    normalizer: NormalizerConfig = NormalizerConfig()
    channels: Annotated[dict[str, dict[str, Any]], BeforeValidator(_channels)] = Field(
        default={}, description="A block per channel; the registry checks it with the channel's own model"
    )
    destinations: dict[str, DestinationConfig] = Field(default={"file": FileConfig()}, min_length=1)
    auth: AuthConfig = AuthConfig()
    log: LogConfig = LogConfig()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @validator("data_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        # Child processes must not depend on the directory they are started in.
        return path.expanduser().absolute()

    @validator("normalizer")
    @classmethod
    def _here(cls, normalizer: NormalizerConfig, info: ValidationInfo) -> NormalizerConfig:
        if "timezone" in normalizer.model_fields_set or "site" not in info.data:
            return normalizer
        return normalizer.model_copy(update={"timezone": info.data["site"].timezone})

    @validator("redis")
    @classmethod
    def _below_data_dir(cls, redis: RedisConfig, info: ValidationInfo) -> RedisConfig:
        files = {key: getattr(redis, key) for key in ("password_file", "sentinel_password_file")}
        base = info.data.get("data_dir", Path())
        return redis.model_copy(update={key: base / file for key, file in files.items() if file is not None})

    @property
    def public_url(self) -> str:
        """How citizens reach this server, without a slash at the end."""
        return (self.site.public_url or f"http://{self.http.listen}").rstrip("/")

    def region(self) -> Region:
        """The site's region. Raises ConfigError: it is not there, or its files are wrong."""
        name = self.dispatch.region
        try:
            return region_files.shipped(name) if name.isidentifier() else region_files.load(self.data_dir / name)
        except RegionError as error:
            raise ConfigError([f"dispatch.region: {problem}" for problem in error.problems]) from None

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.site.timezone)

    @property
    def secret_path(self) -> Path:
        """Where the site's secret is."""
        return self.data_dir / (self.site.secret_file or "secret")

    @property
    def tokens_path(self) -> Path:
        """Where the hashed tokens are."""
        return self.data_dir / (self.auth.tokens_file or "tokens.jsonl")


def load(
    path: Path | None,
    *,
    data_dir: Path | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> Config:
    """The configuration of `path` (None: the defaults), then the environment, then `data_dir` and `overrides`
    (blocks of keys, from the command line).

    Raises:
        ConfigError: every fault found, each with the dotted path of its key.
    """
    document = config_text.read_yaml(path) if path is not None else {}
    strangers = config_env.strangers(Config, os.environ)
    given: dict[str, Any] = {name: dict(block) for name, block in (overrides or {}).items()}
    if data_dir is not None:
        given["data_dir"] = data_dir
    try:
        sources = (
            InitSettingsSource(Config, given),
            EnvSettingsSource(Config),
            InitSettingsSource(Config, document),
        )
        config = Config(_build_sources=(sources, {}))
    except ValidationError as error:
        raise ConfigError([*config_text.faults(Config, error), *strangers]) from None
    except SettingsError as error:
        raise ConfigError([f"environment: {error}", *strangers]) from None
    if strangers:
        raise ConfigError(strangers)
    return config


def config_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of the configuration file."""
    return Config.model_json_schema()


def effective(config: Config) -> str:
    """What is in force, as YAML; secrets and passwords are masked."""
    return config_text.write_yaml(config_text.redacted(config.model_dump(mode="json")))


def site_secret(config: Config) -> bytes:
    """The site's secret. Made once (32 random bytes, mode 0600) where the operator named no file; processes
    that race get the same one.

    Raises:
        ConfigError: the file is missing though the operator named it, or is too short to be a secret.
    """
    path = config.secret_path
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        if config.site.secret_file is not None:
            raise ConfigError(["site.secret_file: there is no such file"]) from None
        secret = _make_secret(path)
    except OSError as error:
        raise ConfigError([f"site.secret_file: cannot be read ({error.strerror})"]) from None
    if len(secret) < SECRET_BYTES // 2:
        raise ConfigError([f"site.secret_file: must hold {SECRET_BYTES // 2} bytes or more"])
    return secret


def _make_secret(path: Path) -> bytes:
    """Writes a complete file beside `path` and links it there: whoever links first wins, nobody sees half of
    it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(8)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was faster: its secret is the secret
            os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return path.read_bytes()
