"""The channel keeps the contract (the published kit), and takes nothing that Acme did not sign."""

import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

from acme_sms import Sms, SmsConfig
from aiohttp import ClientSession

from channels.fake_host import FakeHost
from channels.testing import ChannelContract
from normalizer import Raw

SECRET = "an-example-secret"


class TestSms(ChannelContract):
    channel = Sms
    config: ClassVar[Mapping[str, object]] = {"secret": SECRET}
    path = "/channels/acme/inbound"
    private = ("13800138000",)

    def example(self, n: int) -> Raw:
        message = {"id": f"m{n}", "from": "13800138000", "text": f"Lamp {n} is out"}
        return self.raw(f"m{n}", message)

    def bad_example(self) -> Raw:
        return self.raw("m0", {"id": "m0", "from": "13800138000" * 5, "text": ""})

    def headers(self, raw: Raw) -> Mapping[str, str]:
        return {"X-Acme-Signature": hmac.new(SECRET.encode(), raw.body, "sha256").hexdigest()}

    def raw(self, source_id: str, message: dict[str, str]) -> Raw:
        body = json.dumps(message).encode()
        return Raw(channel="acme", source_id=source_id, received_at=datetime.now(UTC), body=body)

    async def test_an_unsigned_message_is_refused(self) -> None:
        async with self.running() as host, ClientSession() as session:
            assert await _status(session, host, self.example(0), {}) == 422
            assert await _status(session, host, self.example(0), {"X-Acme-Signature": "0" * 64}) == 422
            assert await _status(session, host, self.example(0), self.headers(self.example(0))) == 201


async def _status(session: ClientSession, host: FakeHost, raw: Raw, headers: Mapping[str, str]) -> int:
    async with session.post(f"{host.public_url}/channels/acme/inbound", data=raw.body, headers=headers) as response:
        return response.status


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(SmsConfig.model_validate({"secret": SECRET}))
