"""One message as the vendor's HTTP request: the places in the configuration's templates filled in.

Pure. What is filled in is encoded where it stands, and never read as a template itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from pydantic import JsonValue

from channels.sms.config import PLACE, Signature, SmsConfig

JSON: Final = "application/json; charset=utf-8"
FORM: Final = "application/x-www-form-urlencoded; charset=utf-8"
_ID_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent."""

    headers: Mapping[str, str]
    body: bytes


def id_of(number: str, operation: str, to: str) -> str:
    """Names one sending to one number for ever, and nobody can read the number in it."""
    return hashlib.sha256(f"{number}\0{operation}\0{to}".encode()).hexdigest()[:_ID_LENGTH]


def fitted(text: str, config: SmsConfig) -> str:
    """The text behind the vendor's prefix, on one line each blank, cut off where it is too long."""
    whole = config.prefix + " ".join(text.split())
    return whole if len(whole) <= config.max_chars else whole[: config.max_chars - 1] + "…"


def request_of(config: SmsConfig, *, to: str, text: str, number: str, id: str, secret: str, time: int) -> Request:
    """The request that sends `text` to `to` (E.164)."""
    values = {
        "to": to.removeprefix(config.national) if config.national else to,
        "text": text,
        "text_json": json.dumps(text, ensure_ascii=False)[1:-1],
        "number": number,
        "id": id,
        "secret": secret,
        "time": str(time),
    }
    headers = {name: _filled(value, values) for name, value in config.headers.items()}
    if config.form is not None:
        body = urlencode({name: _filled(value, values) for name, value in config.form.items()}).encode()
        headers = {"Content-Type": FORM} | headers
    else:
        body = json.dumps(_filled_in(config.json_body, values), ensure_ascii=False).encode()
        headers = {"Content-Type": JSON} | headers
    if config.user is not None:
        headers["Authorization"] = "Basic " + b64encode(f"{config.user}:{secret}".encode()).decode()
    if config.signature is not None:
        over = _filled(config.signature.over, {"id": id, "time": str(time), "body": body.decode()})
        headers[config.signature.header] = _signed(config.signature, over, secret)
    return Request(headers, body)


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Every place at once, so that what one is filled with is not filled in again."""
    return PLACE.sub(lambda place: values.get(place[1], place[0]), template)


def _filled_in(value: JsonValue, values: Mapping[str, str]) -> JsonValue:
    if isinstance(value, str):
        return _filled(value, values)
    if isinstance(value, list):
        return [_filled_in(one, values) for one in value]
    if isinstance(value, dict):
        return {name: _filled_in(one, values) for name, one in value.items()}
    return value


def _signed(signature: Signature, over: str, secret: str) -> str:
    digest = hmac.digest(secret.encode(), over.encode(), signature.algorithm)
    return signature.prefix + (digest.hex() if signature.encoding == "hex" else b64encode(digest).decode())
