"""Which channels are installed, and the ones the configuration wants, built from their own checked blocks.

May import only the channels that are switched on; built-in ones come through the same door as all others.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points, packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError

from channels.contract import SITE_SECRET, Channel
from gateway.config_text import ConfigError, faults, nearest

if TYPE_CHECKING:
    from gateway.config import Config

GROUP: Final = "jiesu.channels"
DISTRIBUTION: Final = "jiesu"
PACKAGES: Final = ("gateway", "workers", "channels", "normalizer")


@dataclass(frozen=True, slots=True)
class _Site:
    """What a block need not say."""

    facts: Mapping[str, str]
    secret: Path | None
    folder: Path | None

    def given_to(self, config_type: type[BaseModel]) -> dict[str, Any]:
        """Those of it that this channel has a field for."""
        fields = config_type.model_fields
        given: dict[str, Any] = {key: value for key, value in self.facts.items() if key in fields}
        if self.secret is not None:
            given |= {name: self.secret for name, field in fields.items() if SITE_SECRET in field.metadata}
        return given


class Registry:
    """The channels that are installed, by name; nothing is imported until it is built.

    Raises:
        ConfigError: two distributions register one name.
    """

    def __init__(self, found: Iterable[EntryPoint] | None = None) -> None:
        self._found: dict[str, EntryPoint] = {}
        problems = []
        for entry in entry_points(group=GROUP) if found is None else found:
            other = self._found.setdefault(entry.name, entry)
            if other != entry:
                problems.append(f"channels.{entry.name}: both {_owner(other)} and {_owner(entry)} bring it")
        if problems:
            raise ConfigError(problems)

    def installed(self) -> dict[str, str]:
        """Channel name -> distribution and version that brings it."""
        return {name: _owner(entry) for name, entry in sorted(self._found.items())}

    def configured(self, config: Config) -> dict[str, Channel]:
        """The channels of `config`. A field `timezone` or `domain` that is left out is the site's, and so is the secret
        where a field asks for it (`SITE_SECRET`): whose own secret was forgotten does not get the one that signs
        everything. Relative paths lie below `data_dir`. Raises as `build`."""
        site = {"timezone": config.site.timezone, "domain": config.site.domain}
        return self.build(config.channels, site=site, secret=config.secret_path, folder=config.data_dir)

    def build(
        self,
        blocks: Mapping[str, Mapping[str, Any]],
        *,
        site: Mapping[str, str] | None = None,
        secret: Path | None = None,
        folder: Path | None = None,
    ) -> dict[str, Channel]:
        """The channels of the configuration's `channels`, each built with its own checked block; `site`: what a field
        of that name is when left out; `secret`: what a field that is marked `SITE_SECRET` is.

        Raises:
            ConfigError: every fault of every block: not installed, not importable, no channel, unknown key …
        """
        built: dict[str, Channel] = {}
        problems: list[str] = []
        for name, block in blocks.items():
            try:
                built[name] = self._build(self.find(name), block, _Site(site or {}, secret, folder))
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)
        return built

    def _build(self, kind: type[Channel], block: Mapping[str, Any], site: _Site) -> Channel:
        try:
            given = site.given_to(kind.config_type) | dict(block)
            config = _below(site.folder, kind.config_type.model_validate(given, extra="forbid"))
        except ValidationError as error:
            raise ConfigError(faults(kind.config_type, error, ("channels", kind.name))) from None
        try:
            return kind(config)
        except (OSError, ValueError) as error:
            raise ConfigError([f"channels.{kind.name}: cannot be built: {error}"]) from error

    def find(self, name: str) -> type[Channel]:
        """The class of the channel `name`, imported now.

        Raises:
            ConfigError: it is not installed, cannot be imported, or is no channel of that name.
        """
        entry = self._found.get(name)
        if entry is None:
            raise ConfigError([f"channels.{name}: no such channel is installed{nearest(name, self._found)}"])
        what = f"channels.{name}: {entry.value} of {_owner(entry)}"
        try:
            kind: Any = entry.load()
        except Exception as error:  # a third party's module may raise anything while it is imported
            raise ConfigError([f"{what} cannot be imported ({type(error).__name__})"]) from error
        if not _is_channel(kind) or kind.name != name:
            raise ConfigError([f"{what} is no channel named {name}"])
        channel: type[Channel] = kind
        return channel


def _below(folder: Path | None, config: BaseModel) -> BaseModel:
    """The block with its relative paths below `folder`, as everywhere in config.yaml."""
    if folder is None:
        return config
    update: dict[str, Path | BaseModel] = {}
    for name, value in config:
        if isinstance(value, Path):
            update[name] = folder / value
        elif isinstance(value, BaseModel):
            update[name] = _below(folder, value)
    return config.model_copy(update=update) if update else config


def _is_channel(kind: Any) -> bool:
    config_type = getattr(kind, "config_type", None)
    return (
        isinstance(kind, type)
        and isinstance(config_type, type)
        and issubclass(config_type, BaseModel)
        and all(callable(getattr(kind, method, None)) for method in ("parse", "run"))
        and isinstance(getattr(kind, "name", None), str)
    )


def _owner(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"


def owners(claims: Mapping[str, Iterable[str]] | None = None, home: Path | None = None) -> dict[str, str]:
    """Who owns each of our four import names: `jiesu`, or whoever overwrote or shadows it (the PyPI
    distribution `channels` does both silently).

    Args:
        claims: import name -> distributions that install it (default: the installed ones).
        home: the folder our packages lie in (default: where this one was imported from).
    """
    claimed = packages_distributions() if claims is None else claims
    ours = home or Path(__file__).resolve().parent.parent
    return {name: _owner_of(name, claimed.get(name, ()), ours) for name in PACKAGES}


def _owner_of(name: str, claimed: Iterable[str], home: Path) -> str:
    strangers = sorted({dist for dist in claimed if dist != DISTRIBUTION})
    spec = importlib.util.find_spec(name)
    origin = Path(spec.origin).resolve() if spec and spec.origin else None
    if origin is None or origin.parent != home / name:
        return ", ".join(strangers) or f"unknown ({origin})"
    # Imported from our folder. In site-packages two distributions can have written to the same folder.
    return ", ".join(strangers) if strangers and home.name == "site-packages" else DISTRIBUTION
