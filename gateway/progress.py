"""The progress page: who proves to have the receipt, or the phone, sees how far a request is and may add to it.

May not show who asked, nor anything they wrote, and hands out no file but those of an answer that it shows; reads and
checks, the channel's own parse and accept take in.
"""

from __future__ import annotations

import hmac
import math
import time
import tomllib
import unicodedata
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from aiohttp import web
from redis import RedisError

from channels.alerts import warnings_of
from channels.contract import Handler
from channels.problem import problem
from channels.web.bodies import URLENCODED, urlencoded
from channels.web.config import WebConfig
from channels.web.follow_up import follow_up_raw
from channels.web.pages import CATALOGUE, HEADERS, STYLESHEET, Lang, language
from channels.web.receive import TransportError, read
from gateway.files_api import Expired, Files
from gateway.limits import Guesses
from gateway.pages import environment
from gateway.story import Line, state_of, story
from normalizer.errors import Rejected, TryAgain
from normalizer.identity import is_number, receipt_code, same_code
from normalizer.ticket import Inbound, Raw, Receipt
from workers.connect import is_away
from workers.files import find
from workers.region import Region
from workers.store import Record, Store

log = structlog.get_logger(__name__)

PASS_SECONDS: Final = 30 * 60
"""How long the page lets somebody add information without proving again."""
RETRY_AFTER: Final = 5
PHONE_DIGITS: Final = 7
"""The shortest telephone number whose last four digits are a proof (a local number in China)."""
_LIMITS: Final = WebConfig()
_HERE = files("gateway")
WORDS: Final[Mapping[Lang, dict[str, Any]]] = {
    "zh": tomllib.loads(_HERE.joinpath("catalogue/zh.toml").read_text("utf-8")),
    "en": tomllib.loads(_HERE.joinpath("catalogue/en.toml").read_text("utf-8")),
}


@dataclass(frozen=True, slots=True)
class _Visit:
    """One POST: who asks for which number, and what the form held."""

    request: web.Request
    number: str
    fields: Mapping[str, str]
    submission_id: str

    @property
    def text(self) -> str:
        return self.fields.get("text", "")

    def proof(self, name: str) -> str:
        """A typed proof; full-width digits and letters of an input method count as what they show."""
        return unicodedata.normalize("NFKC", self.fields.get(name, "")).strip()


_Answering = Callable[[_Visit, Record | None], Awaitable[web.StreamResponse]]


class Progress:
    """GET and POST /t/{number}, POST /t/{number}/files/{sha256}."""

    def __init__(
        self,
        store: Store,
        intake_accept: Callable[[Raw], Awaitable[Receipt]],
        channel_parse: Callable[[Raw], Inbound],
        secret: bytes,
        guesses: Guesses,
        zone: tzinfo,
        region: Region,
        files: Files,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`channel_parse`: the web channel's. `zone`: in which times are shown. `region`: whose units are named.
        `files`: how the answer's are handed out. `clock`: unix seconds."""
        self._store = store
        self._accept = intake_accept
        self._parse = channel_parse
        self._secret = secret
        self._guesses = guesses
        self._zone = zone
        self._region = region
        self._files = files
        self._clock = clock

    def register(self, route: Callable[[str, str, Handler], object]) -> None:
        """Add the routes; all are public."""
        route("GET", "/t/{number}", self.show)
        route("POST", "/t/{number}", self.submit)
        route("POST", "/t/{number}/files/{sha256}", self.file)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Asks for the proof. Says nothing about whether the number exists; needs no Redis."""
        number = request["path"]["number"]
        if not is_number(number):
            return _page(request, HTTPStatus.NOT_FOUND, view="mistyped")
        return _page(request, HTTPStatus.OK, view="ask", number=number)

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """The progress, or what was wrong with the proof; with `text`, adds it first."""
        return await self._proved(request, self._answer)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A file of an answer, to who was shown the page: proven by what its form posts, never by the address."""
        return await self._proved(request, self._file)

    async def _proved(self, request: web.Request, answer: _Answering) -> web.StreamResponse:
        number = request["path"]["number"]
        if not is_number(number):
            return _page(request, HTTPStatus.NOT_FOUND, view="mistyped")
        try:
            body, _ = await read(request, (URLENCODED,), _LIMITS)
        except TransportError as error:
            return problem(error.status, error.code, error.detail)
        fields = urlencoded(body).fields
        visit = _Visit(request, number, fields, _uuid(fields.get("submission_id", "")) or str(uuid4()))
        try:
            record = await self._store.find(number)
        except (RedisError, OSError) as error:
            if not is_away(error):
                raise
            return self._busy(visit, RETRY_AFTER)
        return await answer(visit, record if record and record.complete else None)

    async def _file(self, visit: _Visit, record: Record | None) -> web.StreamResponse:
        if record is None or not self._passed(record, visit.fields.get("pass", "")):
            return _ask(visit, HTTPStatus.UNPROCESSABLE_ENTITY, "expired")
        sha256 = visit.request["path"]["sha256"]
        found = find((file for line in self._story(record, "zh") for file in line.files), sha256)
        if found is None:
            return _page(visit.request, HTTPStatus.NOT_FOUND, view="no_file")
        try:
            return await self._files.answer(found)
        except Expired:
            return _page(visit.request, HTTPStatus.GONE, view="gone")
        except TryAgain as error:
            return self._busy(visit, error.after)

    async def _answer(self, visit: _Visit, record: Record | None) -> web.StreamResponse:
        if record and self._passed(record, visit.fields.get("pass", "")):
            return await self._opened(visit, record)
        if not (visit.proof("code") or visit.proof("last4")):
            return _ask(visit, HTTPStatus.UNPROCESSABLE_ENTITY, "expired" if visit.text else "missing")
        # No await from here to the verdict: tries that arrive together are counted one by one.
        refusal = self._guesses.attempt(visit.number)
        if refusal is not None:
            answer = _page(visit.request, HTTPStatus.TOO_MANY_REQUESTS, view="too_many")
            answer.headers["Retry-After"] = str(max(1, math.ceil(refusal.after)))
            return answer
        if record is None or not self._proven(visit, record):
            return _ask(visit, HTTPStatus.FORBIDDEN, "wrong")
        self._guesses.right(visit.number)
        return await self._opened(visit, record)

    def _proven(self, visit: _Visit, record: Record) -> bool:
        code = visit.proof("code")
        if code:
            submissions = {record.submission_of(visit.number), record.ticket_id}
            return any(same_code(code, receipt_code(one, self._secret)) for one in submissions)
        digits = "".join(c for c in record.ticket().requester.phone or "" if c in "0123456789")
        return len(digits) >= PHONE_DIGITS and same_code(visit.proof("last4"), digits[-4:])

    async def _opened(self, visit: _Visit, record: Record) -> web.StreamResponse:
        if not visit.text.strip():
            return self._progress(visit, record, HTTPStatus.OK)
        raw = follow_up_raw(
            number=visit.number,
            code=receipt_code(record.submission_of(visit.number), self._secret),
            text=visit.text,
            submission_id=visit.submission_id,
            received_at=datetime.now(UTC),
        )
        try:
            inbound = self._parse(raw)
            receipt = await self._accept(replace(raw, meta={**raw.meta, "digest": inbound.digest}))
        except Rejected as error:
            return self._refused(visit, record, error)
        except TryAgain as error:
            return self._busy(visit, error.after)
        except Exception as error:  # not on disk; the message may quote the citizen: not logged
            log.error("progress.not_accepted", error=type(error).__name__)
            return self._busy(visit, RETRY_AFTER)
        status = HTTPStatus.OK if receipt.duplicate else HTTPStatus.CREATED
        return self._progress(visit, record, status, added=True, call_now=warnings_of(inbound)[1])

    def _refused(self, visit: _Visit, record: Record, error: Rejected) -> web.Response:
        codes = [fault.code for fault in error.faults] or [error.code]
        known = next((code for code in codes if code in WORDS["en"]["mistakes"]), "invalid")
        # Gone back and changed: the next press is a message of its own.
        submission = str(uuid4()) if error.code == "conflict" else visit.submission_id
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return self._progress(visit, record, status, mistakes=[known], text=visit.text, submission_id=submission)

    def _progress(self, visit: _Visit, record: Record, status: HTTPStatus, **values: object) -> web.Response:
        lang = language(visit.request)
        shown: dict[str, object] = {
            "number": visit.number,
            "state": state_of(record),
            "story": self._story(record, lang),
            "pass_token": self._issue(record),
            "submission_id": str(uuid4()),
        }
        return _page(visit.request, status, view="progress", **(shown | values))

    def _story(self, record: Record, lang: Lang) -> list[Line]:
        return story(record, self._region, WORDS[lang]["story"], lang, self._local)

    def _busy(self, visit: _Visit, after: float) -> web.Response:
        """Nothing was taken. The page holds every word, and the proofs that need no second typing."""
        answer = _page(
            visit.request,
            HTTPStatus.SERVICE_UNAVAILABLE,
            view="busy",
            number=visit.number,
            text=visit.text,
            pass_token=visit.fields.get("pass", ""),
            submission_id=visit.submission_id,
        )
        answer.headers["Retry-After"] = str(max(1, math.ceil(after)))
        return answer

    def _local(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._zone):%Y-%m-%d %H:%M}"

    def _issue(self, record: Record) -> str:
        expiry = round(self._clock()) + PASS_SECONDS
        return f"{expiry}.{self._mac(record.ticket_id, expiry)}"

    def _passed(self, record: Record, token: str) -> bool:
        expiry, _, mac = token.partition(".")
        if not (expiry.isascii() and expiry.isdigit() and len(expiry) < 16) or int(expiry) < self._clock():
            return False
        return hmac.compare_digest(mac.encode("utf-8", "replace"), self._mac(record.ticket_id, int(expiry)).encode())

    def _mac(self, ticket_id: str, expiry: int) -> str:
        return hmac.digest(self._secret, f"{ticket_id}|{expiry}".encode(), "sha256").hex()


_DEFAULTS: Final[Mapping[str, object]] = {
    "number": "", "mistakes": (), "text": "", "submission_id": "", "pass_token": "", "added": False, "call_now": (),
}  # fmt: skip


def _page(request: web.Request, status: HTTPStatus, *, view: str, **values: object) -> web.Response:
    lang = language(request)
    body = environment().get_template("progress.html").render(
        **{
            **_DEFAULTS,
            "submission_id": str(uuid4()),
            **values,
            "view": view,
            "lang": lang,
            "large": request.query.get("large") == "1",
            "t": CATALOGUE[lang] | WORDS[lang],
            "stylesheet": STYLESHEET,
        }
    )  # fmt: skip
    return web.Response(status=status, text=body, content_type="text/html", headers=HEADERS)


def _ask(visit: _Visit, status: HTTPStatus, mistake: str) -> web.Response:
    return _page(
        visit.request,
        status,
        view="ask",
        number=visit.number,
        mistakes=[mistake],
        text=visit.text,
        submission_id=visit.submission_id,
    )


def _uuid(value: str) -> str | None:
    """The hidden field, if it is what we put there: a UUID in its canonical form."""
    try:
        return value if str(UUID(value)) == value else None
    except ValueError:
        return None
