"""Steps that a unit's own system posts to us, signed as Standard Webhooks 1.0.0 says, with the secret we sign to it.

May not believe anything before the signature is right and fresh, and says nothing about which units there are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from pydantic_core import from_json
from standardwebhooks import Webhook, WebhookVerificationError

from channels.contract import Handler
from channels.problem import problem
from channels.web.bodies import JSON
from channels.web.config import WebConfig
from channels.web.parse import read_body
from channels.web.receive import read
from gateway import life_http
from gateway.units_api import FORMS
from normalizer.errors import Fault, Rejected
from normalizer.identity import is_number
from normalizer.life import Actor, Role, StepName
from normalizer.ticket import Raw
from workers.once import Word
from workers.unit_side import UnitSide

PATH: Final = "/api/v1/units/{unit}/webhook"
_HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
_ID_MAX: Final = 256


class UnitWebhooks:
    """POST PATH. `secrets`: of each unit that has a webhook, more than one while they are rotated."""

    def __init__(self, side: UnitSide, secrets: Mapping[str, Collection[Webhook]], limits: WebConfig) -> None:
        self._side = side
        self._secrets = secrets
        self._limits = limits

    def register(self, route: Callable[[str, str, Handler, str | None], object]) -> None:
        """Add the route. It needs no token: the signature says who it is."""
        route("POST", PATH, life_http.guarded(self.take), None)

    async def take(self, request: web.Request) -> web.Response:
        """`number`, `step`, and what the step says. The same webhook-id again is the same step."""
        body, _ = await read(request, (JSON,), self._limits)
        unit = request["path"]["unit"]
        if not _is_signed(self._secrets.get(unit, ()), request, body):
            detail = "The signature is not the unit's, or it is too old."
            return problem(HTTPStatus.UNAUTHORIZED, "not_signed", detail, headers={"WWW-Authenticate": "Signature"})
        number, step, rest = _opened(body)
        by = Actor(role=Role.UNIT, id=unit)
        word = Word(step, by, f"webhook:{request.headers['webhook-id'][:_ID_MAX]}", self._said(step, rest))
        return life_http.stepped(number, await self._side.take(number, word))

    def _said(self, step: StepName, rest: Mapping[str, Any]) -> dict[str, object]:
        """Checked as the body of the units' API. Raises Rejected."""
        model = FORMS[step]
        if model is None:
            return {}
        content = json.dumps(rest, ensure_ascii=False).encode()
        raw = Raw(channel="", source_id="", received_at=datetime.now(UTC), body=content, content_type=JSON)
        form, _ = read_body(model, raw, self._limits)
        return {name: value for name, value in dict(form).items() if value is not None}


def _is_signed(secrets: Collection[Webhook], request: web.Request, body: bytes) -> bool:
    """By any of the secrets, at most five minutes ago (the library's tolerance)."""
    headers = {name: request.headers.get(name, "") for name in _HEADERS}
    for secret in secrets:
        try:
            secret.verify(body, headers, json_parse=False)
        except (WebhookVerificationError, ValueError):
            continue
        return True
    return False


def _opened(body: bytes) -> tuple[str, StepName, dict[str, Any]]:
    """Number, step and the rest. Raises Rejected naming what is wrong with the first two."""
    try:
        said = from_json(body, allow_inf_nan=False)  # unlike `json` it refuses lone surrogates, and what is too deep
    except ValueError as error:
        raise _refused("not_json", "The body is not JSON in UTF-8, or is nested too deeply.") from error
    if not isinstance(said, dict):
        raise _refused("not_an_object", "The body must be a JSON object.")
    number, step = said.pop("number", None), said.pop("step", None)
    faults = []
    if number is None:
        faults.append(Fault("/number", "missing", "Which ticket."))
    elif not isinstance(number, str) or not is_number(number):
        faults.append(Fault("/number", "number_invalid", "This is not the number of a request."))
    if not isinstance(step, str) or step not in set(FORMS):
        faults.append(Fault("/step", "unknown_word", f"Of {', '.join(FORMS)}."))
    if faults:
        raise Rejected(faults[0].code, faults[0].detail, faults)
    return str(number), StepName(step), said


def _refused(code: str, detail: str) -> Rejected:
    return Rejected(code, detail, [Fault("", code, detail)])
