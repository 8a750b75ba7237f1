"""The wheel carries everything that runs: built, installed in a clean environment, used from another directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.waiting import HANGS

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
CARRIED = (".yaml", ".html", ".toml", ".json", ".lua", ".css", ".typed", ".jinja", ".txt")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=5 * HANGS)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean environment's bin: the wheel itself; what it depends on is lent by ours, without our editable copy."""
    home = tmp_path_factory.mktemp("环境 one") / "env"
    venv.create(home, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(home / "bin" / "python")]
    done = subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)],
        capture_output=True,
        text=True,
        timeout=5 * HANGS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lent = home / "lent"
    lent.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "jiesu" not in path.name.lower():
            (lent / path.name).symlink_to(path)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text(f"{lent}\n", "utf-8")
    return home / "bin"


def run(installed: Path, folder: Path, *words: str) -> str:
    """What the installed command prints, in another directory, with nothing of ours in the environment."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(("JIESU_", "PYTHON"))}
    done = subprocess.run(
        [installed / "jiesu", *words], cwd=folder, env=kept, capture_output=True, text=True, timeout=HANGS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_every_file_the_packages_hold(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    for package in ("normalizer", "channels", "workers", "gateway"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and path.suffix in (".py", *CARRIED):
                assert path.relative_to(ROOT).as_posix() in held
    assert "gateway/config.yaml" in held
    assert not any(name.startswith(("tests/", "docs/", "benchmarks/", "examples/")) for name in held)


def test_the_installed_command_runs_from_any_directory(installed, tmp_path):
    folder = tmp_path / "诉求 一"
    folder.mkdir()
    (folder / "request.json").write_text('{"text": "鼓楼区五一北路 88 号路灯坏了"}', "utf-8")
    assert "normalize" in run(installed, folder, "--help")
    assert "data_dir:" in run(installed, folder, "config", "print")
    (line,) = run(installed, folder, "normalize", "web", "request.json").splitlines()
    assert json.loads(line)["text"] == "鼓楼区五一北路 88 号路灯坏了"
    assert json.loads(run(installed, folder, "schema", "openapi"))["openapi"] == "3.1.1"
    listed = [json.loads(line)["name"] for line in run(installed, folder, "channels", "list", "--json").splitlines()]
    assert listed == ["desk", "email", "phone", "sms", "web", "wechat", "weibo", "x"]
    where = [installed / "python", "-c", "import gateway; print(gateway.__path__[0])"]
    imported = subprocess.run(where, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert imported.startswith(str(installed.parent)), "not the source tree"


def test_a_new_channel_can_be_made_from_the_installed_package(installed, tmp_path):
    folder = tmp_path / "新渠道"
    folder.mkdir()
    run(installed, folder, "channels", "new", "night_line", "--to", str(folder))
    assert list(folder.rglob("*.py"))
