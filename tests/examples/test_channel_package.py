"""A channel is added by installing a package: no line of our tree changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.waiting import HANGS

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/channel-package"

FIND = """
import json
from importlib.metadata import entry_points
print(json.dumps({entry.name: entry.load().__name__ for entry in entry_points(group="jiesu.channels")}))
"""


def run(*command: str, cwd: Path, path: Path | None = None) -> str:
    """The output of a Python started in `cwd`, which sees our packages and what is installed in `path`."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, filter(None, (path, ROOT))))}
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=5 * HANGS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example built as a wheel and installed into a folder of its own, without any network."""
    work = tmp_path_factory.mktemp("package")
    source = shutil.copytree(EXAMPLE, work / "source", ignore=shutil.ignore_patterns("__pycache__", "dist"))
    run(
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--skip-dependency-check",
        "--outdir",
        str(work),
        cwd=source,
    )
    (wheel,) = work.glob("*.whl")
    target = work / "site"
    run(
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(target),
        str(wheel),
        cwd=work,
    )
    with zipfile.ZipFile(wheel) as archive:
        assert [name for name in archive.namelist() if "dist-info" not in name] == ["acme_sms.py"]
    return target


def test_it_is_one_short_file() -> None:
    assert len((EXAMPLE / "acme_sms.py").read_text("utf-8").splitlines()) <= 60


def test_it_is_found_beside_ours_by_its_entry_point(installed: Path, tmp_path: Path) -> None:
    found = json.loads(run("-c", FIND, cwd=tmp_path, path=installed))
    assert found["acme"] == "Sms"
    assert found["web"] == "Web"


def test_it_is_unknown_where_it_is_not_installed(tmp_path: Path) -> None:
    assert "acme" not in json.loads(run("-c", FIND, cwd=tmp_path))


def test_it_passes_the_kit_as_its_author_runs_it(installed: Path, tmp_path: Path) -> None:
    for name in ("test_acme_sms.py", "pyproject.toml"):
        shutil.copy(EXAMPLE / name, tmp_path)
    report = run("-m", "pytest", "--rootdir", str(tmp_path), "test_acme_sms.py", cwd=tmp_path, path=installed)
    assert " passed" in report
    assert "failed" not in report
