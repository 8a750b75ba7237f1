"""What a site can choose about normalizing. Preferences only: may not hold what a step needs to be right."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

OptionalStep = Literal["resident_id", "contact", "form", "language", "urgency"]


class NormalizerConfig(BaseModel):
    """The `normalizer` block of config.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = Field(
        default="CN", description="ISO 3166-1 region in which phone numbers without a country code are read"
    )
    off: tuple[OptionalStep, ...] = Field(
        default=(), description="Steps to leave out; text and title cannot be left out"
    )
