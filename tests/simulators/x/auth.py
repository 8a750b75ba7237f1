"""Who asks X: an app by its bearer token, or our account by OAuth 1.0a (RFC 5849, HMAC-SHA1), signature checked.

May not know limits.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote, unquote

from aiohttp import web

from tests.simulators.x.world import OURS

_ADDRESSES: Final = ("https://api.twitter.com", "https://api.x.com")
Context = Literal["app", "user"]


@dataclass
class Keys:
    """What the developer portal gives."""

    bearer: str = "x-bearer-token"
    user_bearer: str = "x-oauth2-user-token"
    consumer_key: str = "x-consumer-key"
    consumer_secret: str = "x-consumer-secret"
    access_token: str = f"{OURS}-x-access-token"
    access_token_secret: str = "x-access-token-secret"
    revoked: bool = False
    nonces: set[str] = field(default_factory=set)

    def context(self, request: web.Request) -> Context | None:
        """Whose request it is; None: nobody's that X knows."""
        scheme, _, told = request.headers.get("Authorization", "").partition(" ")
        if self.revoked:
            return None
        if scheme == "Bearer":
            return "app" if told == self.bearer else "user" if told == self.user_bearer else None
        return "user" if scheme == "OAuth" and self._signed(request, told) else None

    def _signed(self, request: web.Request, told: str) -> bool:
        parts = dict(part.strip().partition("=")[::2] for part in told.split(","))
        oauth = {key: unquote(value.strip('"')) for key, value in parts.items()}
        given = oauth.pop("oauth_signature", "")
        nonce = oauth.get("oauth_nonce", "")
        if oauth.get("oauth_consumer_key") != self.consumer_key or oauth.get("oauth_token") != self.access_token:
            return False
        if oauth.get("oauth_signature_method") != "HMAC-SHA1" or not nonce or nonce in self.nonces:
            return False
        here = f"http://{request.host}"
        good = any(hmac.compare_digest(given, self._sign(request, at, oauth)) for at in (*_ADDRESSES, here))
        if good:
            self.nonces.add(nonce)
        return good

    def _sign(self, request: web.Request, address: str, oauth: dict[str, str]) -> str:
        """RFC 5849, 3.4.1: a JSON body is no part of it."""
        told = sorted((_quoted(k), _quoted(v)) for k, v in [*request.query.items(), *oauth.items()])
        parameters = "&".join(f"{key}={value}" for key, value in told)
        base = "&".join((request.method, _quoted(f"{address}{request.path}"), _quoted(parameters)))
        key = f"{_quoted(self.consumer_secret)}&{_quoted(self.access_token_secret)}"
        return base64.b64encode(hmac.digest(key.encode(), base.encode(), hashlib.sha1)).decode()


def _quoted(text: str) -> str:
    return quote(text, safe="-._~")
