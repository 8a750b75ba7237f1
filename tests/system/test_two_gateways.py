"""Two gateways with one secret and one Redis: whichever takes a submission, or both, it is one ticket."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from itertools import chain
from typing import Any

import aiohttp
import pytest

from normalizer.identity import is_number
from tests.waiting import wait_until

pytestmark = pytest.mark.system

Pair = tuple[dict[str, Any], dict[str, Any]]


async def send_to_both(site: Any, send: Any, texts: list[str], others: list[str] | None = None) -> list[Pair]:
    """Each text to both gateways at once, under the same key; the receipts. `others`: what the second one gets."""
    east, west = site.gateways
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:

        async def one(n: int, text: str, other: str) -> Pair:
            return await asyncio.gather(
                send(session, east.requests, {"text": text, "phone": "13800138000"}, f"key-{n}"),
                send(session, west.requests, {"text": other, "phone": "13800138000"}, f"key-{n}"),
            )

        return await asyncio.gather(*(one(n, *both) for n, both in enumerate(zip(texts, others or texts, strict=True))))


def entries_added(site: Any) -> int:
    return int(site.redis.xinfo_stream("jiesu:tickets")["entries-added"])


def gateway_of(number: str) -> str:
    return number[8:10]


def assert_one_ticket_each(site: Any, pairs: list[Pair]) -> None:
    """One ticket and one entry per pair, delivered once; of its two numbers one is the ticket's, the other an alias."""
    tickets = {}
    for east, west in pairs:
        assert (east["ticket_id"], east["code"]) == (west["ticket_id"], west["code"])
        numbers = {east["number"], west["number"]}
        assert len(numbers) == 2
        assert all(map(is_number, numbers))
        (own,) = numbers & {site.redis.hget(f"jiesu:ticket:{east['ticket_id']}", "number").decode()}
        for number in numbers:
            assert tickets.setdefault(number, east["ticket_id"]) == east["ticket_id"], "a number of two tickets"
            assert site.redis.get(f"jiesu:number:{number}").decode() == east["ticket_id"], f"{number}, not {own}"
    assert len({gateway_of(east["number"]) for east, _ in pairs}) == 1
    assert len({gateway_of(number) for number in tickets}) == 2, "each gateway has an id of its own"
    assert len(set(tickets.values())) == len(pairs) == entries_added(site)
    assert sorted(site.delivered()) == sorted(f"{ticket}.accepted" for ticket in set(tickets.values()))


def assert_counters_add_up(site: Any, *, received: int, parked: int = 0) -> None:
    counts = [gateway.counts() for gateway in site.gateways]
    total = {name: sum(one[name] for one in counts) for name in counts[0]}
    print(f"\n{total}, {entries_added(site)} entries added")
    assert total["received"] == received
    assert total["queued"] + total["set_aside"] + total["parked"] + total["in_flight"] == received
    assert (total["queued"], total["parked"]) == (received - parked, parked)


def assert_every_number_opens_the_page(site: Any, pairs: list[Pair]) -> None:
    """On either gateway, with the receipt's code and no other."""
    for pair in pairs:
        pages = []
        for gateway in site.gateways:
            for receipt in pair:
                status, page = gateway.progress(receipt["number"], code=receipt["code"])
                assert status == 200, receipt
                assert "收到您的诉求。" in page
                pages.append(seen(page).replace(receipt["number"], "NUMBER"))
                assert gateway.progress(receipt["number"], code="A2345672")[0] == 403
        assert len(set(pages)) == 1, "the same progress behind every number"


def seen(page: str) -> str:
    """What a person sees: hidden fields differ from page to page."""
    return "\n".join(line for line in page.splitlines() if 'type="hidden"' not in line)


def assert_programs_find_it_by_every_number(site: Any, pairs: list[Pair]) -> None:
    token = site.gateways[0].tell("tokens", "new", "--scope", "tickets:read").strip()
    for pair in pairs:
        found = [json.loads(g.get(f"/api/v1/tickets/{r['number']}", token)) for g in site.gateways for r in pair]
        assert all(ticket == found[0] for ticket in found)
        assert found[0]["ticket_id"] == pair[0]["ticket_id"]
        assert found[0]["number"] in {receipt["number"] for receipt in pair}


async def test_the_same_submission_at_both_at_once_is_one_ticket_with_two_numbers(site, send_until_received):
    pairs = await send_to_both(site, send_until_received, [f"路灯坏了，第{n}盏" for n in range(60)])
    again = await send_to_both(site, send_until_received, [f"路灯坏了，第{n}盏" for n in range(60)])
    assert [[r["number"] for r in pair] for pair in again] == [[r["number"] for r in pair] for pair in pairs]
    assert all(receipt["duplicate"] for receipt in chain(*again))
    site.wait_until_settled()
    assert_one_ticket_each(site, pairs)
    assert_counters_add_up(site, received=120)
    assert_every_number_opens_the_page(site, pairs[:5])
    assert_programs_find_it_by_every_number(site, pairs[:5])


def looks_for_redis(gateway: Any) -> int:
    """How many of its lives have found Redis away."""
    return sum(event.get("state") == "away" for event in gateway.events())


async def test_the_same_while_redis_is_away_and_a_gateway_is_killed(site, send_until_received):
    texts = [f"井盖丢失，第{n}处" for n in range(40)]
    site.stop_redis()
    await send_to_both(site, send_until_received, texts[:20])
    _, west = site.gateways
    for outage in range(1, 5):  # more often than a row may be tried
        wait_until(lambda outage=outage: looks_for_redis(west) >= outage, "the pump has looked for Redis")
        west.kill()
        west.start()
    pairs = await send_to_both(site, send_until_received, texts)
    assert [receipt["duplicate"] for receipt in chain(*pairs)] == [True] * 40 + [False] * 40
    assert all(gateway.counts()["in_flight"] == 40 for gateway in site.gateways)
    site.start_redis()
    site.wait_until_settled()
    assert_one_ticket_each(site, pairs)
    assert_counters_add_up(site, received=80)
    assert_every_number_opens_the_page(site, pairs[:3])


async def test_one_key_with_different_content_is_one_ticket_and_one_parked_row(site, send_until_received, short_tmp):
    pairs = await send_to_both(site, send_until_received, [f"东{n}" for n in range(10)], [f"西{n}" for n in range(10)])
    site.wait_until_settled()
    assert_counters_add_up(site, received=20, parked=10)
    assert entries_added(site) == len(site.delivered()) == 10
    kept: dict[str, set[str]] = {east["ticket_id"]: set() for east, _ in pairs}
    for gateway in site.gateways:
        folder = short_tmp / f"parked-{gateway.name}"
        gateway.tell("parked", "export", str(folder))
        rows = gateway.ask("parked", "list")
        alarms = [event for event in gateway.events() if event["event"] == "row_parked"]
        assert [(event["level"], event["code"]) for event in alarms] == [("error", "conflict")] * len(rows)
        for row in rows:
            assert row["code"] == "conflict"
            kept[row["ticket_id"]].add(json.loads((folder / f"{row['seq']}.body").read_bytes())["text"])
    for ticket in site.gateways[0].ask("tickets", "list"):
        kept[ticket["ticket_id"]].add(ticket["text"])
    assert sorted(map(sorted, kept.values())) == sorted([f"东{n}", f"西{n}"] for n in range(10)), "nothing is lost"


async def test_a_killed_gateway_has_its_address_back_at_once(site, send_until_received):
    """Though its pump may live on for a while: here it waits for a server that says nothing."""
    server = site.redis.info("server")["process_id"]
    os.kill(server, signal.SIGSTOP)
    try:
        await send_to_both(site, send_until_received, [f"渣土车超载{n}" for n in range(5)])
        _, west = site.gateways
        west.kill()
        west.start()
        pairs = await send_to_both(site, send_until_received, [f"渣土车超载{n}" for n in range(5)])
    finally:
        os.kill(server, signal.SIGCONT)
    assert all(receipt["duplicate"] for receipt in chain(*pairs))
    site.wait_until_settled()
    assert_one_ticket_each(site, pairs)


async def test_a_gateway_killed_under_load_goes_on_where_it_was(site, send_until_received):
    _, west = site.gateways
    received = 0

    async def send_and_disturb(*request: Any) -> dict[str, Any]:
        nonlocal received
        receipt: dict[str, Any] = await send_until_received(*request)
        received += 1
        if received in (50, 250):  # the other requests are on their way
            west.kill()
            west.start()
        return receipt

    pairs = await send_to_both(site, send_and_disturb, [f"噪音扰民，第{n}次" for n in range(300)])
    site.wait_until_settled()
    assert_one_ticket_each(site, pairs)
    assert_counters_add_up(site, received=600)
