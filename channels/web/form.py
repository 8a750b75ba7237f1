"""The form of people: works without JavaScript, names all mistakes at once, keeps what was typed.

May not lose a word: whatever goes wrong, the page that says so holds the text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from aiohttp import web

from channels import problem
from channels.contract import Host
from channels.web.bodies import MULTIPART, URLENCODED
from channels.web.config import MIB, WebConfig
from channels.web.follow_up import CHANNEL
from channels.web.pages import CATALOGUE, language, page
from channels.web.parse import HONEYPOT, parse, read_form
from channels.web.receive import TransportError, read, submit
from normalizer.errors import Fault, Rejected, TryAgain
from normalizer.ticket import Flag, Raw

ALLOWED: Final = (MULTIPART, URLENCODED)
FIELDS: Final = (
    "text",
    "title",
    "kind",
    "place",
    "occurred_at",
    "attachments",
    "name",
    "phone",
    "email",
    "anonymous",
    "confidential",
    HONEYPOT,
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One line of the error summary."""

    field: str
    message: str


class Form:
    """GET / and POST /."""

    def __init__(self, host: Host, config: WebConfig) -> None:
        self._host = host
        self._config = config

    async def show(self, request: web.Request) -> web.StreamResponse:
        """An empty form with a new submission id, so that pressing the button twice is one request."""
        return self._page(request, HTTPStatus.OK, {}, [], str(uuid4()))

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """The receipt, or the form again with what must be corrected."""
        try:
            body, content_type = await read(request, ALLOWED, self._config)
        except TransportError as error:
            if error.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                return problem.problem(error.status, error.code, error.detail)
            faults = [Fault("/attachments", "too_large", error.detail)]
            return self._page(request, error.status, {}, self._mistakes(request, faults), str(uuid4()))
        raw = Raw(
            channel=CHANNEL,
            source_id="",
            received_at=datetime.now(UTC),
            body=body,
            content_type=content_type,
            meta={"via": "form"},
        )
        return await self._take(request, raw)

    async def _take(self, request: web.Request, raw: Raw) -> web.StreamResponse:
        values: dict[str, str] = {}
        submission = str(uuid4())
        try:
            values = read_form(raw).fields
            submission = _submission(values.get("submission_id", "")) or submission
            named = Raw(
                channel=raw.channel,
                source_id=f"form:{submission}",
                received_at=raw.received_at,
                body=raw.body,
                content_type=raw.content_type,
                meta=raw.meta,
            )
            receipt = await submit(self._host, named, parse, self._config)
        except Rejected as error:
            if error.code == "conflict":  # gone back and changed: the next press is a request of its own
                submission = str(uuid4())
            mistakes = self._mistakes(request, error.faults or [Fault("", error.code, error.detail)])
            return self._page(request, HTTPStatus.UNPROCESSABLE_ENTITY, values, mistakes, submission)
        except TryAgain as error:
            return self._busy(request, values, submission, error.after)
        except Exception as error:  # not on disk. The message may quote the citizen: not logged
            log.error("web.not_accepted", error=type(error).__name__)
            return self._busy(request, values, submission, problem.RETRY_AFTER)
        status = HTTPStatus.OK if receipt.duplicate else HTTPStatus.CREATED
        return page(
            request,
            "receipt.html",
            status,
            receipt=receipt,
            emergency=Flag.EMERGENCY in receipt.flags,
            mistakes=[],
        )

    def _busy(self, request: web.Request, values: dict[str, str], submission: str, after: float) -> web.StreamResponse:
        mistakes = self._mistakes(request, [Fault("", "try_again", "")])
        response = self._page(request, HTTPStatus.SERVICE_UNAVAILABLE, values, mistakes, submission)
        response.headers["Retry-After"] = str(max(1, math.ceil(after)))
        return response

    def _page(
        self,
        request: web.Request,
        status: HTTPStatus,
        values: dict[str, str],
        mistakes: list[Mistake],
        submission: str,
    ) -> web.Response:
        limits = self._config.attachments
        return page(
            request,
            "form.html",
            status,
            values=values,
            mistakes=mistakes,
            wrong={mistake.field: mistake.message for mistake in reversed(mistakes)},
            submission_id=submission,
            honeypot=HONEYPOT,
            max_text=self._config.max_text,
            max_files=limits.max_count,
            max_mib=limits.max_bytes // MIB,
        )

    def _mistakes(self, request: web.Request, faults: list[Fault] | tuple[Fault, ...]) -> list[Mistake]:
        words = CATALOGUE[language(request)]["faults"]
        mistakes = [_mistake(fault, words) for fault in faults]
        return sorted(dict.fromkeys(mistakes), key=lambda mistake: FIELDS.index(mistake.field))


def _mistake(fault: Fault, words: dict[str, Any]) -> Mistake:
    """In the reader's language: the words for this field and code, else for the code, else for anything."""
    name = fault.pointer.split("/")[1] if fault.pointer else ""
    field = name if name in FIELDS else "text"
    own = words.get(field, {}) if name else {}
    return Mistake(field, own.get(fault.code) or words["any"].get(fault.code) or words["any"]["invalid"])


def _submission(value: str) -> str | None:
    """The hidden field, if it is what we put there: a UUID in its canonical form."""
    try:
        return value if str(UUID(value)) == value else None
    except ValueError:
        return None
