"""The block `linking` of config.yaml: which earlier tickets a new one is compared with, and when a person is asked.

May not hold weights: the model in normalizer/data has them.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class LinkingConfig(BaseModel):
    """Same citizen and matter: a repeat. Other citizens, same place and matter: one incident."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    days: float = Field(default=90, gt=0, description="How long a ticket is remembered")
    tickets: int = Field(default=1_000_000, ge=1000, description="How many at most; the oldest go first")
    threshold: float | None = Field(
        default=None, ge=0, le=1, description="From which score on tickets are linked; null: as the model was measured"
    )
    ask: float = Field(
        default=0.95, ge=0, le=1, description="From which score on a person decides about a repeat; 1: never asked"
    )
