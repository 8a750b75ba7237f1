"""A report that a sending did not arrive: recorded at its ticket, once."""

from __future__ import annotations

import json

import pytest

from normalizer.ticket import ReplyAddress, Requester, Undelivered
from tests.workers.turns import NOW, Answering, Receiver, build, client
from workers import keys
from workers.delivery import deliver
from workers.returned import Returns

__all__ = ["build", "client"]

CITIZEN = Requester(receipt_to=ReplyAddress(channel="email", address="citizen@home.example"))


@pytest.fixture
async def sent(queue, make_item, build):
    """A ticket whose receipt went out under the reference `a.b`."""
    one = make_item("a", requester=CITIZEN)
    queue.enqueue([one])
    await deliver(build(Receiver("file"), channel=Answering()), one.ticket_id)
    return one


def reported(number, reference="a.b"):
    return Undelivered(number=number, reference=reference, reason="bounced_5.1.1")


async def test_the_sending_has_failed_and_the_ticket_says_so(valkey, sent, build):
    returns = Returns(valkey.client(), domain="hotline.example")
    assert returns.record("email", reported(sent.number), NOW) == "done"
    record = await build().store.load(sent.ticket_id)
    last = record.events()[-1]
    assert last["type"] == "org.jiesu.ticket.notified.v1"
    assert {key: last["data"][key] for key in ("operation", "channel", "outcome", "reason", "reference")} == {
        "operation": "receipt",
        "channel": "email",
        "outcome": "failed",
        "reason": "bounced_5.1.1",
        "reference": "a.b",
    }
    assert record.fields["reply:receipt"] == "failed"
    assert json.loads(valkey.client().xrevrange(keys.EVENTS, count=1)[0][1][b"event"]) == last


async def test_the_same_report_again_changes_nothing(valkey, sent, build):
    returns = Returns(valkey.client(), domain="hotline.example")
    assert [returns.record("email", reported(sent.number), NOW) for _ in range(2)] == ["done", "repeated"]
    record = await build().store.load(sent.ticket_id)
    assert [event["type"].split(".")[3] for event in record.events()] == ["delivered", "notified", "notified"]


@pytest.mark.parametrize("change", [{"reference": "x.y"}, {"number": "2026010100000019"}])
async def test_what_we_never_sent_changes_nothing(valkey, sent, build, change):
    report = reported(**({"number": sent.number} | change))
    assert Returns(valkey.client(), domain="hotline.example").record("email", report, NOW) == "missing"
    assert (await build().store.load(sent.ticket_id)).version == 3
