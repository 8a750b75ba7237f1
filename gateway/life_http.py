"""What the routes for units and for the desk share: who calls, the body as a step's words, errors as problems.

May not decide anything about a ticket.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, TypeVar

from aiohttp import web
from redis import RedisError

from channels.idempotency import key_of
from channels.problem import problem
from channels.web.bodies import JSON
from channels.web.config import WebConfig
from channels.web.models import Body
from channels.web.parse import read_body
from channels.web.receive import TransportError, read
from gateway.auth import PERSONAL, Token
from normalizer.errors import Fault, Rejected
from normalizer.life import Actor, Role, StepName
from normalizer.ticket import Attachment, AttachmentRef, Raw
from workers.blobs import Blobs
from workers.connect import is_away
from workers.life import Taken
from workers.lifecycle import Illegal
from workers.once import Word

Form = TypeVar("Form", bound=Body)
Work = Callable[[web.Request], Awaitable[web.StreamResponse]]

RETRY_AFTER: Final = 5
PAGE: Final = 50
PAGE_MAX: Final = 100
START_MAX: Final = 10**9
_DIGITS: Final = re.compile(r"[0-9]{1,10}")
_FRESH: Final = {"Cache-Control": "no-store"}


def guarded(work: Work) -> Work:
    """`work`, with what a step refuses as 404 or 409, and Redis away as 503."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await work(request)
        except TransportError as error:
            return problem(error.status, error.code, error.detail)
        except Illegal as error:
            if error.code == "missing":
                return problem(HTTPStatus.NOT_FOUND, "not_found", "There is no such ticket.")
            return problem(HTTPStatus.CONFLICT, error.code, error.detail)
        except (RedisError, OSError) as error:
            if not is_away(error):
                raise
            detail = "Nothing was changed. Please send the same request again."
            return problem(503, "try_again", detail, headers={"Retry-After": str(RETRY_AFTER)})

    return answer


def token_of(request: web.Request) -> Token:
    """The token that allowed the request; routes with a scope always have one."""
    token: Token = request["token"]
    return token


def may_see_people(request: web.Request) -> bool:
    """Whether the caller may see who asked, where anybody may."""
    return PERSONAL in token_of(request).scopes


async def form_of(
    request: web.Request, model: type[Form], limits: WebConfig, allowed: Collection[str] = (JSON,)
) -> tuple[Form, list[Attachment]]:
    """The body, and its files where `allowed` has multipart.

    Raises:
        TransportError: 400, 413, 415.
        Rejected: every fault of the body.
    """
    body, content_type = await read(request, allowed, limits)
    raw = Raw(channel="", source_id="", received_at=datetime.now(UTC), body=body, content_type=content_type)
    return read_body(model, raw, limits)


def key(request: web.Request) -> str:
    """The Idempotency-Key, without which a step could not be repeated harmlessly.

    Raises:
        Rejected: it is missing or malformed.
    """
    found = key_of(request)
    if found is None:
        detail = "Send an Idempotency-Key: a step that is sent again must be known again."
        raise Rejected("idempotency_key_missing", detail, [Fault("", "idempotency_key_missing", detail)])
    return found


def word(request: web.Request, step: StepName, by: Actor, form: Body | None, **more: object) -> Word:
    """What the caller wants, in the words of LifeStep. Raises Rejected as `key`."""
    says = dict(form) if form is not None else {}
    return Word(step, by, key(request), {name: value for name, value in (says | more).items() if value is not None})


def unit_of(request: web.Request) -> Actor:
    """The unit whose token it is."""
    return Actor(role=Role.UNIT, id=token_of(request).unit or "")


def operator_of(request: web.Request) -> Actor:
    """The operator whose token it is."""
    return Actor(role=Role.OPERATOR, id=token_of(request).operator or "")


async def kept(files: Collection[Attachment], blobs: Blobs, day: datetime) -> tuple[AttachmentRef, ...]:
    """The files on disk, pictures also without their metadata. Raises OSError."""
    return tuple([await asyncio.to_thread(blobs.keep, file, day.date()) for file in files])


def window(request: web.Request) -> tuple[int, int]:
    """`start` and `limit` of the query.

    Raises:
        Rejected: naming which is no such number.
    """
    faults: list[Fault] = []
    start = _number(request, "start", 0, (0, START_MAX), faults)
    limit = _number(request, "limit", PAGE, (1, PAGE_MAX), faults)
    if faults:
        raise Rejected(faults[0].code, faults[0].detail, faults)
    return start, limit


def _number(request: web.Request, name: str, default: int, bounds: tuple[int, int], faults: list[Fault]) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if _DIGITS.fullmatch(text) and bounds[0] <= int(text) <= bounds[1]:
        return int(text)
    faults.append(Fault(f"/{name}", "out_of_range", f"A number from {bounds[0]} to {bounds[1]}."))
    return default


def stepped(number: str, taken: Taken) -> web.Response:
    """The answer to a step."""
    return json_of({"number": number, "version": taken.version, "state": taken.state, "repeated": taken.repeated})


def json_of(answer: Mapping[str, Any]) -> web.Response:
    """200 with JSON."""
    body = json.dumps(answer, ensure_ascii=False).encode()
    return web.Response(body=body, content_type=JSON, headers=_FRESH)
