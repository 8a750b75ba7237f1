"""The index of matters: what it costs in memory and effort, and that the likeliest come first."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from normalizer.identity import ticket_id
from normalizer.matter import keys as of
from normalizer.matter.reading import read
from tests.effort import Effort
from tests.workers.turns import NOW, client
from workers import keys
from workers.linking_config import LinkingConfig
from workers.matters import GENERATIONS, Matters
from workers.store import Store

__all__ = ["client"]

MILLION = 1_000_000
BOUND = 300 * 1_000_000


def stream(seed: int):
    """Keys as tickets have them: a citizen, a number, and runs of which few are frequent and most are rare."""
    chance = random.Random(seed)
    while True:
        runs = {int(MILLION ** chance.random()) * 2_654_435_761 % (1 << 31) for _ in range(of.KEPT)}
        yield [chance.getrandbits(31), chance.getrandbits(31), *sorted(runs)]


async def fill(client, matters: Matters, count: int, first: int = 0) -> None:
    """So many tickets of which nothing but the index is there."""
    keys_of = stream(first)
    for n in range(first, first + count):
        id = ticket_id("web", f"s{n}")
        await client.hset(keys.ticket(id), "number", n)
        await matters.join(id, next(keys_of), NOW)


async def used(client) -> int:
    """Bytes that the index takes."""
    return sum([await client.memory_usage(key, samples=0) async for key in client.scan_iter("jiesu:linking:*")])


async def test_a_million_tickets_would_take_less_than_300_mb(valkey, client):
    matters = Matters(client, LinkingConfig())
    sizes = []
    for part in range(2):
        await fill(client, matters, 10_000, part * 10_000)
        sizes.append(await used(client))
    each = (sizes[1] - sizes[0]) / 10_000
    buckets = sizes[0] - 10_000 * each  # of one generation, whatever it holds
    empty, noted = ticket_id("web", "empty"), ticket_id("web", "s19999")
    await client.hset(keys.ticket(empty), "number", 19999)
    field = await client.memory_usage(keys.ticket(noted)) - await client.memory_usage(keys.ticket(empty))
    whole = MILLION * (each + field) + (GENERATIONS + 1) * buckets
    print(f"{each:.0f} bytes a ticket, {field} in its hash, {buckets / 1e6:.1f} MB a generation: {whole / 1e6:.0f} MB")
    assert whole < BOUND


@pytest.mark.soak
async def test_a_million_tickets_do_take_less_than_300_mb(valkey, client):
    matters = Matters(client, LinkingConfig())
    await fill(client, matters, MILLION)
    size = await used(client)
    print(f"{size / 1e6:.0f} MB")
    assert size < BOUND


async def test_ten_thousand_are_looked_through_in_five_milliseconds(valkey, client, make_item, queue):
    matters = Matters(client, LinkingConfig())
    await fill(client, matters, 10_000)
    one = make_item("real", "柳荫路88号幸福里工地夜间施工，渣土车噪音扰民，凌晨还在打桩，请处理。")
    queue.enqueue([one])
    ticket = (await Store(client, domain="hotline.example").load(one.ticket_id)).ticket()
    matter = read(ticket.title, ticket.text)
    before = (await client.info("cpu"))["used_cpu_user"]
    effort = Effort()
    for _ in range(40):
        await matters.earlier(ticket, matter, NOW, 12)
    assert effort.within(40 * 0.005), effort
    assert (await client.info("cpu"))["used_cpu_user"] - before < 40 * 0.005


async def test_who_shares_more_comes_first_and_later_ones_are_not_seen(client, make_item, queue):
    matters = Matters(client, LinkingConfig())
    texts = ["望京街道柳荫家园东门工地夜间施工", "望京街道柳荫家园电梯坏了", "颐和园路上的树倒了"]
    texts.append(texts[0] + "太吵")
    items = [make_item(f"s{n}", text, sequence=n + 1) for n, text in enumerate(texts)]
    queue.enqueue(items)
    tickets = [(await Store(client, domain="h").load(one.ticket_id)).ticket() for one in items]
    ids = [ticket.ticket_id for ticket in tickets]
    found = [await matters.earlier(one, read(one.title, one.text), NOW, 12) for one in tickets]
    assert found[0] == []
    assert found[1] == [ids[0]]
    assert ids[2] not in found[3]
    assert found[3][:2] == [ids[0], ids[1]]
    again = await matters.earlier(tickets[0], read(tickets[0].title, tickets[0].text), NOW + timedelta(days=1), 12)
    assert again == [], "what came later is not earlier the second time either"
