"""From the block `destinations.<name>` of the configuration to the destination itself.
The only place that knows every type; may not open anything but secret files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from workers.destinations.contract import Brake, Destination
from workers.destinations.file import FileConfig, FileDestination
from workers.destinations.webhook import WebhookConfig, WebhookDestination, read_secrets

DEFAULT_FILE: Final = "delivered.jsonl"

DestinationConfig = Annotated[FileConfig | WebhookConfig, Field(discriminator="type")]


def build(name: str, config: FileConfig | WebhookConfig, data_dir: Path, brake: Brake) -> Destination:
    """The destination that `config` describes; relative paths are below `data_dir`.

    Raises:
        OSError: a secret file cannot be read.
        ValueError: a secret file holds no usable secret.
    """
    match config:
        case FileConfig():
            return FileDestination(name, file_path(config, data_dir))
        case WebhookConfig():
            return WebhookDestination(name, config, read_secrets(data_dir / config.secret_file), brake)


def file_path(config: FileConfig, data_dir: Path) -> Path:
    """Where a destination of type `file` writes."""
    return data_dir / (config.path or DEFAULT_FILE)
