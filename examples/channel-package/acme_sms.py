"""Text messages that the provider Acme pushes to POST /channels/acme/inbound. May not know where they go."""

import asyncio
import hmac
from datetime import UTC, datetime
from typing import ClassVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from channels.contract import Host
from channels.problem import answer
from normalizer import Fault, Inbound, Raw, Rejected, Requester
from normalizer.identity import content_digest


class SmsConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    secret: SecretStr = Field(description="Shared with Acme; signs every message")


class Message(BaseModel):
    id: str = Field(min_length=1, max_length=100)
    sender: str = Field(alias="from", max_length=40)
    text: str = Field(min_length=1, max_length=2000)


class Sms:
    name: ClassVar[str] = "acme"
    config_type: ClassVar[type[BaseModel]] = SmsConfig

    def __init__(self, config: SmsConfig, /) -> None:
        self._secret = config.secret.get_secret_value().encode()

    def parse(self, raw: Raw) -> Inbound:
        said = read(raw.body)
        digest = content_digest(said.sender.encode(), said.text.encode())
        return Inbound(text=said.text, digest=digest, requester=Requester(phone=said.sender))

    async def run(self, host: Host) -> None:
        host.route("POST", "/channels/acme/inbound", lambda request: answer(self.receive(host, request)))
        await asyncio.Event().wait()

    async def receive(self, host: Host, request: web.Request) -> web.Response:
        body, signature = await request.read(), request.headers.get("X-Acme-Signature", "")
        ours = hmac.digest(self._secret, body, "sha256").hex()
        if not hmac.compare_digest(ours.encode(), signature.encode("utf-8", "replace")):
            raise Rejected("signature_invalid", "The signature is not Acme's.")
        raw = Raw(channel="acme", source_id=read(body).id, received_at=datetime.now(UTC), body=body)
        receipt = await host.accept(raw)
        return web.json_response({"number": receipt.number}, status=200 if receipt.duplicate else 201)


def read(body: bytes) -> Message:
    try:
        return Message.model_validate_json(body)
    except ValidationError as error:
        where = ["/".join(map(str, ("", *fault["loc"]))) for fault in error.errors()]
        faults = [Fault(pointer, "malformed", "See Acme's manual.") for pointer in where]
        raise Rejected("malformed", "This is no message of Acme.", faults) from None
