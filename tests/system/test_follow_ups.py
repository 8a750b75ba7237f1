"""A second message of the same matter grows its ticket, once, whatever is redelivered or killed in between."""

from __future__ import annotations

import asyncio
import json
import re
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import redis

from normalizer.identity import number
from tests.waiting import wait_until

pytestmark = pytest.mark.system

FOLLOWED_UP = "org.jiesu.ticket.followed_up.v1"


def follow_up(up: Any, receipt: dict[str, Any], text: str, *, code: str | None = None, key: str) -> tuple[int, dict]:
    path = f"/api/v1/requests/{receipt['number']}/messages"
    return up.post({"text": text, "code": code or receipt["code"]}, key=key, path=path)


def opened(up: Any, text: str) -> dict[str, Any]:
    """A ticket that is on the queue and delivered; its receipt."""
    _, receipt = up.post({"text": text, "phone": "13800138000"})
    wait_until(lambda: up.settled() and up.client().exists(f"jiesu:ticket:{receipt['ticket_id']}"), "a ticket")
    return dict(receipt)


def events(up: Any) -> list[dict[str, Any]]:
    """Everything on jiesu:events, oldest first."""
    return [json.loads(fields[b"event"]) for _, fields in up.client().xrange("jiesu:events")]


def follow_ups(up: Any) -> list[dict[str, Any]]:
    return [event for event in events(up) if event["type"] == FOLLOWED_UP]


def said(ticket: dict[str, Any]) -> list[str]:
    return [turn["text"] for turn in ticket["conversation"]]


def entries_added(up: Any) -> int:
    return int(up.client().xinfo_stream("jiesu:tickets")["entries-added"])


def tickets_on_queue(up: Any) -> int:
    """How many ever, also while there is no stream or no server (then: none)."""
    try:
        return entries_added(up)
    except redis.RedisError:
        return 0


def assert_versions_have_no_gap(up: Any) -> None:
    """Each event of a ticket says one version more than the one before; the ticket has the last of them."""
    versions: dict[str, list[int]] = {}
    for event in events(up):
        versions.setdefault(event["subject"], []).append(event["data"]["version"])
    for ticket, found in versions.items():
        assert found == list(range(2, len(found) + 2))
        assert int(up.client().hget(f"jiesu:ticket:{ticket}", "version")) == found[-1]


def test_a_message_through_the_api_grows_the_ticket_once(up):
    receipt = opened(up, "楼下路灯坏了三天")
    before = int(up.client().hget(f"jiesu:ticket:{receipt['ticket_id']}", "version"))
    status, answer = follow_up(up, receipt, "今天又坏了两盏", key="more")
    assert (status, answer["duplicate"]) == (201, False)
    assert answer["number"] != receipt["number"]
    for _ in range(3):
        assert follow_up(up, receipt, "今天又坏了两盏", key="more") == (200, answer | {"duplicate": True})
    wait_until(lambda: up.settled() and follow_ups(up), "the ticket has grown")
    (event,) = follow_ups(up)
    assert (event["subject"], event["data"]["version"]) == (receipt["ticket_id"], before + 1)
    assert event["data"]["turn"]["text"] == "今天又坏了两盏"
    assert entries_added(up) == 1
    assert_versions_have_no_gap(up)
    (ticket,) = up.tickets().values()
    assert (ticket["number"], ticket["text"], said(ticket)) == (
        receipt["number"],
        "楼下路灯坏了三天",
        ["今天又坏了两盏"],
    )
    assert up.delivered() == [f"{receipt['ticket_id']}.accepted", event["id"]]
    assert up.progress(answer["number"], code=answer["code"])[0] == 200, "the message's own number opens the ticket"


def test_an_emergency_in_a_message_makes_the_ticket_urgent(up):
    receipt = opened(up, "楼下路灯坏了三天")
    follow_up(up, receipt, "着火了，有人被困", key="fire")
    wait_until(lambda: len(up.delivered()) == 2, "the message is delivered")
    (ticket,) = up.tickets().values()
    assert (ticket["urgency"]["tier"], ticket["flags"]) == ("immediate", ["emergency"])
    assert up.client().hget(f"jiesu:ticket:{receipt['ticket_id']}", "tier") == b"immediate"
    (event,) = follow_ups(up)
    assert (event["data"]["urgency"]["tier"], event["data"]["flags"]) == ("immediate", ["emergency"])


def test_the_progress_page_takes_and_then_shows_more(up):
    receipt = opened(up, "井盖丢失")
    status, page = up.progress(receipt["number"], code=receipt["code"])
    assert (status, "收到您的补充。" in page) == (200, False)
    fields = {"pass": hidden(page, "pass"), "submission_id": hidden(page, "submission_id"), "text": "孩子差点掉下去"}
    status, page = up.progress(receipt["number"], **fields)
    assert (status, "已收到您的补充" in page) == (201, True)
    assert up.progress(receipt["number"], **fields)[0] == 200, "a double click"
    wait_until(lambda: "收到您的补充。" in up.progress(receipt["number"], code=receipt["code"])[1], "the page shows it")
    wait_until(up.settled, "delivered")
    (ticket,) = up.tickets().values()
    assert said(ticket) == ["孩子差点掉下去"]
    assert (len(follow_ups(up)), entries_added(up)) == (1, 1)
    status, page = up.progress(receipt["number"], code=receipt["code"])
    assert len(re.findall(r"<li><p>\d{4}-\d\d-\d\d \d\d:\d\d 收到您的补充。</p></li>", page)) == 1


def hidden(page: str, name: str) -> str:
    match = re.search(rf'<input type="hidden" name="{name}" value="([^"]+)">', page)
    assert match is not None
    return match[1]


def test_a_stranger_cannot_grow_a_ticket(up):
    receipt = opened(up, "邻居装修噪音")
    other = opened(up, "垃圾未清运")
    text = "不用处理了"
    for proof in ({"code": other["code"]}, {"last4": "8001"}, {"pass": f"{time.time() + 900:.0f}.{'0' * 64}"}):
        status, page = up.progress(receipt["number"], text=text, submission_id=str(uuid4()), **proof)
        assert status == (422 if "pass" in proof else 403)
        assert "收到您的补充。" not in page
    assert follow_up(up, receipt, text, code=other["code"], key="stranger")[0] == 201
    wait_until(lambda: up.settled() and entries_added(up) == 3, "the stranger's own ticket")
    tickets = up.tickets()
    (own,) = (ticket for ticket in tickets.values() if ticket["text"] == text)
    assert "not_a_sender" in [note["code"] for note in own["notes"]]
    assert [said(tickets[r["ticket_id"]]) for r in (receipt, other)] == [[], []]
    assert follow_ups(up) == []
    assert (up.counts()["received"], up.counts()["queued"], up.counts()["parked"]) == (3, 3, 0)


MESSAGES, REPEATS, TALKS = 3, 2, [6] * 8 + [2]
TARGETS = ("gateway", "pump", "valkey")


async def test_with_kills_in_between_every_message_grows_its_ticket_once(up, send_until_received):
    """Talks in parts; in each but the last something is killed, once the part before has begun to reach the queue."""
    kills: list[str] = []
    receipts = 0

    async def send(path: str, body: dict, key: str) -> dict[str, Any]:
        nonlocal receipts
        receipts += 1
        return dict(await send_until_received(session, up.base + path, body, key))

    async def talk(n: int) -> dict[str, Any]:
        """One citizen: a request and, without waiting for more than its receipt, three messages, each sent twice."""
        opening = await send("/api/v1/requests", {"text": f"第{n}件"}, f"open-{n}")
        path = f"/api/v1/requests/{opening['number']}/messages"
        messages = [m for m in range(MESSAGES) for _ in range(REPEATS)]
        answers = await asyncio.gather(
            *(send(path, {"text": f"第{n}件补充{m}", "code": opening["code"]}, f"{n}-{m}") for m in messages)
        )
        assert len({answer["ticket_id"] for answer in answers}) == MESSAGES
        return opening

    async def kill(queued: int) -> None:
        """At any moment after one more ticket is on the queue."""
        role = TARGETS[len(kills) % len(TARGETS)]
        await asyncio.to_thread(wait_until, lambda: tickets_on_queue(up) > queued, "a ticket on the queue")
        await asyncio.to_thread(wait_until, lambda: up.kill(role), f"a {role} to kill")
        kills.append(role)

    openings: list[dict[str, Any]] = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        for part in TALKS:
            killing = [kill(tickets_on_queue(up))] if part > TALKS[-1] else []
            numbers = range(len(openings), len(openings) + part)
            found = await asyncio.gather(*map(talk, numbers), *killing)
            openings += [opening for opening in found if opening]
    await asyncio.to_thread(wait_until, up.settled, f"settled: {up.counts()}")
    counts, tickets = up.counts(), up.tickets()
    print(f"\n{receipts} receipts, {kills}, {entries_added(up)} entries, {len(follow_ups(up))} follow-ups, {counts}")
    assert len(kills) >= 6
    assert entries_added(up) == len(tickets) == len(openings) == sum(TALKS), "no second entry"
    for n, opening in enumerate(openings):
        ticket = tickets[opening["ticket_id"]]
        assert sorted(said(ticket)) == [f"第{n}件补充{m}" for m in range(MESSAGES)]
    grown = follow_ups(up)
    assert len(grown) == len({event["id"] for event in grown}) == len(openings) * MESSAGES
    assert_versions_have_no_gap(up)
    expected = {f"{opening['ticket_id']}.accepted" for opening in openings} | {event["id"] for event in grown}
    assert sorted(up.delivered()) == sorted(expected), "each delivered, once"
    total = len(openings) * (1 + MESSAGES)
    assert (counts["received"], counts["queued"], counts["parked"], counts["set_aside"]) == (total, total, 0, 0)


async def test_a_message_never_overtakes_the_request_it_follows(site, send_until_received):
    """Requests wait in one gateway, which was killed and tries them one by one; the messages wait in both."""
    first, second = site.gateways
    site.stop_redis()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        openings = [
            await send_until_received(session, first.requests, {"text": f"第{n}件"}, f"open-{n}") for n in range(20)
        ]
        wait_until(lambda: any(e.get("state") == "away" for e in first.events()), "the pump has tried")
        first.kill()
        first.start()
        for n, opening in enumerate(openings):
            for gateway in site.gateways:
                url = f"{gateway.requests}/{opening['number']}/messages"
                body = {"text": f"{gateway.name} {n}", "code": opening["code"]}
                await send_until_received(session, url, body, f"{gateway.name}-{n}")
    site.start_redis()
    site.wait_until_settled()
    tickets = {ticket["ticket_id"]: ticket for ticket in first.ask("tickets", "list")}
    print(f"\n{len(tickets)} tickets of {len(openings)} requests")
    assert len(tickets) == len(openings)
    for n, opening in enumerate(openings):
        assert sorted(said(tickets[opening["ticket_id"]])) == [f"{first.name} {n}", f"{second.name} {n}"]


def entry(up: Any, receipt: dict[str, Any]) -> tuple[int, ...]:
    """Where the ticket of this submission stands in jiesu:tickets; () while it does not."""
    found = up.client().hget(f"jiesu:ticket:{receipt['ticket_id']}", "entry")
    return tuple(map(int, found.split(b"-"))) if found else ()


def test_a_message_to_a_number_that_nobody_has_waits_and_delays_nobody(up):
    unknown = {"number": number(datetime.now(UTC).date(), 99, 1), "code": "ABCDEFGH"}
    _, calm = follow_up(up, unknown, "路灯还是坏的", key="calm")
    _, urgent = follow_up(up, unknown, "家里着火了，有人被困", key="lost")
    _, behind = up.post({"text": "路灯坏了"})
    wait_until(lambda: entry(up, urgent), "what is urgent waits for seconds only")
    assert () < entry(up, behind) < entry(up, urgent), "the row behind did not wait"
    assert not entry(up, calm), "what is not urgent came first and waits longer"
    wait_until(lambda: len(up.delivered()) == 2, "delivered")
    ticket = up.tickets()[urgent["ticket_id"]]
    assert ticket["urgency"]["tier"] == "immediate"
    assert "unknown_number" in [note["code"] for note in ticket["notes"]]
    assert (up.counts()["queued"], up.counts()["in_flight"], up.counts()["parked"]) == (2, 1, 0)
