"""The page for people at `/` of a simulated platform: a form to write as a citizen, and what was said, newest first.

May not be pretty; may not run a script.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from aiohttp import web

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "form{border:1px solid #999;border-radius:.4rem;padding:1rem;margin:1rem 0}label{display:block;margin:.4rem 0}"
    "textarea,input[type=text]{width:100%;box-sizing:border-box;font:inherit}"
    "article{border-left:.3rem solid #bbb;padding:.1rem .8rem;margin:.8rem 0;white-space:pre-wrap}"
    "article.ours{border-color:#06c;background:#eef5ff}small{color:#555}"
)


@dataclass(frozen=True)
class Form:
    """Posts to `/say` with `kind`, `author` and `text`, and `to` when there is something to answer."""

    kind: str
    title: str
    words: str
    to: Mapping[str, str]
    """Value → what people read; empty: nothing to choose."""


@dataclass(frozen=True)
class Line:
    """One thing said."""

    at: float
    who: str
    what: str
    ours: bool
    where: str = ""


def page(title: str, about: str, forms: Iterable[Form], lines: Iterable[Line]) -> web.Response:
    """The whole page."""
    said = "".join(_line(line) for line in sorted(lines, key=lambda line: line.at, reverse=True))
    body = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title><style>{_STYLE}</style>"
        f"<h1>{escape(title)}</h1><p>{escape(about)} <a href=/>Look again</a></p>"
        f"{''.join(_form(form) for form in forms)}<h2>What was said</h2>{said or '<p>Nothing yet.</p>'}"
    )
    return web.Response(text=body, content_type="text/html")


def back() -> web.Response:
    """After the form: to the page again, so that reloading sends nothing twice."""
    return web.Response(status=303, headers={"Location": "/"})


def _form(form: Form) -> str:
    options = "".join(f"<option value='{escape(key)}'>{escape(text)}</option>" for key, text in form.to.items())
    choice = f"<label>To <select name=to>{options}</select></label>" if options else ""
    return (
        f"<form method=post action=/say><h2>{escape(form.title)}</h2><input type=hidden name=kind value='{form.kind}'>"
        f"<label>Who <input type=text name=author value=王女士></label>{choice}"
        f"<label>Words <textarea name=text rows=3 required>{escape(form.words)}</textarea></label>"
        "<button>Send</button></form>"
    )


def _line(line: Line) -> str:
    side = "ours" if line.ours else "theirs"
    head = f"<small>{escape(line.who)} {escape(line.where)}</small>\n"
    return f"<article class={side}>{head}{escape(line.what)}</article>"
