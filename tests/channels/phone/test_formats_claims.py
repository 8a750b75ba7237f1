"""No document belongs to two readers: every fixture and every real sample, shown to every reader there is."""

import importlib
import json
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

from channels.phone import formats

FIXTURES = Path(__file__).parent / "fixtures"
SAMPLES = Path(__file__).parents[3] / "../shared/data/phone"
OURS = frozenset({"dashscope", "funasr", "iflytek", "tencent", "srt", "webvtt", "plain"})
"""The readers of which this file knows who made each fixture and each sample."""
MADE_OF_OURS = sorted(path for name in OURS for path in FIXTURES.glob(f"{name}/*") if path.is_file())


def readers() -> dict[str, ModuleType]:
    names = [module.name for module in pkgutil.iter_modules(formats.__path__)]
    modules = [importlib.import_module(f"channels.phone.formats.{name}") for name in names]
    return {module.NAME: module for module in modules if hasattr(module, "recognise")}


def claims(path: Path) -> set[str]:
    text = path.read_bytes().decode("utf-8", "replace")
    try:
        document: object = json.loads(text)
    except ValueError:
        document = text
    return {name for name, reader in readers().items() if reader.recognise(document)}


def expected(path: Path) -> set[str]:
    """Which of our readers a real sample is for: the samples of a folder come from one service, but for zh_snippets."""
    folder = path.relative_to(SAMPLES).parts[0]
    if folder == "zh_snippets":
        return {path.name.partition("_")[0]}
    return {"srt"} if folder == "asr_videocaptioner" else set()


@pytest.mark.parametrize("path", MADE_OF_OURS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_fixture_is_claimed_by_its_own_reader_only(path: Path) -> None:
    assert claims(path) == {path.parent.name}


def test_every_real_sample_is_claimed_at_most_once_and_by_the_service_that_made_it() -> None:
    paths = sorted(path for path in SAMPLES.rglob("*") if path.is_file()) if SAMPLES.exists() else []
    if not paths:
        pytest.skip("the shared samples are not on this machine")
    found = {str(path.relative_to(SAMPLES)): (claims(path), expected(path)) for path in paths}
    assert {name: claimed for name, (claimed, _) in found.items() if len(claimed) > 1} == {}
    assert {name: claimed for name, (claimed, right) in found.items() if claimed & OURS != right} == {}
