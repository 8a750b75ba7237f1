"""The conformance kit for authors of channels: `class TestSms(ChannelContract): …` in one statement.

Everything real but the gateway: `FakeHost` keeps in memory what it accepts, and holds, refuses or fails.
May not know a particular channel. Needs pytest, pytest-asyncio and hypothesis.
"""

from __future__ import annotations

import asyncio
import builtins
import json
import logging
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import ClassVar, TypeVar

import pytest
from aiohttp import ClientSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, ValidationError
from structlog.testing import capture_logs

from channels import corpus
from channels.contract import Channel
from channels.fake_host import FakeHost
from normalizer.errors import Rejected, TryAgain
from normalizer.ticket import Inbound, Raw

PATIENCE = 60.0
"""Seconds after which something that should happen has not, also on a slow machine with other work."""
ENDS_WITHIN = 5.0
"""Seconds that the contract gives a channel that was cancelled."""
_SENT = 12
_T = TypeVar("_T")


class Outcome(Enum):
    """What the sender was told."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    TRY_AGAIN = "try again"


class ChannelContract:
    """The cases every channel passes. Declare what it is, override the hooks that do not fit.

    `path`: where FakeHost's HTTP server takes a submission (channels without `host.route` override `send` and
    `ready`). `private`: words of the examples that may appear in no log and no refusal.
    `corpus`: a folder of pairs as `channels.corpus` describes them.
    """

    channel: ClassVar[type[Channel]]
    config: ClassVar[Mapping[str, object]] = {}
    path: ClassVar[str] = ""
    private: ClassVar[tuple[str, ...]] = ()
    corpus: ClassVar[Path | None] = None

    # Hooks

    def example(self, n: int) -> Raw:
        """Good submission number `n`: other content and another source id for every n."""
        raise NotImplementedError("example(n) gives the n-th good submission")

    def bad_example(self) -> Raw | None:
        """A submission that `parse` rejects, holding the words of `private`; None: it takes anything."""
        return None

    def headers(self, raw: Raw) -> Mapping[str, str]:
        """HTTP headers beside the content type: a signature, a key."""
        return {}

    async def ready(self, host: FakeHost) -> None:
        """Returns when the running channel can take submissions."""
        if self.path:
            await host.routed.wait()

    async def send(self, host: FakeHost, raw: Raw) -> Outcome:
        """Send `raw` as its source would, and say what the source was told."""
        headers = {"Content-Type": raw.content_type, **self.headers(raw)}
        async with (
            ClientSession() as session,
            session.post(host.public_url + self.path, data=raw.body, headers=headers) as response,
        ):
            await response.read()
            if response.status == 503:
                assert "Retry-After" in response.headers, "503 tells when to come back"
                return Outcome.TRY_AGAIN
            if response.status in (200, 201):
                return Outcome.ACCEPTED
            assert 400 <= response.status < 500, f"HTTP {response.status} is in no row of the outcome table"
            return Outcome.REFUSED

    # Helpers

    def build(self) -> Channel:
        """A new channel with `config`."""
        return self.channel(self.channel.config_type.model_validate(self.config))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[FakeHost]:
        """The channel running against a new host; cancelled at the end."""
        async with FakeHost() as host:
            task = asyncio.create_task(self.build().run(host))
            try:
                await _first(task, self.ready(host))
                yield host
                assert not task.done(), f"the channel stopped by itself: {task}"
            finally:
                task.cancel()
                await asyncio.wait({task}, timeout=PATIENCE)

    # What a channel is

    def test_it_is_a_channel_with_a_usable_name(self) -> None:
        assert isinstance(self.build(), Channel)
        assert re.fullmatch(r"[a-z][a-z0-9_]*", self.channel.name)

    def test_an_unknown_configuration_key_is_refused(self) -> None:
        with pytest.raises(ValidationError) as caught:
            self.channel.config_type.model_validate({**self.config, "no_such_key": 1})
        assert [error["loc"] for error in caught.value.errors()] == [("no_such_key",)]

    # parse

    def test_parse_is_pure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        channel, raw = self.build(), self.example(0)
        first = channel.parse(raw)
        monkeypatch.setattr(socket, "socket", _forbidden)
        monkeypatch.setattr(builtins, "open", _forbidden)
        assert channel.parse(raw) == first == self.build().parse(self.example(0))
        assert first.digest

    def test_other_content_has_another_digest(self) -> None:
        channel = self.build()
        assert channel.parse(self.example(0)).digest != channel.parse(self.example(1)).digest

    def test_parse_raises_only_rejected_whatever_the_bytes(self) -> None:
        channel, good = self.build(), self.example(0)

        @settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(
            body=_damaged(good.body),
            content_type=st.sampled_from([good.content_type, "text/plain", "", "\ud800;"]),
        )
        def check(body: bytes, content_type: str) -> None:
            code = "none"
            try:
                assert isinstance(channel.parse(replace(good, body=body, content_type=content_type)), Inbound)
            except Rejected as refusal:
                code = refusal.code
            assert re.fullmatch(r"[a-z][a-z0-9_]*", code)

        check()

    def test_a_refusal_repeats_nothing_private(self) -> None:
        bad = self._bad_example()
        with pytest.raises(Rejected) as caught:
            self.build().parse(bad)
        said = f"{caught.value} {caught.value.faults}"
        assert not [word for word in self.private if word in said]

    # accept

    @pytest.mark.asyncio
    async def test_every_submission_is_accepted_once(self) -> None:
        async with self.running() as host:
            outcomes = [await self.send(host, self.example(n)) for n in range(_SENT)]
            assert outcomes == [Outcome.ACCEPTED] * _SENT
            assert len(host.taken) == _SENT
            assert {raw.channel for raw in host.taken.values()} == {self.channel.name}

    @pytest.mark.asyncio
    async def test_what_was_accepted_can_be_parsed_again(self) -> None:
        async with self.running() as host:
            await self.send(host, self.example(0))
        (kept,) = host.taken.values()
        assert self.build().parse(kept) == self.build().parse(self.example(0))

    @pytest.mark.asyncio
    async def test_a_redelivery_is_the_same_ticket(self) -> None:
        async with self.running() as host:
            outcomes = [await self.send(host, self.example(0)) for _ in range(2)]
            assert outcomes == [Outcome.ACCEPTED] * 2
            assert len(host.taken) == 1

    @pytest.mark.asyncio
    async def test_try_again_is_told_and_takes_nothing(self) -> None:
        async with self.running() as host:
            host.otherwise = TryAgain(1, "the test says so")
            assert await self.send(host, self.example(0)) is Outcome.TRY_AGAIN
            assert not host.taken
            host.otherwise = None
            assert await self.send(host, self.example(0)) is Outcome.ACCEPTED
            assert len(host.taken) == 1

    @pytest.mark.asyncio
    async def test_an_unexpected_error_before_the_spool_is_never_a_receipt(self) -> None:
        async with self.running() as host:
            host.otherwise = RuntimeError("planted")
            assert await self.send(host, self.example(0)) is Outcome.TRY_AGAIN
            assert not host.taken

    @pytest.mark.asyncio
    async def test_of_a_mixed_lot_none_is_lost_and_none_doubled(self) -> None:
        async with self.running() as host:
            host.outcomes.extend([None, TryAgain(1, "every third"), None] * (_SENT // 3))
            lot = [self.example(n) for n in range(_SENT)]
            told = [await self.send(host, raw) for raw in lot]
            accepted = told.count(Outcome.ACCEPTED)
            assert accepted + told.count(Outcome.TRY_AGAIN) == _SENT
            assert len(host.taken) == accepted == _SENT - _SENT // 3
            again = [raw for raw, outcome in zip(lot, told, strict=True) if outcome is Outcome.TRY_AGAIN]
            assert {await self.send(host, raw) for raw in again} == {Outcome.ACCEPTED}
            assert len(host.taken) == _SENT

    @pytest.mark.asyncio
    async def test_nothing_is_acknowledged_before_accept_returned(self) -> None:
        async with self.running() as host:
            host.hold()
            sending = asyncio.create_task(self.send(host, self.example(0)))
            await _first(sending, host.arrived.wait())
            done, _ = await asyncio.wait({sending}, timeout=0.2)
            assert not done, "the sender was told something while accept was still writing"
            host.release()
            assert await asyncio.wait_for(sending, PATIENCE) is Outcome.ACCEPTED

    @pytest.mark.asyncio
    async def test_what_parse_rejects_is_refused_and_not_accepted(self) -> None:
        bad = self._bad_example()
        async with self.running() as host:
            assert await self.send(host, bad) is Outcome.REFUSED
            assert not host.taken
            assert not [word for word in self.private for answer in host.answers if word.encode() in answer]

    # run

    @pytest.mark.asyncio
    async def test_cancelling_ends_it_and_frees_its_sockets(self) -> None:
        async with FakeHost() as host:
            sockets, tasks = _sockets(), asyncio.all_tasks()
            task = asyncio.create_task(self.build().run(host))
            await _first(task, self.ready(host))
            await self.send(host, self.example(0))
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=ENDS_WITHIN)
            assert done, f"it was cancelled and still ran {ENDS_WITHIN} s later"
            assert task.cancelled() or task.exception() is None
            await _until(lambda: not (_sockets() - sockets), "sockets stay open")
            await _until(lambda: not (asyncio.all_tasks() - tasks - host.tasks()), "tasks stay behind")

    @pytest.mark.asyncio
    async def test_logs_hold_no_secret_and_no_personal_data(
        self, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        bad = self.bad_example()
        with capture_logs() as events:
            async with self.running() as host:
                host.outcomes.extend([None, TryAgain(1), RuntimeError(" ".join(self.private))])
                for raw in (self.example(0), self.example(1), self.example(2), *([bad] if bad else [])):
                    await self.send(host, raw)
        printed = capsys.readouterr()
        logged = f"{events}\n{caplog.text}\n{printed.out}\n{printed.err}"
        secrets = _secrets(self.channel.config_type.model_validate(self.config))
        assert not [word for word in (*self.private, *secrets, *self._personal()) if word in logged]

    # corpus

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "case" in metafunc.fixturenames:
            metafunc.parametrize("case", corpus.cases(self.corpus) if self.corpus else [], ids=lambda path: path.stem)

    def test_corpus(self, case: Path) -> None:
        expected_error = case.with_suffix(".error.json")
        if expected_error.exists():
            with pytest.raises(Rejected) as caught:
                self.build().parse(self.corpus_raw(case))
            assert corpus.said(caught.value) == json.loads(expected_error.read_text("utf-8"))
        else:
            ticket = corpus.ticket(self.build(), self.corpus_raw(case))
            corpus.assert_holds(ticket, json.loads(case.with_suffix(".ticket.json").read_text("utf-8")), case.stem)

    def corpus_raw(self, case: Path) -> Raw:
        """The submission that the file holds."""
        return corpus.read(case, self.channel.name)

    def _bad_example(self) -> Raw:
        bad = self.bad_example()
        if bad is None:
            pytest.skip("this channel says that it takes anything: bad_example() is None")
        return bad

    def _personal(self) -> list[str]:
        requester = self.build().parse(self.example(0)).requester
        said = (requester.name, requester.phone, requester.email, self.build().parse(self.example(0)).text)
        return [word for word in said if word]


class PollerContract(ChannelContract):
    """The cases of a channel that fetches. `send` puts the item where the channel fetches it, unless it waits
    there already, and returns ACCEPTED when the cursor was saved (`host.saved`), TRY_AGAIN when accept raised
    (`host.raised`)."""

    def place(self, cursor: str | None) -> object:
        """What of a saved cursor says how far the source was taken: a channel may keep other things in it."""
        return cursor

    @pytest.mark.asyncio
    async def test_of_a_mixed_lot_none_is_lost_and_none_doubled(self) -> None:
        async with self.running() as host:
            host.outcomes.extend([None, TryAgain(0.01, "every third"), None] * (_SENT // 3))
            for n in range(_SENT):
                told = [await self.send(host, self.example(n))]
                while told[-1] is Outcome.TRY_AGAIN:
                    assert len(told) <= _SENT, "it never tries again"
                    told.append(await self.send(host, self.example(n)))
                assert len(host.taken) == n + 1

    @pytest.mark.asyncio
    async def test_the_cursor_is_saved_only_after_accept_returned(self) -> None:
        async with self.running() as host:
            before = self.place(host.cursor)
            host.hold()
            sending = asyncio.create_task(self.send(host, self.example(0)))
            await asyncio.wait_for(host.arrived.wait(), PATIENCE)
            await asyncio.wait({sending}, timeout=0.2)
            assert self.place(host.cursor) == before, "the cursor moved past what is not on disk"
            host.release()
            await asyncio.wait_for(sending, PATIENCE)
            assert self.place(host.cursor) != before

    @pytest.mark.asyncio
    async def test_try_again_keeps_the_cursor(self) -> None:
        async with self.running() as host:
            before = self.place(host.cursor)
            host.otherwise = TryAgain(0.01, "the test says so")
            await self.send(host, self.example(0))
            assert self.place(host.cursor) == before


async def _first(task: asyncio.Task[_T], awaited: Awaitable[object]) -> None:
    """Waits for `awaited`, but not longer than `task` lives: a channel that fails at once says why."""
    waiting = asyncio.ensure_future(awaited)
    done, _ = await asyncio.wait({task, waiting}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    if waiting in done:
        await waiting
        return
    waiting.cancel()
    if task in done:
        raise AssertionError(f"it ended too early with {task.exception() or task.result()!r}")
    raise AssertionError(f"nothing happened for {PATIENCE} s")


async def _until(holds: Callable[[], bool], otherwise: str) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, otherwise
        await asyncio.sleep(0.01)


def _forbidden(*_: object, **__: object) -> None:
    raise AssertionError("parse is pure: no sockets, no files")


def _damaged(body: bytes) -> st.SearchStrategy[bytes]:
    """Any bytes, and the good body with a piece replaced, doubled or cut off."""
    at = st.integers(0, len(body))
    cut = st.tuples(at, at, st.binary(max_size=12)).map(lambda c: body[: c[0]] + c[2] + body[c[1] :])
    nasty = st.sampled_from([b"[" * 100_000, b'{"a":' * 5000, b"\xff\xfe\x00", b"\0", b'{"text":"\\ud800"}', b""])
    return st.one_of(st.binary(max_size=200), cut, nasty)


def _sockets() -> set[str]:
    """The sockets this process holds (Linux; elsewhere the check sees none)."""
    found = set()
    listed = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    for fd in listed:
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


def _secrets(config: BaseModel) -> list[str]:
    values = [value for _, value in config]
    nested = [word for value in values if isinstance(value, BaseModel) for word in _secrets(value)]
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr)] + nested
