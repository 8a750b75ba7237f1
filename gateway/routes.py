"""The route table: exact paths by one dictionary, then templates (`{name}` = one segment).

May not know aiohttp's router, which freezes when the server starts, nor what a handler does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from channels.contract import Handler

NO_PARAMS: Final[Mapping[str, str]] = MappingProxyType({})
_METHOD: Final = re.compile(r"GET|POST|PUT|PATCH|DELETE|OPTIONS")
_SEGMENT: Final = re.compile(r"\{(?P<name>[a-z_][a-z0-9_]*)\}|[A-Za-z0-9._~-]*")


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. `scope`: what a bearer token must be allowed; None = public."""

    method: str
    path: str
    handler: Handler
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """The route that serves a request, and the segments its template names, percent-decoded."""

    route: Route
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Nothing serves it. `allowed`: the methods that would be served at this path (RFC 9110 15.5.6); none =
    404."""

    allowed: tuple[str, ...] = ()


class Routes:
    """The table. Routes may be added while the server runs."""

    def __init__(self) -> None:
        self._exact: dict[str, dict[str, Match]] = {}
        self._templates: dict[tuple[str, ...], dict[str, Route]] = {}

    def add(self, method: str, path: str, handler: Handler, scope: str | None = None) -> None:
        """Serve `method` of `path`. HEAD is served by GET (RFC 9110 9.3.2).

        Raises:
            ValueError: a method we do not speak, a malformed path, or one that is taken.
        """
        segments = path.split("/")[1:]
        shapes = [_SEGMENT.fullmatch(segment) for segment in segments]
        names = [shape["name"] for shape in shapes if shape and shape["name"]]
        if not _METHOD.fullmatch(method) or not path.startswith("/") or None in shapes:
            raise ValueError(f"{method} {path}: not a route")
        if len(set(names)) != len(names):
            raise ValueError(f"{method} {path}: a name appears twice")
        route = Route(method, path, handler, scope)
        if names:
            methods = self._templates.setdefault(_shape(segments), {})
            taken = methods.setdefault(method, route) is not route
        else:
            match = Match(route, NO_PARAMS)
            taken = self._exact.setdefault(path, {}).setdefault(method, match) is not match
        if taken:
            raise ValueError(f"{method} {path}: is already served")

    def remove(self, method: str, path: str) -> None:
        """Serve `method` of `path` no longer. Raises KeyError when it was not served."""
        if path in self._exact:
            del self._exact[path][method]
        else:
            del self._templates[_shape(path.split("/")[1:])][method]

    def match(self, method: str, path: str) -> Match | NoMatch:
        """The route for a request. `path`: still percent-encoded, without query."""
        if method == "HEAD":
            method = "GET"
        exact = self._exact.get(path)
        if exact is not None and (found := exact.get(method)):
            return found
        return self._match_template(method, path, tuple(exact or ()))

    def _match_template(self, method: str, path: str, allowed: tuple[str, ...]) -> Match | NoMatch:
        segments = [unquote(segment) for segment in path.split("/")[1:]]
        for shape, methods in self._templates.items():
            if len(shape) != len(segments) or not all(map(_fits, shape, segments)):
                continue
            if route := methods.get(method):
                names = (segment[1:-1] for segment in route.path.split("/")[1:])
                values = zip(names, shape, segments, strict=True)
                return Match(route, {name: value for name, slot, value in values if slot == "{}"})
            allowed += tuple(methods)
        if "GET" in allowed:
            allowed += ("HEAD",)
        return NoMatch(tuple(sorted(set(allowed))))

    def all(self) -> list[Route]:
        """Every route, exact paths first."""
        exact = [match.route for methods in self._exact.values() for match in methods.values()]
        return exact + [route for methods in self._templates.values() for route in methods.values()]


def _shape(segments: list[str]) -> tuple[str, ...]:
    return tuple("{}" if segment.startswith("{") else segment for segment in segments)


def _fits(slot: str, segment: str) -> bool:
    """A slot takes any segment that is there at all; a word only itself."""
    return bool(segment) if slot == "{}" else slot == segment
