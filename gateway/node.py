"""The gateway role: wires spool, pump, channels and the HTTP listener into one running process, and drains it.

May not hold a rule of its own: it only builds, connects, and decides in which order things start and end.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
import uvloop
from standardwebhooks import Webhook

from channels.contract import Channel, Handler
from channels.web.config import WebConfig
from gateway import ledger, memory, spool_file
from gateway.alarms_api import AlarmsApi
from gateway.auth import Tokens
from gateway.calls_api import CallsApi
from gateway.claims import NoGatewayIdError, claim_gateway
from gateway.config import Config, site_secret
from gateway.desk_api import DeskApi
from gateway.expiry import Expiry
from gateway.files_api import Files, FilesApi
from gateway.intake import Intake
from gateway.limits import Buckets, Guesses
from gateway.listener import Listener
from gateway.metrics import Metrics
from gateway.poller_place import PollerPlace
from gateway.progress import Progress
from gateway.pump import Pump
from gateway.reference import Reference
from gateway.registry import Registry
from gateway.routes import Routes
from gateway.spool import Spool
from gateway.tickets_api import TicketsApi
from gateway.unit_webhooks import UnitWebhooks
from gateway.units_api import UnitsApi
from gateway.writer import Writer
from normalizer.ticket import Raw, Receipt
from workers.blobs import Blobs
from workers.calls import Calls
from workers.centre import Centre
from workers.connect import connect_async
from workers.destinations.webhook import WebhookConfig, read_secrets
from workers.runtime import Site
from workers.store import Store
from workers.unit_side import UnitSide

log = structlog.get_logger()

DRAIN: Final = 3.0
COLLECT_AFTER: Final = 20_000
ROWS_REMAIN: Final = 75  # EX_TEMPFAIL of sysexits.h
UPKEEP_EVERY: Final = 60.0
CHANNEL_BACK_OFF: Final = (0.5, 1.0, 2.0, 5.0, 15.0)


class NodeHost:
    """What one channel sees of this gateway (channels.contract.Host)."""

    def __init__(self, node: Node, channel: str) -> None:
        self.public_url = node.config.public_url
        self._node = node
        self._place = PollerPlace(node.client, channel)
        self._routes: list[tuple[str, str]] = []

    async def accept(self, raw: Raw) -> Receipt:
        """Returns when `raw` is on disk."""
        return await self._node.intake.accept(raw)

    async def load_cursor(self) -> str | None:
        """The cursor saved last, once this gateway is the one that polls."""
        return await self._place.load()

    async def save_cursor(self, cursor: str) -> None:
        """Raises TryAgain: another gateway polls now."""
        await self._place.save(cursor)

    def route(self, method: str, path: str, handler: Handler, scope: str | None = None) -> None:
        """Serve a path of this channel."""
        self._node.routes.add(method, path, handler, scope)
        self._routes.append((method, path))

    async def leave(self) -> None:
        """Let another gateway poll."""
        await self._place.leave()

    def withdraw(self) -> None:
        """Take this run's routes away, so that the channel's next run can add them again."""
        for method, path in self._routes:
            self._node.routes.remove(method, path)


class Node:
    """One gateway: one spool, one pump, one id."""

    def __init__(self, config: Config) -> None:
        self.config = config
        secret = site_secret(config)
        self.spool = Spool(config.data_dir / "spool", config.site.timezone)
        self.writer = Writer(self.spool.db)
        self.client = connect_async(config.redis, config.data_dir)
        self.store = Store(self.client, domain=config.site.domain)
        self.metrics = Metrics(self.spool.directory, self.client)
        self.pump = Pump(self.spool, self.writer, config, ended=self._ended, met=self._met)
        self.blobs = Blobs(config.data_dir / "blobs")
        self.intake = Intake(
            self.spool,
            self.writer,
            self.blobs,
            intake=config.intake,
            limits=config.spool,
            secret=secret,
            public_url=config.public_url,
            spooled=self.pump.ring,
        )
        self.intake.unqueued_bytes = int(ledger.counts(self.spool.db)["bytes"])
        self.channels: dict[str, Channel] = Registry().configured(config)
        self.routes = Routes()
        rate = config.http.submissions
        self.listener = Listener(
            self.routes,
            config.http,
            tokens=Tokens(config.tokens_path),
            submissions=Buckets("submissions", burst=rate.burst, per_minute=rate.per_minute, size=rate.clients),
        )
        self._register_pages(secret)

    def _register_pages(self, secret: bytes) -> None:
        TicketsApi(self.store, self.intake, self.config).register(self.routes.add)
        Reference(self.config).register(self.routes.add)
        self._register_people()
        self.routes.add("GET", "/metrics", self.metrics.show)
        web = self.channels.get("web")
        if web is not None:
            Progress(
                self.store,
                self.intake.accept,
                web.parse,
                secret=secret,
                guesses=Guesses(self.config.http.guesses_per_hour),
                zone=self.config.zone,
                region=self.config.region(),
                files=self._files(),
            ).register(self.routes.add)

    def _files(self) -> Files:
        return Files(self.blobs, self.config.blobs.keep_days, _now)

    def _register_people(self) -> None:
        """The sides of the units and of the centre's desk."""
        region = self.config.region()
        limits = WebConfig.model_validate(self.config.channels.get("web", {}))
        DeskApi(Centre(self.store, region, _now), limits).register(self.routes.add)
        site = Site(self.config.site.name, self.config.public_url, self.config.zone)
        calls = Calls(self.store, region, site, attempts=self.config.workers.call_attempts)
        CallsApi(calls, limits, _now).register(self.routes.add)
        AlarmsApi(self.store, _now).register(self.routes.add)
        side = UnitSide(self.store, region, _now)
        UnitsApi(side, self.blobs, limits, _now).register(self.routes.add)
        FilesApi(self.store, side, self._files()).register(self.routes.add)
        UnitWebhooks(side, self._unit_secrets(), limits).register(self.routes.add)

    def _unit_secrets(self) -> dict[str, tuple[Webhook, ...]]:
        """What the units' own systems sign with: the secrets that we sign with to them."""
        hooks = {id: block for id, block in self.config.dispatch.units.items() if isinstance(block, WebhookConfig)}
        return {id: read_secrets(self.config.data_dir / block.secret_file) for id, block in hooks.items()}

    def _ended(self, size: int, ages: list[float]) -> None:
        self.intake.unqueued_bytes = max(0, self.intake.unqueued_bytes - size)
        self.metrics.observe(ages)

    async def _met(self) -> None:
        """A server not seen before may not know that our id is ours."""
        try:
            await claim_gateway(self.spool, self.writer, self.client)
        except NoGatewayIdError:
            log.error("no_gateway_id", gateway=self.spool.fact("gateway"))  # the batch script finds numbers given twice

    async def run(self, sockets: Sequence[socket.socket], ready: Callable[[], None], stop: asyncio.Event) -> int:
        """Serve until `stop`, then drain; 75 when unqueued rows remain."""
        tasks: list[asyncio.Task[None]] = [
            asyncio.create_task(self.writer.run()),
            asyncio.create_task(self.pump.run()),
            asyncio.create_task(self._upkeep()),
        ]
        opening = asyncio.create_task(self._open())
        running: list[asyncio.Task[None]] = [
            asyncio.create_task(self._run_channel(channel)) for channel in self.channels.values()
        ]
        for one in sockets:
            await self.listener.start(one)
        ready()
        waiter = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((waiter, *tasks), return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()  # a broken spool ends the process: it is restarted
            return await self._drain(running)
        finally:
            waiter.cancel()
            for task in (opening, *running, *tasks):
                task.cancel()
            await asyncio.gather(opening, waiter, *running, *tasks, return_exceptions=True)
            await self.client.aclose()
            self.spool.close()

    async def _open(self) -> None:
        """Accepting begins when this spool has a gateway id; later starts need no Redis for it."""
        if self.spool.fact("gateway") is None:
            try:
                await claim_gateway(self.spool, self.writer, self.client)
            except NoGatewayIdError:
                log.critical("no_gateway_id_free")
                return  # unready until an operator has retired an old spool and starts it again
        self.intake.open = True
        log.info("accepting", gateway=self.spool.fact("gateway"))

    async def _run_channel(self, channel: Channel) -> None:
        failures = 0
        while True:
            host = NodeHost(self, channel.name)
            try:
                await channel.run(host)
            except Exception as error:
                log.error("channel_failed", channel=channel.name, error=type(error).__name__)
            finally:
                await host.leave()
            await asyncio.sleep(CHANNEL_BACK_OFF[min(failures, len(CHANNEL_BACK_OFF) - 1)])
            host.withdraw()  # not before: until the next run the old handlers answer, a 404 would bounce a citizen
            failures += 1

    async def _upkeep(self) -> None:
        """Forget old rows and blobs, and look again at how much is unqueued."""
        expiry = Expiry(self.blobs, self.spool.directory, self.config.blobs.keep_days)
        while True:
            before = time.time() - self.config.spool.keep_days * 86400
            await self.writer.insist(partial(ledger.purge, before=before))
            await expiry.turn()
            facts = await asyncio.to_thread(self._counts)
            self.intake.unqueued_bytes = int(facts["bytes"])
            await asyncio.sleep(UPKEEP_EVERY)

    def _counts(self) -> dict[str, int]:
        with contextlib.closing(spool_file.connect(self.spool.directory)) as db:
            return dict(ledger.counts(db))

    async def _drain(self, channels: Sequence[asyncio.Task[None]]) -> int:
        """Stop accepting, let the pump finish, and say whether it did."""
        self.intake.open = False
        for task in channels:
            task.cancel()
        await self.listener.stop(1.0)
        deadline = time.monotonic() + DRAIN
        while (left := (await asyncio.to_thread(self._counts))["in_flight"]) and time.monotonic() < deadline:  # noqa: ASYNC110 - rows are counted
            await asyncio.sleep(0.05)
        log.info("drained", remaining=left)
        return ROWS_REMAIN if left else 0


def _now() -> datetime:
    return datetime.now(UTC)


def run_node(config: Config, sockets: Sequence[socket.socket], ready: Callable[[], None]) -> int:
    """The gateway process; returns its exit code."""
    for sock in sockets:
        sock.set_inheritable(False)  # uvloop closes nothing else: an orphaned pump child would keep the address

    async def main() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, stop.set)
        return await Node(config).run(sockets, ready, stop)

    memory.give_back_large_blocks()
    # What was imported stays for ever: the collector need not look at it again, nor after every 700 objects.
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    try:
        return uvloop.run(main())
    except sqlite3.Error as error:
        log.error("spool_broken", error=type(error).__name__)
        return 70
