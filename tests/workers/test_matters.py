"""The index of matters: what it costs in memory and effort, and that the likeliest come first."""

from __future__ import annotations

import random
import time
from datetime import timedelta

import pytest

from normalizer.identity import ticket_id
from normalizer.matter import keys as of
from normalizer.matter.reading import read
from normalizer.ticket import Requester
from tests.effort import Effort
from tests.workers.turns import NOW, client
from workers import keys
from workers.linking_config import LinkingConfig
from workers.matters import GENERATIONS, Matters
from workers.store import Store

__all__ = ["client"]

MILLION = 1_000_000
BOUND = 300 * 1_000_000
BATCH = 500


def stream(seed: int):
    """Keys as tickets have them: a citizen, a number, and runs of which few are frequent and most are rare."""
    chance = random.Random(seed)
    while True:
        runs = {int(MILLION ** chance.random()) * 2_654_435_761 % (1 << 31) for _ in range(of.KEPT)}
        yield [chance.getrandbits(31), chance.getrandbits(31), *sorted(runs)]


async def fill(client, matters: Matters, count: int, first: int = 0) -> None:
    """So many tickets of which nothing but the index is there."""
    keys_of, script = stream(first), client.register_script(keys.script("index"))
    for at in range(first, first + count, BATCH):
        async with client.pipeline(transaction=False) as pipe:
            for n in range(at, min(at + BATCH, first + count)):
                id = ticket_id("web", f"s{n}")
                await pipe.hset(keys.ticket(id), "number", n)
                place = matters.arguments(id, next(keys_of), NOW)
                await script(keys=[keys.LINKING_GENERATIONS], args=place, client=pipe)
            await pipe.execute()


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
async def test_a_million_tickets_do_take_less_than_300_mb_and_are_looked_through_in_time(
    valkey, client, make_item, queue
):
    for n in range(0, MILLION, BATCH):
        async with client.pipeline(transaction=False) as pipe:
            for one in range(n, n + BATCH):
                await pipe.hset(keys.ticket(ticket_id("web", f"s{one}")), "number", one)
            await pipe.execute()
    before = (await client.info("memory"))["used_memory"]
    matters = Matters(client, LinkingConfig())
    await fill(client, matters, MILLION)
    server = (await client.info("memory"))["used_memory"] - before
    one = await _real(client, queue, make_item)
    matter, spent, effort = read(one.title, one.text), [], Effort()
    for _ in range(200):
        start = time.perf_counter()
        await matters.earlier(one, matter, NOW, 12)
        spent.append((time.perf_counter() - start) * 1000)
    assert effort.within(200 * 0.005), effort
    spent.sort()
    print(f"index {await used(client) / 1e6:.0f} MB, server {server / 1e6:.0f} MB more than before it")
    print(f"a look through a million: median {spent[100]:.2f} ms, 99th percentile {spent[198]:.2f} ms")
    assert server < BOUND


async def _real(client, queue, make_item):
    """A ticket with words."""
    one = make_item("real", "柳荫路88号幸福里工地夜间施工，渣土车噪音扰民，凌晨还在打桩，请处理。")
    queue.enqueue([one])
    return (await Store(client, domain="hotline.example").load(one.ticket_id)).ticket()


async def test_ten_thousand_are_looked_through_in_five_milliseconds(valkey, client, make_item, queue):
    matters = Matters(client, LinkingConfig())
    await fill(client, matters, 10_000)
    one = await _real(client, queue, make_item)
    await _looked_through(client, matters, one)


async def test_ten_thousand_on_one_matter_at_one_place_are_too(valkey, client, make_item, queue):
    """One letter that very many sign: nobody's look grows with their number, and the newest are found."""
    matters, one = Matters(client, LinkingConfig()), await _real(client, queue, make_item)
    matter, script = read(one.title, one.text), client.register_script(keys.script("index"))
    runs = [key for key, _ in of.of_runs(matter, of.KEPT)]
    async with client.pipeline(transaction=False) as pipe:
        for n in range(10_000):
            id = ticket_id("web", f"signed{n}")
            await pipe.hset(keys.ticket(id), "number", n)
            under = [of.hashed(f"phone:{n}"), *runs]
            await script(keys=[keys.LINKING_GENERATIONS], args=matters.arguments(id, under, NOW), client=pipe)
        await pipe.execute()
    found = await matters.earlier(one, matter, NOW, 12)
    assert found == [ticket_id("web", f"signed{n}") for n in range(9_999, 9_987, -1)]
    await _looked_through(client, matters, one)


async def _looked_through(client, matters: Matters, one) -> None:
    """In less than five milliseconds of the job's and of the server's time, each."""
    matter = read(one.title, one.text)
    before = (await client.info("cpu"))["used_cpu_user"]
    effort = Effort()
    for _ in range(40):
        await matters.earlier(one, matter, NOW, 12)
    assert effort.within(40 * 0.005), effort
    assert (await client.info("cpu"))["used_cpu_user"] - before < 40 * 0.005


async def test_who_writes_every_day_is_found_beside_the_neighbours(client, make_item, queue):
    mine = Requester(phone="+8613800138000")
    about = "望京街道柳荫家园东门工地夜间施工"
    others = [Requester(phone=f"+861390013900{n}") for n in range(3)]
    items = [make_item(f"n{n}", about, sequence=n + 1, requester=one) for n, one in enumerate(others)]
    items += [make_item(f"m{n}", f"第{n}天问一件另外的事", sequence=n + 9, requester=mine) for n in range(20)]
    items.append(make_item("last", about + "太吵", sequence=40, requester=mine))
    queue.enqueue(items)
    matters, store = Matters(client, LinkingConfig()), Store(client, domain="h")
    found = []
    for one in items:
        ticket = (await store.load(one.ticket_id)).ticket()
        found = await matters.earlier(ticket, read(ticket.title, ticket.text), NOW, 12)
    assert len(found) == 12
    assert {one.ticket_id for one in items[:3]} <= set(found)


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
