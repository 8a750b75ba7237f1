"""RFC 9457 problem+json answers for channels and the gateway that speak HTTP.

May not repeat what the sender typed: a problem names fields and codes only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Mapping
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web

from normalizer.errors import Rejected, TryAgain

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER: Final = 5
"""Seconds a sender waits after an error of ours."""

log = structlog.get_logger(__name__)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """An RFC 9457 answer. `code` is our extension member for programs; `errors[]` names every faulty field by
    JSON Pointer (RFC 6901)."""
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


async def answer(taking: Awaitable[web.Response]) -> web.Response:
    """What `taking` answers, or the row of the outcome table (`channels.contract`) for what it raises.

    Around everything up to and including `accept`; logs an unexpected error by its type only: its message may
    quote the citizen.
    """
    try:
        return await taking
    except Rejected as error:
        return rejected(error)
    except TryAgain as error:
        return try_again(error)
    except web.HTTPException:
        raise
    except Exception as error:  # not on disk: the sender must keep it
        log.error("channel.not_accepted", error=type(error).__name__)
        return try_again(TryAgain(RETRY_AFTER))
