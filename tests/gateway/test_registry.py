"""Channels are found by entry point, ours like everybody's; only what is switched on is imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

from gateway.config import Config, ConfigError
from gateway.registry import GROUP, PACKAGES, Registry, owners

MODULE = """
from typing import Any, ClassVar
from pydantic import BaseModel, Field

class SmsConfig(BaseModel):
    port: int = Field(default=9, ge=1)
    token_file: str | None = None
    domain: str = "none.example"

class Sms:
    name: ClassVar[str] = "fax"
    config_type: ClassVar[type[BaseModel]] = SmsConfig
    def __init__(self, config: SmsConfig, /) -> None:
        if config.port == 13:
            raise ValueError("port 13 is unlucky")
        self.config = config
    def parse(self, raw: Any) -> Any: ...
    async def run(self, host: Any) -> None: ...

class Nothing:
    name = "nothing"
"""
BROKEN = 'raise RuntimeError("hunter2")\n'


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two third-party distributions, as pip would have installed them."""
    for name, module, text in (("acme-sms", "acme_sms", MODULE), ("other-sms", "broken_sms", BROKEN)):
        info = tmp_path / f"{name.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (tmp_path / f"{module}.py").write_text(text)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        lines = {
            "acme-sms": "fax = acme_sms:Sms\nnothing = acme_sms:Nothing\nalias = acme_sms:Sms\n",
            "other-sms": "broken = broken_sms:Sms\nabsent = no_such_module_here:X\n",
        }[name]
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{lines}")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("acme_sms", None)


def refused(blocks: dict[str, dict[str, object]]) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        Registry().build(blocks)
    return caught.value.problems


def test_a_third_partys_channel_is_built_from_its_own_block(installed: Path) -> None:
    channels = Registry().build({"fax": {"port": 7}})
    assert list(channels) == ["fax"]
    assert channels["fax"].config.port == 7  # type: ignore[attr-defined]


def test_a_field_named_like_a_fact_of_the_site_follows_the_site_when_left_out(installed: Path) -> None:
    site = {"domain": "city.example", "timezone": "Asia/Shanghai"}  # a channel of text messages has no time zone
    follows = Registry().build({"fax": {}}, site=site)["fax"]
    own = Registry().build({"fax": {"domain": "sms.example"}}, site=site)["fax"]
    assert (follows.config.domain, own.config.domain) == ("city.example", "sms.example")  # type: ignore[attr-defined]


def test_only_a_field_that_asks_for_it_is_the_sites_secret_when_left_out(tmp_path: Path) -> None:
    """A forgotten `secret_file` of text messages was the site's: it would have gone to the vendor."""
    body = {"to": "{to}", "text": "{text}"}
    sms = {"url": "https://sms.example/v1", "json": body, "headers": {"Authorization": "Bearer {secret}"}}
    with pytest.raises(ConfigError) as refused:
        Registry().configured(Config(data_dir=tmp_path, channels={"email": {}, "sms": sms}))
    assert refused.value.problems == ("channels.sms: secret_file is missing",)
    plain = {"url": "https://sms.example/v1", "json": body}
    built = Registry().configured(Config(data_dir=tmp_path, channels={"email": {}, "sms": plain}))
    assert built["sms"]._config.secret_file is None  # type: ignore[attr-defined]
    assert built["email"]._config.secret_file == tmp_path / "secret"  # type: ignore[attr-defined]
    own = Registry().configured(Config(data_dir=tmp_path, channels={"email": {"secret_file": "mail-secret"}}))
    assert own["email"]._config.secret_file == tmp_path / "mail-secret"  # type: ignore[attr-defined]


def test_relative_files_of_a_block_within_a_block_lie_below_the_data_directory_too(tmp_path: Path) -> None:
    imap = {"host": "imap.example", "user": "hotline", "password_file": "p", "ca_file": "/etc/ca.pem"}
    channel = Registry().build({"email": {"imap": imap}}, folder=tmp_path)["email"]
    found = channel._config.imap  # type: ignore[attr-defined]
    assert (found.password_file, found.ca_file) == (tmp_path / "p", Path("/etc/ca.pem"))


def test_what_is_not_switched_on_is_not_imported(installed: Path) -> None:
    assert Registry().installed()["fax"] == "acme-sms 1.2"
    assert Registry().build({}) == {}
    assert "acme_sms" not in sys.modules


def test_an_unknown_key_is_an_error_with_its_path(installed: Path) -> None:
    """Though the third party's own model would have ignored it."""
    assert refused({"fax": {"porrt": 7, "port": 0}}) == (
        "channels.fax.port: Input should be greater than or equal to 1",
        "channels.fax.porrt: unknown key (did you mean port?)",
    )


def test_an_unknown_channel_lists_what_is_installed(installed: Path) -> None:
    (near,) = refused({"fix": {}})
    assert near == "channels.fix: no such channel is installed (did you mean fax?)"
    (far,) = refused({"carrier_pigeon": {}})
    assert "(known: " in far
    assert "fax" in far


def test_every_fault_of_every_block_is_told_at_once(installed: Path) -> None:
    found = refused({"broken": {}, "absent": {}, "nothing": {}, "alias": {}, "fax": {"port": 13}})
    assert [problem.split(":")[0] for problem in found] == [
        "channels.broken",
        "channels.absent",
        "channels.nothing",
        "channels.alias",
        "channels.fax",
    ]
    assert "broken_sms:Sms of other-sms 1.2 cannot be imported (RuntimeError)" in found[0]
    assert "cannot be imported (ModuleNotFoundError)" in found[1]
    assert "is no channel named nothing" in found[2]
    assert "is no channel named alias" in found[3]
    assert found[4] == "channels.fax: cannot be built: port 13 is unlucky"
    assert "hunter2" not in "".join(found)


def test_two_distributions_that_bring_one_name_are_refused(installed: Path) -> None:
    mine, other = (
        EntryPoint("fax", f"{module}:Sms", GROUP)._for(dist)  # type: ignore[attr-defined]
        for module in ("acme_sms", "broken_sms")
        for dist in distributions()
        if dist.name == {"acme_sms": "acme-sms", "broken_sms": "other-sms"}[module]
    )
    with pytest.raises(ConfigError, match=r"channels.fax: both acme-sms 1.2 and other-sms 1.2 bring it"):
        Registry([mine, other])


def test_the_built_in_channel_comes_through_the_same_door() -> None:
    assert Registry().installed()["web"].startswith("jiesu ")


def test_our_four_names_are_ours() -> None:
    assert owners() == dict.fromkeys(PACKAGES, "jiesu")


def test_a_distribution_that_wrote_into_our_packages_is_named(tmp_path: Path) -> None:
    """As the PyPI distribution `channels` does to a site-packages that holds us."""
    site = tmp_path / "site-packages"
    claims = {name: ["jiesu"] for name in PACKAGES} | {"channels": ["jiesu", "channels"]}
    for name in PACKAGES:
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").touch()
    script = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import importlib.util as u\n"
        "origins = {n: u.find_spec(n).origin for n in ('channels', 'workers')}\n"
        "print(origins['channels'].startswith(sys.argv[1]))"
    )
    shadowed = subprocess.run([sys.executable, "-c", script, str(site)], capture_output=True, text=True, check=True)
    assert shadowed.stdout == "True\n"
    found = owners(claims, home=site)
    assert found["channels"] == "channels"


def test_a_package_that_is_imported_from_elsewhere_is_not_ours(tmp_path: Path) -> None:
    found = owners({}, home=tmp_path)
    assert all(owner.startswith("unknown (") for owner in found.values())
