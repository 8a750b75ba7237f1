"""The mail servers of the channel running against a FakeHost, on the event loop that the gateway uses."""

from __future__ import annotations

import asyncio
import datetime
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from channels.email.config import EmailConfig
from channels.email.imap import BackOff, Poller
from channels.email.smtp import Server
from channels.fake_host import FakeHost
from tests.channels.email.dovecot import Dovecot, Mailbox, Polling
from tests.channels.email.posts import Post, Serving, until
from tests.waiting import HANGS


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the gateway runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def host() -> AsyncIterator[FakeHost]:
    async with FakeHost() as host:
        yield host


@pytest.fixture
async def serving(host: FakeHost) -> AsyncIterator[Serving]:
    """`await serving(**config)`: a running server on a free port; it is cancelled at the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def start(**config: Any) -> Post:
        server = Server(EmailConfig.model_validate({"listen": "127.0.0.1:0", "verify": "none", **config}), host)
        task = asyncio.create_task(server.run())
        tasks.add(task)
        started = asyncio.create_task(server.started.wait())
        await asyncio.wait({task, started}, timeout=HANGS, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if task.done():
            task.result()
        return Post(server, host, task)

    yield start
    host.release()
    for task in tasks:
        task.cancel()
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=HANGS)
        assert not late


@pytest.fixture
async def post(serving: Serving) -> Post:
    return await serving()


@pytest.fixture
def certificate(tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    """`certificate(name)`: a certificate of our own making for 127.0.0.1 with that common name, and its key."""

    def make(name: str) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        files = tmp_path / "mail.pem", tmp_path / "mail.key"
        files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files

    return make


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    """A real IMAP server for the tests of a module; it stays up."""
    server = Dovecot()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def own_dovecot() -> Iterator[Callable[..., Dovecot]]:
    """IMAP servers of the test's own, not yet started."""
    servers: list[Dovecot] = []

    def make(more: str = "") -> Dovecot:
        servers.append(Dovecot(more))
        return servers[-1]

    yield make
    for server in servers:
        server.remove()


@pytest.fixture
def mailbox(dovecot: Dovecot) -> Mailbox:
    """A new folder of that server."""
    return Mailbox(dovecot, f"in-{uuid.uuid4().hex[:8]}")


@pytest.fixture
async def polling(host: FakeHost) -> AsyncIterator[Polling]:
    """`polling(block, **config)`: a poller that runs; at the end it is cancelled and has left nothing behind."""
    tasks: set[asyncio.Task[None]] = set()

    def start(imap: dict[str, Any], **config: Any) -> asyncio.Task[None]:
        settings = EmailConfig.model_validate({"listen": None, "imap": imap, **config})
        back_off = BackOff(connection=(0.1, 0.2), login=(0.1, 0.2), message=(0.2, 0.4))
        task = asyncio.create_task(Poller(settings, host, back_off).run())
        tasks.add(task)
        return task

    yield start
    host.release()
    for task in tasks:
        task.cancel()
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=5)
        assert not late
    await until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("imap_")])
