"""HTML of the web channel: templates, words in two languages, the stylesheet.

May not decide anything about a request. Other pages of the site may extend `base.html` by `environment()`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final, Literal

from aiohttp import web
from jinja2 import Environment, FunctionLoader, StrictUndefined

from channels import problem

Lang = Literal["zh", "en"]

_HERE = files("channels.web")
_CSS = _HERE.joinpath("static/jiesu.css").read_bytes()
STYLESHEET: Final = f"jiesu-{sha256(_CSS).hexdigest()[:12]}.css"
"""The name under /static/; it changes with the content, so it may be kept for ever."""
STATIC: Final[Mapping[str, tuple[bytes, str]]] = {STYLESHEET: (_CSS, "text/css")}

CATALOGUE: Final[Mapping[Lang, dict[str, Any]]] = {
    "zh": tomllib.loads(_HERE.joinpath("catalogue/zh.toml").read_text("utf-8")),
    "en": tomllib.loads(_HERE.joinpath("catalogue/en.toml").read_text("utf-8")),
}

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Language",
    "X-Content-Type-Options": "nosniff",
}


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Autoescaping always, an undefined name is an error. Knows the templates of this folder."""
    return Environment(
        autoescape=True,
        loader=FunctionLoader(lambda name: _HERE.joinpath("templates", name).read_text("utf-8")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def language(request: web.Request) -> Lang:
    """`?lang=` when it names one of ours, else the first of ours in Accept-Language, else Chinese."""
    asked = request.query.get("lang", "")[:2].lower()
    if asked in ("zh", "en"):
        return "en" if asked == "en" else "zh"
    accepted = [_range(part) for part in request.headers.get("Accept-Language", "").split(",")[:20]]
    ours = [(quality, tag) for quality, tag in accepted if tag in ("zh", "en") and quality > 0]
    # max keeps the first of equals, which is the one the browser named first.
    return "en" if ours and max(ours, key=lambda pair: pair[0])[1] == "en" else "zh"


def _range(part: str) -> tuple[float, str]:
    """Quality and primary language of one language range (RFC 9110 12.5.4)."""
    tag, _, parameter = part.partition(";")
    weight = parameter.strip().removeprefix("q=")
    try:
        quality = float(weight) if weight else 1.0
    except ValueError:
        quality = 0.0
    return quality, tag.strip().lower().partition("-")[0]


def page(request: web.Request, template: str, status: HTTPStatus, **values: object) -> web.Response:
    """The page in the reader's language and size (`?large=1`: the large version)."""
    lang = language(request)
    large = request.query.get("large") == "1"
    html = environment().get_template(template)
    body = html.render(lang=lang, large=large, t=CATALOGUE[lang], stylesheet=STYLESHEET, **values)
    return web.Response(status=status, text=body, content_type="text/html", headers=HEADERS)


async def static(request: web.Request) -> web.StreamResponse:
    """One of the files of a fixed table: no path of the sender's ever reaches the file system."""
    found = STATIC.get(request["path"]["name"])
    if found is None:
        return problem.problem(HTTPStatus.NOT_FOUND, "not_found", "There is no such file.")
    body, content_type = found
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)
