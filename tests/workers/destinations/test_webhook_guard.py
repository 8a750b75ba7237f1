"""The webhook destination cannot be made to call what is not public (SSRF)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import ValidationError

from workers.destinations.contract import Delivered, Event, TryLater
from workers.destinations.webhook import WebhookConfig, WebhookDestination

MakeEvent = Callable[..., Event]
MakeWebhook = Callable[..., WebhookDestination]


class FixedResolver(AbstractResolver):
    """DNS that answers each question with the next of `answers`, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not addresses:
            raise OSError(None, "DNS lookup failed")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing to free."""


def named(url: str) -> str:
    return url.replace("127.0.0.1", "unit.example")


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["10.0.0.1", "192.168.1.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["fe80::1"],
    ],
)
async def test_a_name_that_leads_inside_is_not_called(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent, answer: list[str]
) -> None:
    destination = make_webhook(named(receiver.url), resolver=FixedResolver(answer), allow_private=[])
    assert await destination.deliver(make_event()) == TryLater("address_not_allowed", None)
    assert receiver.requests == []


async def test_a_name_that_leads_to_an_allowed_network_is_called(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent
) -> None:
    destination = make_webhook(named(receiver.url), resolver=FixedResolver(["127.0.0.1"]))
    assert await destination.deliver(make_event()) == Delivered()
    assert receiver.requests[0].host.startswith("unit.example")


async def test_of_several_addresses_only_an_allowed_one_is_connected_to(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent
) -> None:
    """127.0.0.2 would answer, too."""
    resolver = FixedResolver(["127.0.0.2", "127.0.0.3", "127.0.0.1"])
    assert await make_webhook(named(receiver.url), resolver=resolver).deliver(make_event()) == Delivered()
    (request,) = receiver.requests
    assert request.transport is None or request.transport.get_extra_info("sockname")[0] == "127.0.0.1"


async def test_a_name_that_leads_elsewhere_the_second_time_is_checked_again(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent
) -> None:
    """DNS rebinding: 127.0.0.2 would answer, but is not allowed."""
    destination = make_webhook(named(receiver.url), resolver=FixedResolver(["127.0.0.1"], ["127.0.0.2"]))
    assert await destination.deliver(make_event()) == Delivered()
    await destination.close()
    assert await destination.deliver(make_event()) == TryLater("address_not_allowed", None)
    assert len(receiver.requests) == 1


async def test_a_name_that_does_not_resolve_is_tried_again(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent
) -> None:
    destination = make_webhook(named(receiver.url), resolver=FixedResolver([]))
    assert await destination.deliver(make_event()) == TryLater("name_not_resolved", None)


async def test_the_systems_own_names_for_loopback_are_not_called(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent
) -> None:
    destination = make_webhook(receiver.url.replace("127.0.0.1", "localhost"), allow_private=[])
    assert await destination.deliver(make_event()) == TryLater("address_not_allowed", None)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"])
async def test_a_literal_is_checked_when_connecting_also(
    make_webhook: MakeWebhook, receiver: Any, make_event: MakeEvent, host: str
) -> None:
    """aiohttp asks no resolver about literals; the configuration's own check is stepped over here."""
    allowed = make_webhook(receiver.url.replace("127.0.0.1", host), allow_private=["127.0.0.0/8", "::1/128"])
    allowed._config = allowed._config.model_copy(update={"allow_private": ()})
    assert await allowed.deliver(make_event()) == TryLater("address_not_allowed", None)
    assert receiver.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://10.0.0.1:8080/hook",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[fe80::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "http://①②⑦.0.0.1/",
        "https://user:geheim@unit.example/",
        "https://geheim@unit.example/",
        "https://unit.example/#geheim",
        "ftp://unit.example/",
        "file:///etc/passwd",
        "unix:///run/redis.sock",
        "unit.example/hook",
    ],
)
def test_such_a_url_is_refused_by_the_configuration_without_repeating_it(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        WebhookConfig.model_validate({"type": "webhook", "url": url, "secret_file": "s"})
    assert "geheim" not in str(refused.value)
    assert {error["loc"] for error in refused.value.errors()} <= {("url",), ()}


def test_a_private_literal_may_be_called_when_its_network_is_listed() -> None:
    config = WebhookConfig.model_validate(
        {"type": "webhook", "url": "http://10.1.2.3/", "secret_file": "s", "allow_private": ["10.1.0.0/16"]}
    )
    assert config.url.host == "10.1.2.3"
