"""The block `alarms` of config.yaml: who is told at once of what, and who next when nobody acknowledges.

May not hold words: workers/words has them.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from normalizer.ticket import Flag, Tier
from workers.destinations.registry import DestinationConfig
from workers.lane import ALARMING
from workers.region import UnitId


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class PersonConfig(_Block):
    """Somebody on duty, told by a webhook (`via`), or by a channel that can reply (`channel` and `address`)."""

    level: int = Field(default=1, ge=1, description="1 is told at once, the next level when nobody acknowledged")
    via: DestinationConfig | None = None
    channel: str | None = Field(default=None, description="email or sms")
    address: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_channel = self.channel is not None and self.address is not None
        if by_channel == (self.via is not None) or (self.channel is None) != (self.address is None):
            raise ValueError("give either `via`, or `channel` and `address`")
        return self


class AlikeConfig(_Block):
    """So many tickets of one street under one rule of the catalogue within so many minutes are one alarm."""

    count: int = Field(default=5, ge=2)
    minutes: float = Field(default=60, gt=0)


class AlarmsConfig(_Block):
    """What alarms whom."""

    people: dict[UnitId, PersonConfig] = Field(default={}, description="By name; nobody: alarms are only listed")
    tiers: tuple[Tier, ...] = (Tier.IMMEDIATE,)
    flags: tuple[Flag, ...] = tuple(sorted(ALARMING))
    alike: AlikeConfig = AlikeConfig()
    escalate_after: Annotated[float, Field(gt=0)] = Field(
        default=600, description="Seconds without an acknowledgement until the next level is told"
    )
