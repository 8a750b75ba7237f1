"""Structured logs without personal data, by construction: a value is written only under a key known to be
harmless and only if it looks like what that key holds; all else reads `[redacted]`. May not write an
exception's message, a local variable, or a library's formatted message.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Mapping, MutableMapping
from datetime import date
from enum import Enum
from os import PathLike, fspath
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TextIO

import structlog

if TYPE_CHECKING:
    from gateway.config import LogConfig

REDACTED: Final = "[redacted]"
OURS: Final = ("gateway", "workers", "channels", "normalizer")
LIBRARIES: Final = ("aiohttp", "asyncio", "rq", "redis", "concurrent", "multiprocessing")
"""Loggers whose message templates (never the arguments) may be shown."""

WORDS: Final = frozenset(
    """
    after alias apart attempt attempts attempted batch before blob bytes calls cause channel channels code consumer
    count cursor days db deadline delay deliveries delivered destination digest dropped due duration elapsed entry
    error errors event_id event_type exit_code failed field fields files frames free gateway gateway_id
    group groups host id index inflight job job_id key kind lag lane last_id latency left length level
    lease limit listen logger max method min missing module moved next_at nice number offset operation
    origin outcome owner parent parked pending percent pid policy pool port problem progress queue queued received
    reference rejected remaining reoffered restart_in retries retry_in role route row rows run_id runtime scope
    scopes script seconds sequence server set_aside shard sha256 signal site size slept socket spool
    sql_code state status step steps stream taken ticket ticket_id tickets tier timeout token_id total
    trimmed type unqueued url_host user_version uuid version waited watermark worker workers
    """.split()  # noqa: SIM905 (150 quoted words are harder to read)
)
"""Keys for ids, codes and counts: numbers, and strings without blanks or anything outside ASCII."""
PATHS: Final = frozenset({"path", "file", "folder", "directory", "data_dir", "config"})
"""Keys for names of files and folders of the installation."""
SENTENCES: Final = frozenset({"reason", "detail", "library_template"})
"""Keys for a sentence that a programmer wrote: printable ASCII."""

_EVENT: Final = re.compile(r"[a-z][a-z0-9_.]{0,63}")
_WORD: Final = re.compile(r"[A-Za-z0-9_.:/@#+*<>=,{}\[\]-]{0,160}")
_SENTENCE: Final = re.compile(r"[ -~]{0,300}")
_PERSONAL: Final = re.compile(
    r"[^\s@/:]+@[^\s@/]+\.[A-Za-z]{2,}"  # e-mail
    r"|(?<![0-9A-Za-z])[0-9]{17}[0-9Xx](?![0-9A-Za-z])"  # Resident ID (GB 11643)
    r"|(?<![0-9A-Za-z])(?:\+?86[ -]?)?1[3-9][0-9](?:[ -]?[0-9]{4}){2}(?![0-9A-Za-z])"  # mobile
    r"|\+[0-9]{7,15}(?![0-9])"  # E.164
    r"|(?<![0-9A-Za-z])0[0-9]{2,3}[ -]?[0-9]{7,8}(?![0-9A-Za-z])"  # landline with area code
)

Event = MutableMapping[str, Any]


def redact(_logger: object, _method: str, event: Event) -> Mapping[str, Any]:
    """Keeps what is known to be harmless (a structlog processor)."""
    name = event.pop("event", "")
    stamp = event.pop("timestamp", None)
    level = event.pop("level", None)
    kept: dict[str, Any] = {"timestamp": stamp, "level": level}
    kept["event"] = name if isinstance(name, str) and _EVENT.fullmatch(name) else REDACTED
    for key, value in event.items():
        kept[key if _EVENT.fullmatch(key) else REDACTED] = _value(key, value)
    return kept


def _value(key: str, value: object) -> object:
    if key in WORDS:
        return _checked(value, _WORD, key)
    if key in SENTENCES:
        return _checked(value, _SENTENCE, key)
    if key in PATHS and isinstance(value, str | PathLike):
        return scrub(str(fspath(value)))
    return REDACTED


def _checked(value: object, shape: re.Pattern[str], key: str) -> object:
    match value:
        case None | bool() | int() | float() if not isinstance(value, Enum):
            return value
        case Enum():
            return _checked(value.value, shape, key)
        case str():
            if not shape.fullmatch(value):
                return REDACTED
            # A ticket number has the length of a Resident ID, and is not one.
            return value if key == "number" and value.isdigit() else scrub(value)
        case date():
            return value.isoformat()
        case BaseException() | type():
            return (value if isinstance(value, type) else type(value)).__qualname__
        case list() | tuple() | set() | frozenset():
            return [_checked(item, shape, key) for item in value]
        case _:
            return REDACTED


def scrub(text: str) -> str:
    """`text` without anything shaped like an e-mail address, a Resident ID or a phone number."""
    return _PERSONAL.sub(REDACTED, text)


def exceptions(_logger: object, _method: str, event: Event) -> Event:
    """A structlog processor: instead of exc_info the types of the exception and its causes, and our own
    frames."""
    event.pop("stack_info", None)
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()[1]
    elif isinstance(found, tuple):
        found = found[1]
    if isinstance(found, BaseException):
        event["error"] = type(found).__qualname__
        causes = _causes(found)
        if causes:
            event["cause"] = causes
        event["frames"] = _frames(found)
    return event


def _causes(error: BaseException) -> list[str]:
    names: list[str] = []
    seen = {id(error)}
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        names.append(type(cause).__qualname__)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return names


def _frames(error: BaseException) -> list[str]:
    """`module:function:line`, ours only, and the place where it was raised whosever that is."""
    frames: list[str] = []
    step = error.__traceback__
    while step is not None:
        module = str(step.tb_frame.f_globals.get("__name__", "?"))
        if module.split(".")[0] in OURS or step.tb_next is None:
            frames.append(f"{module}:{step.tb_frame.f_code.co_qualname}:{step.tb_lineno}")
        step = step.tb_next
    return frames


class _Bridge(logging.Handler):
    """Sends the standard library's log records through the same processors. The arguments of a message may be
    anything, so only the template of known libraries is kept, and where it was logged."""

    def emit(self, record: logging.LogRecord) -> None:
        facts: dict[str, Any] = {
            "logger": record.name,
            "origin": f"{record.module}:{record.funcName}:{record.lineno}",
        }
        if record.args and record.name.split(".")[0] in LIBRARIES:
            facts["library_template"] = str(record.msg)
        exc_info = record.exc_info[1] if record.exc_info else None
        level = min(logging.CRITICAL, max(logging.DEBUG, record.levelno // 10 * 10))  # libraries invent levels
        structlog.get_logger().log(level, "library_message", exc_info=exc_info, **facts)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the library's name)
        """The library would print the message with its arguments to stderr."""


def setup(config: LogConfig, stream: TextIO | None = None) -> None:
    """Configures structlog, the standard library's logging, and what becomes of uncaught exceptions, for the
    whole process. `stream`: standard error when left out."""
    out = stream or sys.stderr
    in_colour = config.format == "console" or (config.format == "auto" and out.isatty())
    level = logging.getLevelNamesMapping()[config.level.upper()]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=out.isatty()) if in_colour else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            exceptions,
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Bridge()], level=max(level, logging.WARNING), force=True)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _uncaught(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        structlog.get_logger().critical("uncaught_exception", exc_info=error)


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        structlog.get_logger().critical("uncaught_exception", exc_info=args.exc_value)
