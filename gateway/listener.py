"""The one HTTP server: route, token, rate, size, then the handler; every error is RFC 9457 problem+json.
Built on aiohttp's low-level server: the router freezes, and a catch-all route in it is slower still.
May not know what a handler does, and never logs an address, a query or a header.
"""

from __future__ import annotations

import asyncio
import socket
from http import HTTPStatus
from typing import Any, Final

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpProcessingError, RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from channels.buckets import client_key
from channels.contract import SIGNED
from channels.problem import problem, rejected, try_again
from gateway.auth import Clients, Denied, Token, Tokens
from gateway.config import HttpConfig
from gateway.limits import Buckets, too_many
from gateway.routes import Match, NoMatch, Route, Routes
from normalizer.errors import Rejected, TryAgain

log = structlog.get_logger(__name__)

LARGE: Final = 64 * 1024
"""Bodies up to this many bytes are not counted against http.max_inflight_bytes."""
RETRY_AFTER: Final = 5
"""Seconds a client is asked to wait after a failure of ours."""
BACKLOG: Final = 1024
DRAIN: Final = 5.0
"""Seconds that requests under way are given when the server is cancelled."""
_UNSAFE: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_HTML_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Call(web.Request):
    """A request with the contract's `request["path"]` and `request["caller"]`, and the token it was allowed by."""

    def remember(self, path: object, caller: str, token: Token | None = None) -> None:
        """Sets them. Not by `request[...] =`, which warns about every plain string key."""
        self._state["path"] = path
        self._state["caller"] = caller
        self._state["token"] = token

    @property
    def connection(self) -> _Protocol:
        """What it came by."""
        protocol = self.protocol
        assert isinstance(protocol, _Protocol)
        return protocol


class _Protocol(RequestHandler):
    """aiohttp's connection, with its own error pages (bad HTTP) as problem+json and out of the log, and a limit for
    bodies of unannounced length."""

    __slots__ = ("_counted", "_limit")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._counted: StreamReader | None = None
        self._limit = 0

    def count(self, body: StreamReader, limit: int) -> None:
        """Until `let_go`, whoever reads `body` is told as soon as more than `limit` bytes of it have come."""
        self._counted, self._limit = body, limit

    def let_go(self, body: StreamReader) -> None:
        """The handler is done with `body`. aiohttp may read and drop the rest: closing with bytes unread would reset
        the connection, and a client that is still sending would lose the answer."""
        self._counted = None
        if isinstance(body.exception(), (web.HTTPRequestEntityTooLarge, _BodyTimeoutError)):
            body.set_exception(None)  # type: ignore[arg-type]  # as it was before

    def data_received(self, data: bytes) -> None:
        """Counts what aiohttp takes in."""
        super().data_received(data)
        if self._counted is not None and self._counted.total_bytes > self._limit:
            self._counted.set_exception(web.HTTPRequestEntityTooLarge(self._limit))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Bad HTTP; whatever a handler raises was answered before, save a connection that is gone."""
        if isinstance(exc, ConnectionError) or request.writer.output_size > 0:
            raise ConnectionError("the client is gone, or has half an answer")
        if isinstance(exc, HttpProcessingError):
            answer = problem(HTTPStatus.BAD_REQUEST, "bad_http", "This is not a valid HTTP request.")
        else:
            answer = _our_fault(exc, None)
        _harden(answer)
        answer.force_close()
        return answer


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Protocol(self, loop=self._loop, **self._kwargs)


class Listener:
    """Serves `routes` on one socket. `tokens`, `submissions` (a bucket per client for requests that change
    something on public routes; None = no limit) are checked before the handler is called."""

    def __init__(
        self, routes: Routes, config: HttpConfig, *, tokens: Tokens, submissions: Buckets | None = None
    ) -> None:
        self._routes = routes
        self._config = config
        self._tokens = tokens
        self._clients = Clients(config.trusted_proxies, config.forwarding_header)
        self._submissions = submissions
        self._max_body = int(config.max_body_bytes)
        self._receiving = 0
        self._web: web.Server | None = None
        self._server: asyncio.Server | None = None

    async def start(self, sock: socket.socket) -> None:
        """Accepts connections on `sock` (bound, see `bind`) from now on."""
        loop = asyncio.get_running_loop()
        self._web = _Server(
            self._answer,  # type: ignore[arg-type]  # our factory makes Calls only
            request_factory=self._call,
            access_log=None,
            keepalive_timeout=self._config.keepalive_timeout,
            auto_decompress=False,  # a compressed body could be a bomb: 415 instead
        )
        self._server = await loop.create_server(self._web, sock=sock, backlog=BACKLOG)

    async def stop(self, deadline: float = DRAIN) -> None:
        """Stops accepting, gives requests under way `deadline` seconds, closes every connection."""
        if self._server is not None and self._web is not None:
            self._server.close()
            # What was accepted just now becomes a request before idle connections are closed.
            await asyncio.sleep(0)
            self._web.pre_shutdown()
            await self._web.shutdown(deadline / 2)  # aiohttp waits twice
            self._server = self._web = None

    async def serve(self, sock: socket.socket, deadline: float = DRAIN) -> None:
        """Serves until cancelled, then stops within `deadline` seconds."""
        await self.start(sock)
        try:
            await asyncio.Event().wait()
        finally:
            await self.stop(deadline)

    def _call(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> Call:
        loop = asyncio.get_running_loop()
        return Call(message, payload, protocol, writer, task, loop, client_max_size=self._max_body)

    async def _answer(self, request: Call) -> web.StreamResponse:
        found = self._match(request)
        try:
            if isinstance(found, NoMatch):
                answer: web.StreamResponse = _not_found(found)
            else:
                refused = self._refuse(request, found)
                answer = await self._handle(request, found.route) if refused is None else refused
            _harden(answer)
        except Exception as error:
            if request.writer.output_size > 0 or isinstance(error, ConnectionError):
                raise ConnectionError("the client is gone, or has half an answer") from None
            answer = _failed(error, found)
            _harden(answer)
        if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            answer.force_close()
        return answer

    def _match(self, request: Call) -> Match | NoMatch:
        return self._routes.match(request.method, request.rel_url.raw_path)

    def _refuse(self, request: Call, found: Match) -> web.Response | None:
        """What can be said without the body: who calls, how often, how much."""
        client = self._clients.of(request)
        authorization = request.headers.get("Authorization")
        scope = found.route.scope
        if scope == SIGNED:
            request.remember(found.params, f"ip:{client.address}")
            return self._too_large(request)
        if scope is not None:
            caller = self._tokens.check(authorization, scope)
            if isinstance(caller, Denied):
                challenge = {"WWW-Authenticate": caller.challenge}
                return problem(caller.status, caller.code, caller.detail, headers=challenge)
            request.remember(found.params, caller.caller(scope), caller)
            return self._too_large(request)
        # On a public route a token only says who calls: one that we do not know must not lose a citizen.
        token = self._tokens.identify(authorization) if authorization else None
        request.remember(found.params, f"token:{token.id}" if token else f"ip:{client.address}")
        limited = self._submissions is not None and token is None and not client.local
        if limited and request.method in _UNSAFE:
            assert self._submissions is not None
            refusal = self._submissions.take(client_key(client.address))
            if refusal is not None:
                return too_many(refusal)
        return self._too_large(request)

    def _too_large(self, request: Call) -> web.Response | None:
        if not request.body_exists:
            return None
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            detail = "Compressed bodies are not accepted."
            return problem(415, "compressed_body", detail, headers={"Accept-Encoding": "identity"})
        if (request.content_length or 0) > self._max_body:
            return _body_too_large()
        return None

    async def _handle(self, request: Call, route: Route) -> web.StreamResponse:
        payload = request.content
        if payload.is_eof():  # the hot path: a small body arrived together with its head
            return await route.handler(request)
        length = request.content_length
        reserved = self._max_body if length is None else length if length > LARGE else 0
        if self._receiving + reserved > self._config.max_inflight_bytes:
            raise TryAgain(RETRY_AFTER, "too many large bodies at once")
        self._receiving += reserved
        timer = asyncio.get_running_loop().call_later(self._config.body_timeout, _expire, payload)
        try:
            await _expect(request)
            if length is None:
                request.connection.count(payload, self._max_body)
            return await route.handler(request)
        finally:
            timer.cancel()
            request.connection.let_go(payload)
            self._receiving -= reserved


def bind(address: tuple[str, int]) -> socket.socket:
    """A socket bound to (host, port), for `Listener.start`. It may be inherited by child processes.

    Raises:
        OSError: the address is taken or not ours.
    """
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
        sock.set_inheritable(True)
    except BaseException:
        sock.close()
        raise
    return sock


class _BodyTimeoutError(Exception):
    """The body did not arrive in time."""


def _expire(payload: StreamReader) -> None:
    if not payload.is_eof():
        payload.set_exception(_BodyTimeoutError())


async def _expect(request: Call) -> None:
    """100 Continue (RFC 9110 10.1.1), which aiohttp leaves to its router; curl waits for it."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun


def _not_found(found: NoMatch) -> web.Response:
    if not found.allowed:
        return problem(404, "not_found", "There is nothing at this address.")
    return problem(
        405,
        "method_not_allowed",
        "This address does not do that.",
        headers={"Allow": ", ".join(found.allowed)},
    )


def _body_too_large() -> web.Response:
    return problem(413, "body_too_large", "The body is larger than what is accepted.")


def _failed(error: Exception, found: Match | NoMatch) -> web.StreamResponse:
    """What a handler raised, as an answer."""
    match error:
        case Rejected():
            return rejected(error)
        case TryAgain():
            return try_again(error)
        case _BodyTimeoutError():
            answer = problem(408, "body_timeout", "The body did not arrive in time.")
        case web.RequestPayloadError():  # from aiohttp's Python parser; its C parser leaves it to the timer
            answer = problem(400, "bad_body", "The body is not what its headers say.")
        case web.HTTPRequestEntityTooLarge():
            return _body_too_large()
        case web.HTTPException() if error.status < 400:
            raise error  # a redirect; aiohttp sends it
        case web.HTTPException():
            return problem(error.status, "refused", "The request was refused.")
        case _:
            return _our_fault(error, found.route.path if isinstance(found, Match) else None)
    answer.force_close()
    return answer


def _our_fault(error: BaseException | None, path: str | None) -> web.Response:
    """A bug of ours never bounces a citizen: 503, try again."""
    log.error("handler_failed", route=path, exc_info=error)
    headers = {"Retry-After": str(RETRY_AFTER)}
    return problem(503, "failed", "We failed. Please send the same request again.", headers=headers)


def _harden(answer: web.StreamResponse) -> None:
    """Headers that make a page safe; what the handler set itself stays (OWASP Secure Headers)."""
    if answer.prepared:
        return
    headers: Any = answer.headers
    content_type = headers.get("Content-Type", "")
    headers["Server"] = "jiesu"
    if content_type.startswith("text/html"):
        for name, value in _HTML_HEADERS.items():
            headers.setdefault(name, value)
    elif "json" not in content_type:
        headers.setdefault("X-Content-Type-Options", "nosniff")


__all__ = ["Call", "Listener", "bind"]
