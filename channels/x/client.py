"""Calls of X's API: tweepy's endpoints over our own transport. What comes of a call is said by its exception.

May not repeat a call, wait, log, or keep a secret. tweepy's own transport (4.17) is not used: its address is fixed,
it reads any error as JSON (an HTML 5xx then raises something else), it follows redirects, reads without a limit and
logs keys.
"""

from __future__ import annotations

import asyncio
import json as jsonlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import aiohttp
from oauthlib.oauth1 import Client as Signer
from tweepy.asynchronous import AsyncClient
from yarl import URL

from channels.guard import NotAllowedError, guarded
from channels.social.once import once
from channels.x.config import XConfig
from channels.x.document import Document, mapping, members
from normalizer.identity import content_digest

logging.getLogger("oauthlib").setLevel(logging.WARNING)  # below that it writes down our access token
_OURS: Final = (
    "client-forbidden", "oauth1-permissions", "unsupported-authentication", "client-not-enrolled", "temporarily locked",
    "account is suspended", "user is suspended",
)  # fmt: skip
"""Words of a 403 that is about our app or account, not about a post."""
ANSWER_MAX: Final = 8 * 1024 * 1024
CONNECT: Final = 5.0
PAGE: Final = 100
_FIELDS: Final = {
    "tweet_fields": [
        "attachments", "author_id", "conversation_id", "created_at", "edit_history_tweet_ids", "entities", "geo",
        "in_reply_to_user_id", "lang", "note_tweet", "referenced_tweets",
    ],
    "expansions": [
        "attachments.media_keys", "author_id", "geo.place_id", "referenced_tweets.id", "referenced_tweets.id.author_id",
    ],
    "media_fields": ["preview_image_url", "type", "url"],
    "place_fields": ["country_code", "full_name", "geo", "place_type"],
    "user_fields": ["name", "username"],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of X. `reset`: unix seconds when calls are counted anew; `left`: how many may be made until then."""

    document: Document
    left: int | None = None
    reset: float | None = None


class CallError(Exception):
    """A call that came to nothing. `reason` is without personal data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotSent(CallError):
    """X never got the call."""


class InDoubt(CallError):
    """X may have done what it was asked: a break, a time-out, an answer that is none, a 5xx."""


class TokenRefused(CallError):
    """Nothing is done for us before somebody changes the files with keys: missing, revoked, or wrong."""


class Limited(CallError):
    """Not now. `reset`: unix seconds; None: X does not say."""

    def __init__(self, reason: str, reset: float | None) -> None:
        super().__init__(reason)
        self.reset = reset


class Refused(CallError):
    """X will not do this. `detail`: its sentence, for telling refusals apart; it is never logged."""

    def __init__(self, status: int, problem: Document) -> None:
        super().__init__(f"status_{status}")
        self.status = status
        words = [problem, *members(problem.get("errors"))]
        said = (one.get(name) for one in words for name in ("detail", "message", "title", "type", "reason"))
        self.detail = " ".join(part for part in said if isinstance(part, str)).lower()[:2000]


class Client(AsyncClient):  # type: ignore[misc]  # tweepy has no types
    """tweepy's endpoints. `request` replaces the transport of `tweepy.asynchronous`."""

    def __init__(self, base: str, session: aiohttp.ClientSession, bearer: str, signer: Signer | None) -> None:
        # With our type tweepy hands on what `request` returns, as it is.
        super().__init__(bearer, return_type=aiohttp.ClientResponse, wait_on_rate_limit=False)
        self.session = session
        self._base = base
        self._signer = signer

    async def request(
        self,
        method: str,
        route: str,
        params: Mapping[str, object] | None = None,
        json: Mapping[str, object] | None = None,
        user_auth: bool = False,
    ) -> Answer:
        """One call.

        Raises:
            CallError: one of those above.
        """
        query = urlencode(sorted((params or {}).items()), quote_via=quote)
        url = f"{self._base}{route}" + (f"?{query}" if query else "")
        headers = self._authorized(method, url, user_auth)
        body = None if json is None else jsonlib.dumps(json).encode()
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self.session.request(
                method, URL(url, encoded=True), data=body, headers=headers, allow_redirects=False, middlewares=(once(),)
            ) as response:
                return _judged(response.status, response.headers, await _body(response))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            forbidden = isinstance(getattr(error, "os_error", None), NotAllowedError)
            raise NotSent("address_not_allowed" if forbidden else "no_connection") from None
        except TimeoutError:
            raise InDoubt("timeout") from None
        except (aiohttp.ClientError, OSError, ValueError):
            raise InDoubt("connection_lost") from None

    def _authorized(self, method: str, url: str, user_auth: bool) -> dict[str, str]:
        if not user_auth:
            return {"Authorization": f"Bearer {self.bearer_token}"}
        if self._signer is None:
            raise TokenRefused("no_keys")
        # A body of JSON is not part of an OAuth 1.0a signature (RFC 5849, 3.4.1.3.1).
        _, headers, _ = self._signer.sign(url, http_method=method)
        return {str(name): str(value) for name, value in headers.items()}


class Api:
    """The calls that we make. Each raises CallError."""

    def __init__(self, client: Client, user: str) -> None:
        self._client = client
        self._user = user

    async def mentions(self, *, since: str | None, start: str | None, token: str | None) -> Answer:
        """A page of posts that mention us, the newest first."""
        answer: Answer = await self._client.get_users_mentions(
            self._user, since_id=since, start_time=start, pagination_token=token, max_results=PAGE, **_FIELDS
        )
        return answer

    async def own_posts(self, *, since: str, token: str | None) -> Answer:
        """A page of what we wrote after the post `since`, the newest first."""
        answer: Answer = await self._client.get_users_tweets(
            self._user,
            since_id=since,
            pagination_token=token,
            max_results=PAGE,
            tweet_fields=["conversation_id", "referenced_tweets", "note_tweet"],
        )
        return answer

    async def answer(self, text: str, post: str) -> Answer:
        """Write a reply to `post`."""
        answer: Answer = await self._client.create_tweet(text=text, in_reply_to_tweet_id=post, user_auth=True)
        return answer

    async def account(self, name: str) -> Answer:
        """The account of this name."""
        answer: Answer = await self._client.get_user(username=name)
        return answer


@asynccontextmanager
async def connected(config: XConfig, *, writing: bool = False) -> AsyncIterator[Api]:
    """Connections of their own, closed at the end. Raises TokenRefused: a file with a key cannot be read."""
    bearer = await _secret(config.bearer_token_file)
    signer = await _signer(config) if writing else None
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(socket_factory=guarded(config.allow_private)),
        timeout=aiohttp.ClientTimeout(total=config.timeout, connect=min(CONNECT, config.timeout / 2)),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "jiesu"},
        trust_env=False,
    ) as session:
        yield Api(Client(config.base, session, bearer, signer), config.user_id or "")


async def fingerprint(config: XConfig) -> str:
    """Changes when the token that we read with does; "" while it cannot be read."""
    try:
        return content_digest((await _secret(config.bearer_token_file)).encode())
    except TokenRefused:
        return ""


async def _signer(config: XConfig) -> Signer:
    if config.keys is None:
        raise TokenRefused("no_keys")
    files = config.keys
    return Signer(
        client_key=await _secret(files.consumer_key_file),
        client_secret=await _secret(files.consumer_secret_file),
        resource_owner_key=await _secret(files.access_token_file),
        resource_owner_secret=await _secret(files.access_token_secret_file),
    )


async def _secret(file: Path | None) -> str:
    try:
        found = (await asyncio.to_thread(file.read_text, "utf-8")).strip() if file else ""
    except (OSError, UnicodeDecodeError):
        found = ""
    if not found or not found.isascii() or not found.isprintable():
        raise TokenRefused("key_unreadable")
    return found


async def _body(response: aiohttp.ClientResponse) -> bytes:
    found = bytearray()
    async for chunk in response.content.iter_any():
        found += chunk
        if len(found) > ANSWER_MAX:
            raise InDoubt("answer_too_large")
    return bytes(found)


def _judged(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Raises CallError. The body is read as JSON whatever its type says, and is allowed to be none."""
    try:
        document = mapping(jsonlib.loads(body))
    except (ValueError, RecursionError):
        document = {}
    reset = _number(headers.get("x-rate-limit-reset"))
    if 200 <= status < 300:
        if not document:
            raise InDoubt("answer_unreadable")
        return Answer(document, _number(headers.get("x-rate-limit-remaining")), reset)
    if status == 401:
        raise TokenRefused("status_401")
    if status in (402, 429):
        # The month's reads or the credit are used up: its reset is not that of the quarter of an hour.
        spent = status == 402 or "usage" in Refused(status, document).detail
        raise Limited("used_up" if spent else "limited", None if spent else reset)
    if 400 <= status < 500 and status != 408:
        refused = Refused(status, document)
        if status == 403 and any(words in refused.detail for words in _OURS):
            raise TokenRefused("status_403")
        raise refused
    raise InDoubt(f"status_{status}")


def _number(value: str | None) -> int | None:
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 12 else None
