"""RFC 9457 problem+json answers for channels and the gateway that speak HTTP.

May not repeat what the sender typed: a problem names fields and codes only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from normalizer.errors import Rejected, TryAgain

CONTENT_TYPE = "application/problem+json"


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """An RFC 9457 answer. `code` is our extension member for programs; `errors[]` names every faulty field by JSON
    Pointer (RFC 6901)."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if errors is not None:
        body["errors"] = errors
    return web.Response(
        status=status,
        body=json.dumps(body, ensure_ascii=False).encode(),
        content_type=CONTENT_TYPE,
        headers=headers,
    )


def rejected(error: Rejected) -> web.Response:
    """422 with all faults at once."""
    faults = [{"pointer": f.pointer, "code": f.code, "detail": f.detail} for f in error.faults]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, error.code, error.detail, errors=faults)


def try_again(error: TryAgain) -> web.Response:
    """503 with Retry-After in whole seconds (RFC 9110 10.2.3)."""
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "try_again",
        "Nothing was accepted. Please send the same request again.",
        headers={"Retry-After": str(max(1, math.ceil(error.after)))},
    )
