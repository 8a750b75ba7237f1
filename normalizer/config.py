"""What a site can choose about normalizing. Preferences only: may not hold what a step needs to be right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from normalizer import models
from normalizer.personal.data import Kind as PersonalKind
from normalizer.places import gazetteer
from normalizer.taxonomy import DEFAULT, taxonomies

OptionalStep = Literal[
    "contact", "masking", "form", "kind", "category", "place", "when", "language", "urgency", "flags"
]


def _digits(said: object) -> object:
    """YAML reads a code as a number."""
    return str(said) if isinstance(said, int) and not isinstance(said, bool) else said


def _site(said: str) -> str:
    gazetteer.site(said)
    return said


def _zone(said: str) -> str:
    try:
        ZoneInfo(said)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("no time zone of that name") from error
    return said


def _model(said: Path) -> Path:
    """A model that cannot be read must be found at start, not by every ticket."""
    path = said.expanduser().absolute()
    try:
        models.load(path)
    except OSError as error:
        raise ValueError(error.strerror or type(error).__name__) from error
    return path


def _taxonomy(said: str) -> str:
    if said not in taxonomies():
        raise ValueError(f"one of: {', '.join(taxonomies())}")
    return said


ModelFile = Annotated[Path, AfterValidator(_model)]


class ModelsConfig(BaseModel):
    """A site's own models instead of those that come with us (`jiesu train`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    category: ModelFile | None = Field(default=None, description="File made by `jiesu train category`")
    kind: ModelFile | None = Field(default=None, description="File made by `jiesu train kind`")


class NormalizerConfig(BaseModel):
    """The `normalizer` block of config.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = Field(
        default="CN", description="ISO 3166-1 region in which phone numbers without a country code are read"
    )
    city: Annotated[str, BeforeValidator(_digits), AfterValidator(_site)] | None = Field(
        default=None,
        description="The site's own city, county or province, by name or by GB/T 2260 code: what short names, streets "
        "and names that several places have are taken for",
    )
    mask: tuple[PersonalKind, ...] = Field(
        default=("resident_id", "permit", "bank_card"),
        description="What is masked in title, text, place, conversation, names of files; requester's fields stay",
    )
    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        default="Asia/Shanghai", description="IANA name: what 昨晚 means; left out: as `site.timezone`"
    )
    models: ModelsConfig = Field(
        default=ModelsConfig(), description="Models of the site instead of those that come with us"
    )
    taxonomy: Annotated[str, AfterValidator(_taxonomy)] = Field(
        default=DEFAULT, description="In whose classes `category` is told: petitions, domains, baltimore"
    )
    off: tuple[OptionalStep, ...] = Field(
        default=(), description="Steps to leave out; text and title cannot be left out"
    )
