"""The block `dispatch` of config.yaml: whose units and catalogue are used, and how each unit is reached.

May not hold a rule: a region's folder does.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from normalizer.config import ModelFile
from workers.destinations.email import EmailConfig
from workers.destinations.file import FileConfig
from workers.destinations.webhook import WebhookConfig
from workers.region import UnitId

UnitConfig = Annotated[FileConfig | WebhookConfig | EmailConfig, Field(discriminator="type")]
"""As a destination, or by email."""


class DispatchConfig(BaseModel):
    """Who is accountable for what, and how they hear of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    region: str = Field(
        default="beijing",
        min_length=1,
        description="The name of a region that comes with us, or a folder of the site's",
    )
    suggest: ModelFile | None = Field(
        default=None, description="Model of `jiesu train units`: asked where no rule decides who should take a ticket"
    )
    units: dict[UnitId, UnitConfig] = Field(
        default={}, description="Units that are told by push, and how; the others fetch their list"
    )

    @property
    def mailboxes(self) -> dict[str, str]:
        """The address of each unit that is reached by email."""
        return {unit: block.to for unit, block in self.units.items() if isinstance(block, EmailConfig)}
