"""The block `channels.phone` of config.yaml. May hold limits and places only."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from channels.fields import ZoneName

MIB = 1024 * 1024


class PhoneConfig(BaseModel):
    """Where calls come from and how large they may be."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    max_bytes: int = Field(default=32 * MIB, gt=0, description="Bytes of one call")
    inbox: Path | None = Field(default=None, description="A folder; each complete file in it is one call")
    settle: float = Field(default=2.0, ge=0, description="Seconds a file must not have changed to be complete")
    patience: float = Field(
        default=60.0, ge=0, description="Seconds a file that looks cut off must not have changed to be refused"
    )
    poll: float = Field(default=1.0, gt=0, description="Seconds between two looks into the inbox")
    doubtful_below: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Words with less confidence are listed in the notes of the ticket",
    )
    timezone: ZoneName = Field(
        default="Asia/Shanghai", description="Where a clock without a zone stands; left out: the site's"
    )
    vcon_keys: Path | None = Field(
        default=None, description="A file of public keys (JWK Set or PEM) that may have signed a vCon"
    )
