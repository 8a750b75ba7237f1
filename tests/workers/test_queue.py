"""The batch script: open, append, conflict, complete, known, number taken; each exactly once whatever is resent."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from normalizer import identity
from normalizer.events import FollowedUp
from normalizer.ticket import Flag, SetAside, Ticket, Tier
from workers import keys
from workers.connect import connect_async
from workers.queue import TicketQueue, alone
from workers.store import Store


def events_of(client: redis.Redis, stream: str) -> list[dict]:
    return [json.loads(fields[b"event"]) for _, fields in client.xrange(stream)]


def added(client: redis.Redis) -> int:
    return client.xinfo_stream(keys.TICKETS)["entries-added"] if client.exists(keys.TICKETS) else 0


def test_a_new_submission_opens_a_ticket(valkey, queue, make_item):
    client, one = valkey.client(), make_item("a")
    [result] = queue.enqueue([one])
    assert (result.code, result.ticket_id) == ("opened", one.ticket_id)
    [event] = events_of(client, keys.TICKETS)
    assert event["id"] == f"{one.ticket_id}.accepted"
    assert event["type"] == "org.jiesu.ticket.accepted.v1"
    assert event["source"] == "/jiesu/hotline.example"
    assert event["subject"] == one.ticket_id
    assert event["specversion"] == "1.0"
    ticket = Ticket.model_validate(event["data"])
    assert (ticket.ticket_id, ticket.number, ticket.version) == (one.ticket_id, one.number, 1)
    fields = client.hgetall(keys.ticket(one.ticket_id))
    assert json.loads(fields[b"doc"]) == event["data"]
    assert fields[b"state"] == b"received"
    assert fields[b"version"] == b"1"
    assert fields[b"code"].decode() == one.code
    assert fields[b"entry"] == client.xrange(keys.TICKETS)[0][0]
    assert client.get(keys.number(one.number)).decode() == one.ticket_id
    assert client.get(keys.submission(one.ticket_id)).decode() == one.ticket_id
    assert client.zscore(keys.DUE, one.ticket_id) > 0


def test_the_same_submission_again_changes_nothing(valkey, queue, make_item):
    client, one = valkey.client(), make_item("a")
    queue.enqueue([one])
    before = client.hgetall(keys.ticket(one.ticket_id))
    assert [r.code for r in queue.enqueue([one, one])] == ["known", "known"]
    assert added(client) == 1
    assert client.hgetall(keys.ticket(one.ticket_id)) == before


def test_the_same_submission_twice_in_one_batch_opens_once(valkey, queue, make_item):
    one = make_item("a")
    assert [r.code for r in queue.enqueue([one, one])] == ["opened", "known"]
    assert added(valkey.client()) == 1


def test_another_gateways_number_becomes_an_alias(valkey, queue, make_item):
    client = valkey.client()
    first, second = make_item("a", sequence=1), make_item("a", sequence=2)
    assert [r.code for r in queue.enqueue([first, second])] == ["opened", "known"]
    assert client.get(keys.number(second.number)).decode() == first.ticket_id
    assert added(client) == 1


def test_other_content_under_the_same_id_is_a_conflict(valkey, queue, make_item):
    one, other = make_item("a", "路灯坏了"), make_item("a", "水管爆了")
    assert [r.code for r in queue.enqueue([one, other])] == ["opened", "conflict"]
    assert added(valkey.client()) == 1


def test_a_number_that_another_ticket_holds_is_refused_and_a_new_one_taken(valkey, queue, make_item):
    one, two = make_item("a", sequence=7), make_item("b", sequence=7)
    assert [r.code for r in queue.enqueue([one, two])] == ["opened", "number_taken"]
    assert added(valkey.client()) == 1
    renumbered = replace(two, number=make_item("b", sequence=8).number)
    assert [r.code for r in queue.enqueue([renumbered])] == ["opened"]
    assert [e["data"]["number"] for e in events_of(valkey.client(), keys.TICKETS)] == [
        one.number,
        renumbered.number,
    ]


def test_a_half_written_ticket_is_completed_under_its_own_number(valkey, queue, make_item):
    client, one = valkey.client(), make_item("a", sequence=1)
    queue.enqueue([one])
    client.hdel(keys.ticket(one.ticket_id), "entry")
    client.delete(keys.TICKETS, keys.DUE, keys.submission(one.ticket_id))
    [result] = queue.enqueue([make_item("a", sequence=2)])
    assert result.code == "completed"
    [event] = events_of(client, keys.TICKETS)
    assert event["data"]["number"] == one.number
    assert client.hexists(keys.ticket(one.ticket_id), "entry")
    assert client.zscore(keys.DUE, one.ticket_id)
    assert queue.enqueue([one])[0].code == "known"


def half_write(client: redis.Redis, one) -> None:
    """As an interrupted script would leave it."""
    client.hdel(keys.ticket(one.ticket_id), "entry")
    client.delete(keys.TICKETS, keys.DUE, keys.submission(one.ticket_id))


def test_the_number_of_the_gateway_that_completes_a_ticket_leads_to_it_too(valkey, queue, make_item):
    client, one, other = valkey.client(), make_item("a", sequence=1), make_item("a", sequence=2)
    queue.enqueue([one])
    half_write(client, one)
    assert queue.enqueue([other])[0].code == "completed"
    assert client.get(keys.number(other.number)).decode() == one.ticket_id
    assert client.hget(keys.ticket(one.ticket_id), f"alias:{other.number}").decode() == one.ticket_id
    assert client.get(keys.number(one.number)).decode() == one.ticket_id
    assert not client.hexists(keys.ticket(one.ticket_id), f"alias:{one.number}")


def test_a_ticket_is_not_completed_by_a_gateway_whose_number_another_ticket_holds(valkey, queue, make_item):
    client, one, holder = valkey.client(), make_item("a", sequence=1), make_item("b", sequence=2)
    queue.enqueue([one, holder])
    half_write(client, one)
    taken = make_item("a", sequence=2)
    assert [r.code for r in queue.enqueue([taken])] == ["number_taken"]
    assert not client.hexists(keys.ticket(one.ticket_id), "entry")
    assert client.get(keys.number(holder.number)).decode() == holder.ticket_id
    assert queue.enqueue([make_item("a", sequence=3)])[0].code == "completed"


def message(make_item, ticket, **changes):
    given = {"threads": (f"number:{ticket.number}",), "senders": (f"code:{ticket.code}",), "sequence": 50}
    return make_item(changes.pop("source_id", "later"), changes.pop("text", "又坏了"), **{**given, **changes})


def test_a_message_of_the_same_matter_grows_the_ticket_once(valkey, queue, make_item):
    client, one = valkey.client(), make_item("a")
    later = message(make_item, one)
    assert [r.code for r in queue.enqueue([one, later, later])] == ["opened", "appended", "known"]
    assert queue.enqueue([later])[0].ticket_id == one.ticket_id
    assert added(client) == 1
    [event] = events_of(client, keys.EVENTS)
    assert (event["type"], event["id"]) == ("org.jiesu.ticket.followed_up.v1", f"{one.ticket_id}.2")
    assert event["data"]["version"] == 2
    assert event["data"]["submission_id"] == later.ticket_id
    assert event["data"]["turn"]["text"] == "又坏了"
    assert client.lrange(keys.steps(one.ticket_id), 0, -1) == [client.xrange(keys.EVENTS)[0][1][b"event"]]
    assert client.get(keys.number(later.number)).decode() == one.ticket_id
    assert client.get(keys.submission(later.ticket_id)).decode() == one.ticket_id


async def current(valkey, ticket_id: str) -> Ticket:
    async with connect_async(valkey.config, valkey.directory) as client:
        return (await Store(client, domain="hotline.example").load(ticket_id)).ticket()


async def test_an_emergency_in_a_message_is_the_tickets_from_then_on(valkey, queue, make_item):
    client, one = valkey.client(), make_item("a", flags=(Flag.CONFIDENTIAL,))
    fire = message(make_item, one, text="着火了，有人被困")
    queue.enqueue([one])
    client.zadd(keys.DUE, {one.ticket_id: 9e9})
    queue.enqueue([fire])
    assert client.hget(keys.ticket(one.ticket_id), "tier") == b"immediate"
    assert client.zscore(keys.DUE, one.ticket_id) <= client.time()[0] + 1
    assert client.sismember(keys.IMMEDIATE, one.ticket_id)
    [event] = events_of(client, keys.EVENTS)
    said = FollowedUp.model_validate(event["data"])
    assert (said.urgency.tier, said.flags) == (Tier.IMMEDIATE, (Flag.EMERGENCY,))
    ticket = await current(valkey, one.ticket_id)
    assert ticket.urgency == said.urgency
    assert ticket.flags == (Flag.CONFIDENTIAL, Flag.EMERGENCY)


async def test_a_calm_message_leaves_an_emergency_what_it_is(valkey, queue, make_item):
    fire = make_item("a", "着火了，有人被困")
    queue.enqueue([fire, message(make_item, fire, text="谢谢")])
    ticket = await current(valkey, fire.ticket_id)
    assert (ticket.urgency.tier, ticket.flags) == (Tier.IMMEDIATE, (Flag.EMERGENCY,))
    assert valkey.client().hget(keys.ticket(fire.ticket_id), "tier") == b"immediate"


@pytest.mark.parametrize("first", Tier)
async def test_script_and_reader_agree_on_the_more_urgent_tier(valkey, queue, make_item, first):
    """Tiers are declared in the order of urgency; the reasons of both are kept."""
    for n, second in enumerate(Tier):
        one = make_item(f"a{n}", tier=first, sequence=2 * n + 1)
        queue.enqueue([one, message(make_item, one, source_id=f"m{n}", tier=second, sequence=2 * n + 2)])
        ticket = await current(valkey, one.ticket_id)
        assert ticket.urgency.tier == min(first, second, key=list(Tier).index)
        assert ticket.urgency.reasons == (f"by a{n}", f"by m{n}")
        assert valkey.client().hget(keys.ticket(one.ticket_id), "tier").decode() == ticket.urgency.tier


async def test_what_is_so_of_a_message_only_is_not_said_of_the_ticket(valkey, queue, make_item):
    one = make_item("a")
    queue.enqueue([one, message(make_item, one, flags=(Flag.AUTOMATED, Flag.NO_REQUEST, Flag.LEGAL))])
    assert (await current(valkey, one.ticket_id)).flags == (Flag.LEGAL,)


async def test_a_message_of_before_urgency_was_told_changes_no_urgency(valkey, queue, make_item):
    one = make_item("a", tier=Tier.DAYS_15)
    queue.enqueue([one, message(make_item, one)])
    steps, client = keys.steps(one.ticket_id), valkey.client()
    event = json.loads(client.lindex(steps, 0))
    del event["data"]["urgency"], event["data"]["flags"]
    client.lset(steps, 0, json.dumps(event))
    ticket = await current(valkey, one.ticket_id)
    assert (ticket.urgency.tier, len(ticket.conversation)) == (Tier.DAYS_15, 1)


def test_the_code_of_a_message_also_belongs_to_the_ticket(queue, make_item):
    one = make_item("a")
    later = message(make_item, one)
    third = message(make_item, later, source_id="third", sequence=51)
    assert [r.code for r in queue.enqueue([one, later, third])] == ["opened", "appended", "appended"]


def test_a_strangers_message_opens_his_own_ticket_with_a_note(valkey, queue, make_item):
    one = make_item("a")
    stranger = message(make_item, one, senders=("code:WRONGONE",))
    assert [r.code for r in queue.enqueue([one, stranger])] == ["opened", "opened"]
    data = events_of(valkey.client(), keys.TICKETS)[1]["data"]
    assert "not_a_sender" in [note["code"] for note in data["notes"]]
    Ticket.model_validate(data)


def test_a_channels_own_thread_key_joins_messages_of_one_sender(queue, make_item):
    def post(source_id, sender, sequence):
        return make_item(source_id, threads=("post:1",), senders=(sender,), sequence=sequence)

    batch = [post("a", "user:1", 1), post("b", "user:1", 2), post("c", "user:2", 3)]
    assert [r.code for r in queue.enqueue(batch)] == ["opened", "appended", "opened"]


def test_an_unknown_thread_opens_a_ticket(queue, make_item):
    assert queue.enqueue([make_item("a", threads=("post:1",), senders=("user:1",))])[0].code == "opened"


def test_a_message_that_comes_before_its_request_is_early_and_leaves_nothing(valkey, queue, make_item):
    client, one = valkey.client(), make_item("a")
    later = message(make_item, one)
    assert [r.code for r in queue.enqueue([later])] == ["early"]
    assert client.keys("jiesu:*") == []
    assert [r.code for r in queue.enqueue([one, later])] == ["opened", "appended"]


@pytest.mark.parametrize("text", ["又坏了", "打我电话13800138000"])
def test_a_message_to_a_number_that_never_comes_opens_a_ticket_with_a_note(valkey, queue, make_item, text):
    lost = make_item("a", text, threads=("number:2026011500999990",), senders=("code:ABCDEFGH",))
    assert [r.code for r in queue.enqueue([lost, alone(lost), lost])] == ["early", "opened", "known"]
    [event] = events_of(valkey.client(), keys.TICKETS)
    notes = Ticket.model_validate(event["data"]).notes
    assert notes[-1].code == "unknown_number"


def test_others_under_the_same_post_have_tickets_of_their_own_that_are_related_to_the_first(valkey, queue, make_item):
    client, post = valkey.client(), (b"weibo:post:1",)
    one, other, third, elsewhere = (
        replace(make_item(name, sequence=n + 1), incidents=post) for n, name in enumerate("abcd")
    )
    elsewhere = replace(elsewhere, incidents=(b"weibo:post:2",))
    assert [r.code for r in queue.enqueue([one, other])] == ["opened", "opened"]
    half = keys.ticket(other.ticket_id)
    client.hdel(half, "entry")
    client.delete(keys.submission(other.ticket_id))
    assert [r.code for r in queue.enqueue([other, third, elsewhere])] == ["completed", "opened", "opened"]
    found = {
        event["data"]["ticket_id"]: Ticket.model_validate(event["data"]) for event in events_of(client, keys.TICKETS)
    }
    assert [len(found[item.ticket_id].related) for item in (one, other, third, elsewhere)] == [0, 1, 1, 0]
    for item in (other, third):
        [link] = found[item.ticket_id].related
        assert (link.ticket_id, link.relation) == (one.ticket_id, "same_incident")


def test_two_posts_of_one_author_are_two_tickets_and_what_he_says_in_private_goes_on_with_the_newest(
    valkey, queue, make_item
):
    talk, him = (b"weibo:talk:1:9",), (b"weibo:1",)
    one, two = (replace(make_item(name, sequence=n), known_as=talk, senders=him) for n, name in enumerate("ab", 1))
    private = replace(make_item("c", sequence=3), threads=talk, senders=him)
    stranger = replace(make_item("d", sequence=4), threads=talk, senders=(b"weibo:2",))
    results = queue.enqueue([one, two, private, stranger])
    assert [r.code for r in results] == ["opened", "opened", "appended", "opened"]
    assert results[2].ticket_id == two.ticket_id


def test_an_early_message_that_is_a_strangers_too_has_both_notes(valkey, queue, make_item):
    first = make_item("a", threads=("post:1",), senders=("user:1",))
    lost = make_item("b", threads=("post:1", "number:2026011500999990"), senders=("user:2",), sequence=2)
    assert [r.code for r in queue.enqueue([first, lost, alone(lost)])] == ["opened", "early", "opened"]
    notes = Ticket.model_validate(events_of(valkey.client(), keys.TICKETS)[1]["data"]).notes
    assert [note.code for note in notes[-2:]] == ["unknown_number", "not_a_sender"]


def test_a_changed_message_under_the_same_id_is_a_conflict(queue, make_item):
    one = make_item("a")
    batch = [one, message(make_item, one), message(make_item, one, text="别的内容")]
    assert [r.code for r in queue.enqueue(batch)] == ["opened", "appended", "conflict"]


def test_an_item_that_fails_does_not_stop_the_next_and_leaves_nothing(valkey, queue, make_item):
    client, bad, good = valkey.client(), make_item("a", sequence=1), make_item("b", sequence=2)
    client.lpush(keys.submission(bad.ticket_id), "someone else's list")
    results = queue.enqueue([bad, good])
    assert [r.code for r in results] == ["error", "opened"]
    assert results[0].ticket_id.startswith("WRONGTYPE")
    assert added(client) == 1
    assert not client.exists(keys.ticket(bad.ticket_id))


def test_a_foreign_type_under_the_stream_itself_fails_the_batch_before_any_write(valkey, queue, make_item):
    client = valkey.client()
    client.set(keys.TICKETS, "not a stream")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        queue.enqueue([make_item("a")])
    assert client.keys("jiesu:*") == [keys.TICKETS.encode()]


def test_memory_full_refuses_the_batch_whole(own_valkey, make_item):
    client = own_valkey.client()
    queue = TicketQueue(client, grace=1)
    queue.enqueue([make_item("a")])
    client.config_set("maxmemory", "1mb")
    with pytest.raises(redis.OutOfMemoryError):
        queue.enqueue([make_item("b", sequence=2)])
    client.config_set("maxmemory", "0")
    assert queue.enqueue([make_item("b", sequence=2)])[0].code == "opened"


def test_the_script_is_loaded_again_after_a_restart(valkey, queue, make_item):
    queue.enqueue([make_item("a")])
    valkey.client().script_flush()
    assert queue.enqueue([make_item("b", sequence=2)])[0].code == "opened"


async def test_number_alias_and_submission_lead_to_the_grown_ticket(valkey, queue, make_item):
    one = make_item("a")
    later = message(make_item, one)
    queue.enqueue([one, later])
    async with connect_async(valkey.config, valkey.directory) as client:
        store = Store(client, domain="hotline.example")
        for reference in (one.number, later.number, one.ticket_id, later.ticket_id):
            record = await store.find(reference)
            assert record.ticket_id == one.ticket_id
        assert record.submission_of(later.number) == later.ticket_id
        assert record.submission_of(one.number) == one.ticket_id
        ticket = record.ticket()
        assert ticket.version == 2
        assert [turn.text for turn in ticket.conversation] == ["又坏了"]
        assert await store.find("2026011500999990") is None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.lists(st.integers(0, 5), max_size=25), cut=st.integers(1, 5))
def test_law_any_resending_in_any_batches_gives_one_ticket_each(valkey, make_item, order, cut):
    """Whatever is resent in whatever batches, messages before their requests too: each submission opens one ticket
    or grows one, once."""
    client = valkey.client()
    client.flushall()
    queue = TicketQueue(client, grace=1)
    openers = [make_item(f"s{n}", sequence=n + 1) for n in range(3)]
    pool = [
        *openers,
        *(message(make_item, o, source_id=f"m{n}", sequence=60 + n) for n, o in enumerate(openers)),
    ]
    sent = [*(pool[i] for i in order), *pool]
    for start in range(0, len(sent), cut):
        queue.enqueue(sent[start : start + cut])
    assert added(client) == 3
    assert client.xlen(keys.EVENTS) == 3
    for opener in openers:
        assert client.hget(keys.ticket(opener.ticket_id), "version") == b"2"
        assert client.llen(keys.steps(opener.ticket_id)) == 1


def test_documents_pass_byte_for_byte(valkey, queue, make_item):
    text = '引号" 反斜杠\\ 换行\n𠮷 {"a": []} 1e400 0.10'
    one = make_item("a", text)
    queue.enqueue([one])
    [event] = events_of(valkey.client(), keys.TICKETS)
    assert event["data"]["text"] == text
    assert event["data"]["conversation"] == []
    assert identity.is_number(event["data"]["number"])


OUT_OF_OFFICE = SetAside(code="auto_reply", detail="Auto-Submitted")


def test_what_opens_no_ticket_may_join_one(valkey, queue, make_item):
    one = make_item("a")
    later = make_item(
        "b", "我在休假", sequence=2, threads=(f"number:{one.number}",), senders=(f"code:{one.code}",),
        set_aside=OUT_OF_OFFICE,
    )  # fmt: skip
    queue.enqueue([one])
    assert [(r.code, r.ticket_id) for r in queue.enqueue([later, later])] == [
        ("appended", one.ticket_id),
        ("known", one.ticket_id),
    ]


def test_what_opens_no_ticket_and_joins_none_leaves_nothing_behind(valkey, queue, make_item):
    one = make_item("a", threads=("email:x",), senders=("email:a@b.example",), set_aside=OUT_OF_OFFICE)
    before = valkey.client().dbsize()
    assert [r.code for r in queue.enqueue([one])] == ["unopened"]
    assert valkey.client().dbsize() == before


def test_a_strangers_automatic_answer_opens_no_ticket_either(valkey, queue, make_item):
    one = make_item("a")
    other = make_item("b", sequence=2, threads=(f"number:{one.number}",), set_aside=OUT_OF_OFFICE)
    queue.enqueue([one])
    assert [r.code for r in queue.enqueue([other])] == ["unopened"]
