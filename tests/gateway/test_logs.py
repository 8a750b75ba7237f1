"""Nothing personal is logged, whatever a programmer passes: keys and shapes decide, not care."""

from __future__ import annotations

import ast
import asyncio
import io
import json
import logging
import re
import sys
import threading
import warnings
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import logs
from gateway.config import LogConfig

ROOT = Path(__file__).resolve().parents[2]
log = structlog.get_logger("tests")

phones = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
ids = st.from_regex(r"[1-9][0-9]{16}[0-9X]", fullmatch=True)
emails = st.from_regex(r"[a-z]{3,8}\.[a-z]{3,8}@[a-z]{3,8}\.(com|cn)", fullmatch=True)
words = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=2, max_size=30)
personal = st.one_of(phones, ids, emails, words)
same_stream = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@same_stream
@given(
    value=st.one_of(personal, st.text(min_size=4)),
    key=st.sampled_from(["name", "phone", "email", "text", "body"]),
)
def test_values_under_personal_keys_never_appear(written: Any, key: str, value: str) -> None:
    log.info("ticket_opened", ticket_id="t1", **{key: value})
    log.info("ticket_opened", **{key: [{"inner": value}]})
    first, second = written.take()
    assert first[key] == second[key] == logs.REDACTED
    assert first["ticket_id"] == "t1"


@same_stream
@given(value=personal, key=st.sampled_from(sorted(logs.WORDS - {"number"} | logs.SENTENCES)))
def test_personal_shapes_never_appear_under_harmless_keys_either(written: Any, key: str, value: str) -> None:
    log.info("x", **{key: value} if key not in ("event", "level") else {})
    log.info("x", reason=f"sent by {value} today", url_host=value)
    log.info(value)
    log.info("%s wrote", value)
    text = written.text
    written.take()
    assert value not in text.encode().decode("unicode_escape") or key in ("event", "level")


@same_stream
@given(value=st.text(min_size=5))
def test_messages_of_exceptions_never_appear(written: Any, value: str) -> None:
    name = f"secret-{value}"
    try:
        try:
            raise KeyError(name)
        except KeyError as error:
            raise ValueError(name) from error
    except ValueError:
        log.exception("failed")
        logging.getLogger("aiohttp.server").exception("Error from %s", name)
    own, library = written.take()
    assert (own["error"], own["cause"]) == ("ValueError", ["KeyError"])
    assert library["library_template"] == "Error from %s"
    assert library["error"] == "ValueError"
    assert "secret-" not in json.dumps([own, library])


def test_what_operators_need_is_there(written: Any) -> None:
    class State(StrEnum):
        PARKED = "parked"

    log.warning(
        "row_parked",
        number="20261123000000017",
        ticket_id="t" + "a" * 26,
        state=State.PARKED,
        attempts=3,
        elapsed=0.25,
        path=Path("/var/数据/spool.db"),
        error=ValueError("x"),
        groups=("dispatch", "archive"),
        reason="the disk is almost full",
        uuid="550e8400-e29b-41d4-a716-446655440000",
    )
    (event,) = written.take()
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "level": "warning",
        "event": "row_parked",
        "number": "20261123000000017",
        "ticket_id": "t" + "a" * 26,
        "state": "parked",
        "attempts": 3,
        "elapsed": 0.25,
        "path": "/var/数据/spool.db",
        "error": "ValueError",
        "groups": ["dispatch", "archive"],
        "reason": "the disk is almost full",
        "uuid": "550e8400-e29b-41d4-a716-446655440000",
    }


def test_our_own_frames_tell_where_it_happened(written: Any) -> None:
    from gateway.config import split_address

    try:
        split_address("nowhere")
    except ValueError:
        log.exception("failed")
    (event,) = written.take()
    assert re.fullmatch(r"gateway\.config:split_address:\d+", event["frames"][-1])


def test_a_librarys_words_are_kept_only_as_template(written: Any) -> None:
    logging.getLogger("rq.worker").error("Job %s of %s failed", "13800138000", "张三")
    logging.getLogger("asyncio").error("Task exception was never retrieved: ValueError('张三')")
    logging.getLogger("acme.sms").error(f"from {'13800138000'} %s", 1)
    job, task, stranger = written.take()
    assert job["library_template"] == "Job %s of %s failed"
    assert job["logger"] == "rq.worker"
    assert job["origin"].startswith("test_logs:test_a_librarys_words")
    assert "library_template" not in task
    assert "library_template" not in stranger


async def test_asyncios_own_complaints_go_the_same_way(written: Any) -> None:
    handler = {"message": "lost 13800138000", "exception": ValueError("张三")}
    asyncio.get_running_loop().call_exception_handler(handler)
    (event,) = written.take()
    assert (event["event"], event["logger"], event["error"]) == ("library_message", "asyncio", "ValueError")
    assert "138" not in json.dumps(event)


def test_warnings_and_uncaught_exceptions_go_the_same_way(written: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("张三", UserWarning, stacklevel=1)

    def fails() -> None:
        raise ValueError("张三")

    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    try:
        fails()
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    warning, in_thread, uncaught = written.take()
    assert warning["logger"] == "py.warnings"
    assert [in_thread["error"], uncaught["error"]] == ["ValueError", "ValueError"]
    assert "张" not in json.dumps([warning, in_thread, uncaught], ensure_ascii=False)


def test_a_handler_that_fails_does_not_print_the_record(written: Any, capsys: pytest.CaptureFixture[str]) -> None:
    class Hostile:
        def __str__(self) -> str:
            raise ValueError("13800138000")

    (bridge,) = (one for one in logging.getLogger().handlers if type(one).__module__ == logs.__name__)
    for level, message in ((logging.ERROR, "%s"), (47, "%s of an invented level"), (1, "%d %d %d")):
        bridge.handle(logging.LogRecord("redis", level, __file__, 1, message, (Hostile(),), None))
    assert [event["level"] for event in written.take()] == ["error", "error", "debug"]
    assert capsys.readouterr().err == ""


def test_levels_below_the_chosen_one_are_not_written() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    before, level, hooks = list(root.handlers), root.level, (sys.excepthook, threading.excepthook)
    try:
        logs.setup(LogConfig(format="json", level="warning"), stream)
        log.info("quiet")
        log.warning("loud")
        logging.getLogger("rq").info("quiet %s", 1)
        assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]
        logs.setup(LogConfig(format="console", level="info"), stream)
        log.info("for_people", count=3)
        assert "for_people" in stream.getvalue().splitlines()[-1]
    finally:
        structlog.reset_defaults()
        logging.captureWarnings(False)
        root.handlers[:] = before
        root.setLevel(level)
        sys.excepthook, threading.excepthook = hooks


def _logged(tree: ast.AST) -> list[tuple[ast.expr, list[str]]]:
    """The first argument and the keywords of every call of `log.<level>(…)`."""
    levels = {"debug", "info", "warning", "error", "critical", "exception"}
    return [
        (node.args[0], [keyword.arg or "**" for keyword in node.keywords])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in levels
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "log"
        and node.args
    ]


@pytest.mark.parametrize("package", ["gateway", "workers", "channels", "normalizer"])
def test_every_event_in_our_code_is_a_code_and_every_key_is_shown(package: str) -> None:
    known = logs.WORDS | logs.SENTENCES | logs.PATHS | {"exc_info"}
    for file in (ROOT / package).rglob("*.py"):
        for event, keys in _logged(ast.parse(file.read_text("utf-8"))):
            assert isinstance(event, ast.Constant), f"{file}:{event.lineno}: an event is a literal"
            assert re.fullmatch(r"[a-z][a-z0-9_.]*", str(event.value)), f"{file}:{event.lineno}: {event.value!r}"
            assert set(keys) <= known, f"{file}:{event.lineno}: {set(keys) - known} would be redacted"
