"""What replies may use of a platform's API: in no 24 hours more than its allowance, half of it for people's words."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.reply import Allowance
from tests.workers.turns import NOW
from workers import keys
from workers.connect import connect_async
from workers.meter import Meter


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    allowance=st.builds(Allowance, calls=st.integers(1, 3), per_day=st.integers(6, 60)),
    pauses=st.lists(st.floats(0, 7200), min_size=20, max_size=100),
)
async def test_no_24_hours_ever_see_more_calls_than_allowed(valkey, allowance, pauses):
    async with connect_async(valkey.config, valkey.directory) as client:
        await client.delete(keys.meter("weibo"))
        meter, at, used = Meter(client), NOW, []
        for pause in pauses:
            at += timedelta(seconds=pause)
            if await meter.take("weibo", allowance, at) == 0:
                used.append(at)
        assert used
        for first in used:
            day = [one for one in used if first <= one < first + timedelta(days=1)]
            assert len(day) * allowance.calls <= max(allowance.per_day, allowance.calls)


async def test_what_must_wait_hears_for_how_long_and_then_goes(valkey):
    async with connect_async(valkey.config, valkey.directory) as client:
        meter, allowance = Meter(client), Allowance(calls=1, per_day=48)
        waits = [await meter.take("weibo", allowance, NOW) for _ in range(25)]
        assert waits[:24] == [0.0] * 24
        assert waits[24] == 3600.0
        assert await meter.take("weibo", allowance, NOW + timedelta(seconds=3600)) == 0
        assert await meter.take("x", allowance, NOW) == 0, "each channel has its own"


async def test_what_a_program_says_leaves_half_of_it_to_people(valkey):
    async with connect_async(valkey.config, valkey.directory) as client:
        meter, allowance = Meter(client), Allowance(calls=1, per_day=48)
        notices = [await meter.take("weibo", allowance, NOW, reserved=0.5) for _ in range(13)]
        assert [wait > 0 for wait in notices] == [False] * 12 + [True]
        assert await meter.take("weibo", allowance, NOW) == 0


async def test_none_is_let_through_uncounted_when_less_than_a_millisecond_is_missing(valkey):
    async with connect_async(valkey.config, valkey.directory) as client:
        meter, allowance, at = Meter(client), Allowance(calls=1, per_day=48), NOW + timedelta(microseconds=600)
        waits = [await meter.take("weibo", allowance, at) for _ in range(26)]
        assert waits[:24] == [0.0] * 24
        assert all(wait > 0 for wait in waits[24:])
