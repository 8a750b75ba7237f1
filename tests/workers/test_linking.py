"""Same matter: a repeat of the citizen, one incident of several. Linked once, asked about, never merged or dropped."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import timedelta

import pytest

from normalizer import events
from normalizer.life import State
from normalizer.matter.likeness import QUOTED, shipped
from normalizer.matter.reading import of_ticket as read
from normalizer.ticket import Handle, Place, Relation, Requester, Span, Tier
from tests.workers.life_far import ENDS, Cut, MortalRedis, Process
from tests.workers.turns import NOW, Receiver, build, client
from workers import keys
from workers.delivery import deliver
from workers.linking import likeness
from workers.linking_config import LinkingConfig
from workers.matters import Matters
from workers.store import Store
from workers.views import of_ticket

__all__ = ["build", "client"]

LI, WANG = Requester(phone="+8613800138000"), Requester(phone="+8613900139000", email="wang@mail.example")
NOISE = (
    "朝阳区望京街道柳荫家园3期东门外的幸福里工地连续半个月夜间施工，打桩机和渣土车的噪音特别大，"
    "每天吵到凌晨两点，老人和孩子根本无法入睡，多次打电话都没有人来管，请尽快处理。"
)
ELSEWHERE = NOISE.replace("柳荫家园3期", "翠湖天地2期").replace("幸福里", "金茂府")
ALSO_NOISE = (
    "我住在望京街道柳荫家园3期，东门外幸福里工地天天夜间施工，渣土车轰鸣，噪音扰民到凌晨，"
    "孩子要中考了，一家人都睡不着觉，请有关部门管一管这个工地。"
)
STILL_NOISE = (
    "上次反映的朝阳区望京街道柳荫家园3期东门外幸福里工地夜间施工噪音问题还是没有解决，昨天又是打桩机和渣土车"
    "吵到凌晨两点，老人孩子无法入睡，请尽快处理。"
)


async def _linked(runtime, ticket_id):
    record = await runtime.store.load(ticket_id)
    return [event["data"] for event in record.events() if event["type"] == events.LINKED]


async def _related(runtime, ticket_id):
    record = await runtime.store.load(ticket_id)
    return [(one.ticket_id, one.relation) for one in record.ticket().related]


async def _turns(queue, runtime, *items):
    for one in items:
        queue.enqueue([one])
        assert await deliver(runtime, one.ticket_id) == "settled"


def _index(valkey) -> dict[bytes, object]:
    """Everything the index holds."""
    client, found = valkey.client(), {}
    for key in client.scan_iter("jiesu:linking:*"):
        match client.type(key):
            case b"hash":
                found[key] = client.hgetall(key)
            case b"zset":
                found[key] = client.zrange(key, 0, -1)
            case b"string":
                found[key] = client.get(key)
    return found


async def test_another_citizen_of_the_same_place_and_matter_is_linked_and_answered(queue, make_item, build):
    first = make_item("a", NOISE, requester=LI)
    other = make_item("b", ALSO_NOISE, sequence=2, requester=WANG, channel="email")
    runtime = build(Receiver("file"))
    await _turns(queue, runtime, first, other)
    assert await _linked(runtime, first.ticket_id) == [], "there was nothing earlier"
    [said] = await _linked(runtime, other.ticket_id)
    [link] = said["related"]
    assert (link["ticket_id"], link["relation"]) == (first.ticket_id, "same_incident")
    assert 0.6 < link["score"] <= 1
    assert said["asks"] is False
    assert await _related(runtime, other.ticket_id) == [(first.ticket_id, Relation.SAME_INCIDENT)]
    states = [(await runtime.store.load(one.ticket_id)).state for one in (first, other)]
    assert states == [State.DISPATCHED, State.DISPATCHED], "each citizen has a unit that answers"


async def test_the_citizen_s_own_repeat_is_linked_across_channels(queue, make_item, build):
    first = make_item("a", NOISE, requester=LI, channel="phone")
    again = make_item("b", STILL_NOISE, sequence=2, requester=LI, channel="web")
    runtime = build(Receiver("file"), linking=LinkingConfig(ask=1))
    await _turns(queue, runtime, first, again)
    assert await _related(runtime, again.ticket_id) == [(first.ticket_id, Relation.REPEAT_OF)]
    assert (await runtime.store.load(again.ticket_id)).state == State.DISPATCHED, "ask: 1 asks nobody"


async def test_a_likely_repeat_waits_for_a_person_who_sees_both(queue, make_item, build):
    first, again = make_item("a", NOISE, requester=LI), make_item("b", NOISE, sequence=2, requester=LI)
    runtime = build(Receiver("file"))
    await _turns(queue, runtime, first, again)
    record = await runtime.store.load(again.ticket_id)
    [said] = await _linked(runtime, again.ticket_id)
    assert said["asks"] is True
    assert record.state == State.TRIAGE
    last = next(event["data"] for event in record.events() if "candidates" in event["data"])
    assert last["reason"].startswith("perhaps a repeat")
    assert last["candidates"][0] == (await runtime.store.load(first.ticket_id)).fields["lead"]
    assert first.number not in last["reason"], "units read reasons"


async def test_what_is_urgent_waits_for_nobody(queue, make_item, build):
    items = [make_item(name, NOISE, sequence=n, requester=LI, tier=Tier.HOURS_2) for n, name in enumerate("ab", 1)]
    runtime = build(Receiver("file"))
    await _turns(queue, runtime, *items)
    assert await _related(runtime, items[1].ticket_id) == [(items[0].ticket_id, Relation.REPEAT_OF)]
    assert (await runtime.store.load(items[1].ticket_id)).state == State.DISPATCHED


async def test_an_account_without_a_telephone_is_a_citizen_too(queue, make_item, build):
    who = Requester(handles=(Handle(platform="weibo", id="123456"),))
    first, again = make_item("a", NOISE, requester=who), make_item("b", STILL_NOISE, sequence=2, requester=who)
    runtime = build(Receiver("file"))
    await _turns(queue, runtime, first, again)
    assert await _related(runtime, again.ticket_id) == [(first.ticket_id, Relation.REPEAT_OF)]


async def test_a_quoted_number_links_whatever_the_words(queue, make_item, build):
    first = make_item("a", NOISE, requester=LI)
    other = make_item("b", f"请问工单{first.number}处理得怎么样了", sequence=2, requester=WANG)
    runtime = build(Receiver("file"))
    await _turns(queue, runtime, first, other)
    assert [id for id, _ in await _related(runtime, other.ticket_id)] == [first.ticket_id]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            "柳荫路88号楼下的烧烤店每天夜里油烟很大，熏得住户无法开窗，请处理。",
            "梧桐路66号楼下的烧烤店每天夜里油烟很大，熏得住户无法开窗，请处理。",
            id="88 is not 66",
        ),
        pytest.param(
            "A3区星河湾小区地下车库积水严重，物业一直不处理，业主的车都被泡了，请有关部门核实。",
            "A5区碧水园小区地下车库积水严重，物业一直不处理，业主的车都被泡了，请有关部门核实。",
            id="A3 is not A5",
        ),
        pytest.param(NOISE, ELSEWHERE, id="another estate"),
        pytest.param(NOISE, "望京街道柳荫家园的电梯坏了一个星期，没有人来修，老人上下楼很困难。", id="another matter"),
        pytest.param("请问海淀区办证中心的电话是多少", "请问海淀区办证中心的电话是多少", id="an enquiry"),
        pytest.param("路灯坏了", "路灯坏了", id="no place"),
        pytest.param(
            "有一辆机动车京A12345停在幸福路人行道上堵路，请交警通知车主移车，谢谢。",
            "有一辆机动车京B67890停在光明路人行道上堵路，请交警通知车主移车，谢谢。",
            id="another car",
        ),
    ],
)
async def test_what_only_sounds_alike_is_not_linked(queue, make_item, build, one, other):
    items = make_item("a", one, requester=LI), make_item("b", other, sequence=2, requester=WANG)
    runtime = build(Receiver("file"))
    await _turns(queue, runtime, *items)
    assert await _related(runtime, items[1].ticket_id) == []


OUTAGE = "望京街道柳荫家园停电，冰箱里的东西全坏了，供电公司电话打不通，没有任何通知。"


async def _alike(queue, client, make_item, texts, changes) -> float:
    """How sure it is that two tickets are one matter, with what a step concluded put into each."""
    items = [make_item(f"s{n}", text, sequence=n) for n, text in enumerate(texts, 1)]
    queue.enqueue(items)
    store = Store(client, domain="hotline.example")
    records = [await store.load(one.ticket_id) for one in items]
    one, other = (record.ticket().model_copy(update=change) for record, change in zip(records, changes, strict=True))
    return likeness(other, read(other), one)


@pytest.mark.parametrize(("days", "one_matter"), [(1, True), (20, False)])
async def test_an_outage_of_another_time_is_another_outage(queue, client, make_item, days, one_matter):
    times = [{"occurred_at": Span(start=NOW - timedelta(days=ago))} for ago in (days, 0)]
    assert (await _alike(queue, client, make_item, (OUTAGE, OUTAGE), times) >= shipped().threshold) is one_matter


@pytest.mark.parametrize(("confidence", "one_matter"), [(0.9, False), (0.3, True)])
async def test_another_district_rules_it_out_if_it_is_read_with_confidence(
    queue, client, make_item, confidence, one_matter
):
    places = [{"place": Place(text=name, district=name, confidence=confidence)} for name in ("朝阳区", "海淀区")]
    sure = await _alike(queue, client, make_item, (NOISE, ALSO_NOISE), places)
    assert (sure >= shipped().threshold) is one_matter


async def test_a_quoted_number_joins_whatever_the_district(queue, client, make_item):
    number = make_item("s1", NOISE, sequence=1).number
    places = [{"place": Place(text=name, district=name, confidence=0.9)} for name in ("朝阳区", "海淀区")]
    assert await _alike(queue, client, make_item, (NOISE, f"工单{number}怎么样了"), places) == QUOTED


async def test_a_citizen_known_by_telephone_and_by_account_joins_both(queue, make_item, build):
    account = Handle(platform="weibo", id="123456")
    by_phone = make_item("a", NOISE, requester=LI)
    by_both = make_item("b", STILL_NOISE, sequence=2, requester=Requester(phone=LI.phone, handles=(account,)))
    by_account = make_item("c", STILL_NOISE, sequence=3, requester=Requester(handles=(account,)), channel="weibo")
    runtime = build(Receiver("file"), linking=LinkingConfig(ask=1))
    await _turns(queue, runtime, by_phone, by_both, by_account)
    assert dict(await _related(runtime, by_account.ticket_id)) == {
        by_both.ticket_id: Relation.REPEAT_OF,
        by_phone.ticket_id: Relation.SAME_INCIDENT,
    }


@pytest.mark.parametrize("text", ["", "好", "？"])
async def test_what_says_nothing_is_linked_to_nothing(queue, make_item, build, text):
    items = [make_item(name, text, sequence=n, requester=LI) for n, name in enumerate("ab", 1)]
    runtime = build(Receiver("file"))
    await _turns(queue, runtime, *items)
    assert await _related(runtime, items[1].ticket_id) == []


async def test_redelivery_and_replay_change_no_link(valkey, queue, make_item, build):
    first, other = make_item("a", NOISE, requester=LI), make_item("b", ALSO_NOISE, sequence=2, requester=WANG)
    runtime = build(Receiver("file"))
    await _turns(queue, runtime, first, other)
    later = make_item("c", NOISE, sequence=3)
    await _turns(queue, runtime, later)
    before, index = [await runtime.store.load(one.ticket_id) for one in (first, other, later)], _index(valkey)
    assert [result.code for result in queue.enqueue([first, other])] == ["known", "known"]
    for one in (first, other, later):
        valkey.client().zadd(keys.DUE, {one.ticket_id: 0})
        assert await deliver(runtime, one.ticket_id) == "settled"
    assert [await runtime.store.load(one.ticket_id) for one in (first, other, later)] == before
    assert _index(valkey) == index


@pytest.mark.parametrize("how", ["kill", "cancel"])
async def test_a_crash_at_any_await_links_once_all_the_same(valkey, queue, make_item, build, how):
    runtime = build(Receiver("file"))
    first = make_item("first", NOISE, requester=LI)
    await _turns(queue, runtime, first)
    for at in range(1, 60):
        one = make_item(f"s{at}", ALSO_NOISE, sequence=at + 1, requester=WANG)
        queue.enqueue([one])
        process = Process(cut=Cut(at, how))
        mortal = MortalRedis(runtime.store.client.connection_pool, process)
        store, links = Store(mortal, domain="hotline.example"), Matters(mortal, LinkingConfig())
        with contextlib.suppress(*ENDS):
            await deliver(replace(runtime, store=store, links=links), one.ticket_id)
        valkey.client().delete(keys.claim(one.ticket_id))
        await deliver(runtime, one.ticket_id)
        [said] = await _linked(runtime, one.ticket_id)
        assert first.ticket_id in [link["ticket_id"] for link in said["related"]] or len(said["related"]) == 5
        if not process.was_cut:
            break
    else:
        raise AssertionError("it never ended by itself")
    count = valkey.client().strlen(keys.linking_tickets(1)) // 17
    assert count == at + 1, "each is in the index once"


async def test_of_two_at_once_the_later_is_linked_to_the_earlier(queue, make_item, build):
    pair = make_item("a", NOISE, requester=LI), make_item("b", ALSO_NOISE, sequence=2, requester=WANG)
    runtime = build(Receiver("file"))
    queue.enqueue(list(pair))
    await asyncio.gather(*(deliver(runtime, one.ticket_id) for one in pair))
    links = [await _related(runtime, one.ticket_id) for one in pair]
    assert sorted(map(len, links)) == [0, 1]


async def test_what_stands_under_one_post_is_related_once(queue, make_item, build):
    first = make_item("a", NOISE, requester=LI, incidents=("weibo:post:1",))
    other = make_item("b", ALSO_NOISE, sequence=2, requester=WANG, incidents=("weibo:post:1",))
    runtime = build(Receiver("file"))
    await _turns(queue, runtime, first, other)
    assert await _related(runtime, other.ticket_id) == [(first.ticket_id, Relation.SAME_INCIDENT)]
    assert await _linked(runtime, other.ticket_id) == [], "the post said so already"


async def test_a_unit_that_may_not_know_the_citizen_learns_of_no_repeat(queue, make_item, build):
    first, again = make_item("a", NOISE, requester=LI), make_item("b", STILL_NOISE, sequence=2, requester=LI)
    runtime = build(Receiver("file"), linking=LinkingConfig(ask=1))
    await _turns(queue, runtime, first, again)
    record = await runtime.store.load(again.ticket_id)
    unit = record.fields["lead"]
    assert of_ticket(record, unit=unit, personal=True)["ticket"]["related"]
    assert of_ticket(record, unit=unit, personal=False)["ticket"]["related"] == []
    assert first.ticket_id not in str(of_ticket(record, unit=unit, personal=False))
    assert of_ticket(record, unit=None, personal=True)["ticket"]["related"], "the desk sees it"


async def test_the_index_holds_nobody(valkey, queue, make_item, build):
    runtime = build(Receiver("file"))
    await _turns(queue, runtime, make_item("a", NOISE, requester=WANG))
    held = repr(_index(valkey)).encode()
    for word in (b"13900139000", b"wang", "望京".encode(), repr("望京".encode())[2:-1].encode()):
        assert word not in held


async def test_a_ticket_leaves_when_its_time_is_over(valkey, queue, make_item, build):
    config = LinkingConfig(days=6)
    old = make_item("a", NOISE, requester=LI)
    await _turns(queue, build(Receiver("file"), linking=config), old)
    for day in range(1, 9):
        one = make_item(f"s{day}", f"第{day}天的另外一件事情", sequence=day + 1)
        queue.enqueue([one])
        later = build(Receiver("file"), linking=config, now=NOW + timedelta(days=day))
        await later.links.earlier(*await _ticket(later, one), later.now(), 5)
    assert not valkey.client().exists(keys.linking_tickets(1), keys.linking_buckets(1))
    assert valkey.client().zcard(keys.LINKING_GENERATIONS) <= 8


async def test_the_oldest_leave_when_there_are_too_many(valkey, queue, make_item, client):
    matters = Matters(client, LinkingConfig(tickets=1000))
    store = Store(client, domain="hotline.example")
    items = [make_item(f"s{n}", f"{n}号楼的路灯坏了", sequence=n + 1) for n in range(1400)]
    for at in range(0, len(items), 100):
        queue.enqueue(items[at : at + 100])
    for one in items:
        record = await store.load(one.ticket_id)
        await matters.earlier(record.ticket(), read(record.ticket()), NOW, 5)
    held = [valkey.client().strlen(key) // 17 for key in valkey.client().scan_iter("jiesu:linking:tickets:*")]
    assert 1000 <= sum(held) <= 1000 + 1000 // 6 + 1
    assert valkey.client().exists(keys.linking_tickets(1)) == 0


async def _ticket(runtime, one):
    ticket = (await runtime.store.load(one.ticket_id)).ticket()
    return ticket, read(ticket)
