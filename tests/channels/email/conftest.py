"""The mail servers of the channel running against a FakeHost, on the event loop that the gateway uses."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from channels.email.config import EmailConfig
from channels.email.smtp import Server
from channels.fake_host import FakeHost
from tests.channels.email.posts import Post, Serving
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
        server = Server(EmailConfig.model_validate({"listen": "127.0.0.1:0", **config}), host)
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
