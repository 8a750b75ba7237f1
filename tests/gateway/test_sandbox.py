"""What `jiesu up --sandbox` refuses before anything is started, and what it configures."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import sandbox
from gateway.config import Config, ConfigError
from gateway.registry import Registry
from gateway.sandbox import Sandbox


def config(tmp_path: Path, **channels: dict[str, str]) -> Config:
    return Config.model_validate({"data_dir": tmp_path, "channels": channels})


def test_without_a_source_checkout_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "SOURCE", tmp_path)
    with pytest.raises(ConfigError, match="source checkout only"):
        Sandbox(config(tmp_path), "http://127.0.0.1:1")


@pytest.mark.parametrize("name", ["weibo", "wechat", "x"])
def test_beside_a_real_account_it_does_not_start(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"channels.{name} names an account"):
        Sandbox(config(tmp_path, **{name: {}}), "http://127.0.0.1:1")
    assert not (tmp_path / "sandbox").exists()


def test_the_channels_understand_what_it_configures_and_secrets_are_ours_alone(tmp_path: Path) -> None:
    played = Sandbox(config(tmp_path), "http://127.0.0.1:1")
    try:
        assert {"weibo", "wechat", "x"} <= set(Registry().configured(played.config))
        secrets = [path for path in (tmp_path / "sandbox").iterdir() if path.suffix != ".json"]
        assert len(secrets) == 10
        assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}
    finally:
        played.stop()
    assert sorted(path.name for path in (tmp_path / "sandbox").glob("*.json")) == [
        "wechat.json",
        "weibo.json",
        "x.json",
    ]
