"""Destination `webhook`: POST of the CloudEvent (structured mode), signed as Standard Webhooks 1.0.0 says.
May not follow redirects, use what the receiver says beyond its status, or connect where the guard forbids it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, model_validator
from standardwebhooks import Webhook

from channels.addresses import Network, is_literal, permitted
from channels.guard import NotAllowedError, guarded
from workers.destinations.answer import Answer, drain, judge, pause
from workers.destinations.contract import Brake, Disabled, Event, Hold, Outcome, TryLater

_PREFIX: Final = "whsec_"


class WebhookConfig(BaseModel):
    """A block `destinations.<name>` of type `webhook`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["webhook"]
    url: HttpUrl = Field(description="https (or http) address the events are posted to; without user:password")
    secret_file: Path = Field(
        description="One `whsec_…` secret a line, relative to the data directory; more than one"
        " while they are rotated: the events are then signed with each"
    )
    allow_private: tuple[Network, ...] = Field(
        default=(), description="Networks that are not public but may be called, e.g. 10.20.0.0/16"
    )
    timeout: Annotated[float, Field(gt=0, le=30)] = 20.0  # Standard Webhooks 1.0.0 recommends 15-30 s

    @model_validator(mode="after")
    def _check_url(self) -> Self:
        if self.url.username is not None or self.url.password is not None:
            raise ValueError("url must not carry a user name or password: requests are signed instead")
        if self.url.fragment is not None:
            raise ValueError("url must not have a #fragment")
        host = (self.url.host or "").strip("[]")
        if is_literal(host) and not permitted(host, self.allow_private):
            raise ValueError("url names an address that is not public; allow_private must list its network")
        return self


class WebhookDestination:
    """Posts events to one URL over connections kept open. Bound to the event loop of its first delivery."""

    def __init__(
        self,
        name: str,
        config: WebhookConfig,
        secrets: Sequence[Webhook],
        brake: Brake,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """`resolver`: None = the system's."""
        self.name = name
        self._config = config
        self._secrets = tuple(secrets)
        self._brake = brake
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def deliver(self, event: Event) -> Outcome:
        """POST `event`, unless the brake holds this destination. Reasons: `status_<code>`, timeout,
        name_not_resolved, address_not_allowed, tls_failed, connection_failed, and whatever set the brake. One that
        does not answer is braked: it costs a worker's time once a while, not once a ticket."""
        hold = await self._brake.get(self.name)
        if hold is not None:
            return _held(hold)
        try:
            answer = await self._post(event)
        except TimeoutError:
            return await self._failed("timeout")
        except (aiohttp.ClientError, OSError) as error:
            return await self._failed(_fault(error))
        await self._brake.answered(self.name)
        outcome = judge(answer)
        await self._remember(answer, outcome)
        return outcome

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, event: Event) -> Answer:
        async with self._open_session().post(
            str(self._config.url),
            data=event.document,
            headers={"Content-Type": "application/cloudevents+json; charset=utf-8", **self._sign(event)},
            allow_redirects=False,
        ) as response:
            answer = Answer(response.status, response.headers.get("Retry-After"), datetime.now(UTC))
            await drain(response)
            return answer

    def _sign(self, event: Event) -> dict[str, str]:
        now = datetime.now(UTC)
        text = event.document.decode()
        signatures = (secret.sign(event.id, now, text) for secret in self._secrets)
        return {
            "webhook-id": event.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }

    async def _failed(self, reason: str) -> TryLater:
        await self._brake.failed(self.name, reason)
        return TryLater(reason, None)

    async def _remember(self, answer: Answer, outcome: Outcome) -> None:
        seconds = pause(answer)
        if isinstance(outcome, Disabled):
            await self._brake.set(self.name, Hold(outcome.reason, None))
        elif seconds:
            await self._brake.set(self.name, Hold(f"status_{answer.status}", seconds))

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=self._resolver, socket_factory=guarded(self._config.allow_private)
                ),
                timeout=aiohttp.ClientTimeout(total=self._config.timeout),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "jiesu", "Accept-Encoding": "identity"},
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


def read_secrets(path: Path) -> tuple[Webhook, ...]:
    """The signing secrets in `path`, one a line; empty lines and lines that start with # are skipped.

    Raises:
        OSError: the file cannot be read.
        ValueError: no secret, or one that is not `whsec_` + base64 of 24 to 64 bytes (the specification).
    """
    lines = enumerate(path.read_text("utf-8").splitlines(), start=1)
    secrets = tuple(
        _secret(line.strip(), f"{path.name} line {number}")
        for number, line in lines
        if line.strip() and not line.lstrip().startswith("#")
    )
    if not secrets:
        raise ValueError(f"{path.name} holds no secret")
    return secrets


def _secret(text: str, where: str) -> Webhook:
    encoded = text.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if encoded == text or not 24 <= len(key) <= 64:
        raise ValueError(f"{where}: not {_PREFIX} and the base64 of 24 to 64 bytes")
    return Webhook(key)


def _held(hold: Hold) -> Outcome:
    if hold.seconds is None:
        return Disabled(hold.reason)
    return TryLater(hold.reason, hold.seconds, tried=False)


def _fault(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "name_not_resolved"
    if isinstance(error, aiohttp.ClientSSLError):
        return "tls_failed"
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, NotAllowedError):
        return "address_not_allowed"
    return "connection_failed"
