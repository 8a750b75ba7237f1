"""A real Dovecot as the test's own process: configuration, users and mail in a folder of its own, a free port."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import grp
import ipaddress
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import imapclient
import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from channels.email.imap import REFUSED, TAKEN
from channels.fake_host import FakeHost
from tests.waiting import HANGS

USER: Final = "hotline@town.example"
PASSWORD: Final = 'pass wörd "quoted"'

MARKED: Final = (TAKEN.encode(),)
MARKED_REFUSED: Final = (REFUSED.encode(),)
Polling = Callable[..., "asyncio.Task[None]"]

CONFIG: Final = """
protocols = imap
listen = 127.0.0.1
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
instance_name = {home}
ssl = yes
ssl_cert = <{home}/cert
ssl_key = <{home}/key
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
imap_id_log = *
auth_username_chars =
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {home}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/mail
}}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:{home}/mail/Maildir
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
{users}
{more}
"""
OWN_USERS: Final = """
default_internal_user = {name}
default_internal_group = {group}
default_login_user = {name}
"""


@functools.cache
def missing() -> str | None:
    """Why the tests with a real Dovecot are skipped, if they are."""
    if shutil.which("dovecot", path=_path()) is None:
        return "Dovecot is not installed (Debian: dovecot-imapd)"
    version = subprocess.run(["dovecot", "--version"], capture_output=True, text=True, env=_env(), check=True).stdout
    return None if version.startswith("2.3.") else f"written for Dovecot 2.3, not {version}"


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin"


def _env() -> dict[str, str]:
    return os.environ | {"PATH": _path()}


class Dovecot:
    """`start`, `stop` and `start` again on the same ports and mail. `more`: lines for its configuration, `{home}` in
    them is its folder; written before it starts."""

    def __init__(self, more: str = "") -> None:
        if missing():
            pytest.skip(str(missing()))
        self.home = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.port, self.tls_port = _free_ports(2)
        me = pwd.getpwuid(os.getuid())
        owner = pwd.getpwnam("nobody") if me.pw_uid == 0 else me  # it serves no mail as root
        group = grp.getgrgid(me.pw_gid).gr_name
        users = "" if me.pw_uid == 0 else OWN_USERS.format(name=me.pw_name, group=group)
        self.home.chmod(0o755)
        for folder in ("mail", "state"):
            (self.home / folder).mkdir()
        if me.pw_uid == 0:
            os.chown(self.home / "mail", owner.pw_uid, owner.pw_gid)
        (self.home / "users").write_text(f"{USER}:{PASSWORD}\n", encoding="utf-8")
        (self.home / "users").chmod(0o644)
        (self.home / "password").write_text(PASSWORD + "\n", encoding="utf-8")
        self.certificate = _certified(self.home)
        config = CONFIG.format(
            home=self.home, port=self.port, tls_port=self.tls_port, users=users, uid=owner.pw_uid, gid=owner.pw_gid,
            more=more.format(home=self.home),
        )  # fmt: skip
        (self.home / "dovecot.conf").write_text(config)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["dovecot", "-F", "-c", str(self.home / "dovecot.conf")]
        self._process = subprocess.Popen(command, env=_env(), stdin=subprocess.DEVNULL)
        wait_until(self._greets, "Dovecot greets", self.log)

    def stop(self) -> None:
        """Its connections end with it."""
        process, self._process = self._process, None
        if process is not None:
            sessions = psutil.Process(process.pid).children(recursive=True)
            process.terminate()
            process.wait(HANGS)
            for session in sessions:  # one with a client that idles would stay until that speaks
                with contextlib.suppress(psutil.NoSuchProcess):
                    session.terminate()
            psutil.wait_procs(sessions, HANGS)
            wait_until(lambda: not self._greets(), "Dovecot has ended")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def log(self) -> str:
        file = self.home / "log"
        return file.read_text(errors="replace")[-3000:] if file.exists() else ""

    def client(self) -> imapclient.IMAPClient:
        """Somebody who looks into the mailbox, logged in."""
        client = imapclient.IMAPClient("127.0.0.1", self.port, ssl=False, timeout=HANGS)
        client.plain_login(USER, PASSWORD)
        return client

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as sock:
                return sock.recv(4) == b"* OK"
        except OSError:
            return False


class Mailbox:
    """One folder of a Dovecot, made anew."""

    def __init__(self, dovecot: Dovecot, folder: str) -> None:
        self.dovecot, self.folder = dovecot, folder
        if folder != "INBOX":
            self.make()

    def make(self) -> None:
        with self.dovecot.client() as client:
            client.create_folder(self.folder)

    def delete(self) -> None:
        with self.dovecot.client() as client:
            client.delete_folder(self.folder)

    def block(self, **more: Any) -> dict[str, Any]:
        """`channels.email.imap` for it."""
        dovecot = self.dovecot
        block = {"host": "127.0.0.1", "port": dovecot.port, "tls": "none", "user": USER, "folder": self.folder}
        return {**block, "password_file": str(dovecot.home / "password"), **more}

    def arrive(self, *mails: bytes) -> None:
        """As a mail server delivers them."""
        with self.dovecot.client() as client:
            for mail in mails:
                client.append(self.folder, mail)

    def fill(self, mails: Iterable[bytes]) -> None:
        """Many at once, as files; the folder keeps their order by name."""
        home = self.dovecot.home / "mail" / "Maildir" / ("" if self.folder == "INBOX" else f".{self.folder}")
        for n, mail in enumerate(mails):
            file = home / "tmp" / f"{1_700_000_000 + n}.M{n:06}.test"
            file.write_bytes(mail)
            file.chmod(0o666)
            file.rename(home / "new" / file.name)

    def flags(self, folder: str | None = None) -> dict[int, tuple[bytes, ...]]:
        """UID -> its flags, without \\Recent."""
        with self.dovecot.client() as client:
            client.select_folder(folder or self.folder, readonly=True)
            found = client.get_flags(client.search("ALL"))
        return {uid: tuple(flag for flag in flags if flag != rb"\Recent") for uid, flags in sorted(found.items())}


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        return [int(sock.getsockname()[1]) for sock in socks]


def _certified(home: Path) -> Path:
    """A certificate for 127.0.0.1 of our own making, `cert` and `key`; it vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.town.example")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - day)
    made = builder.not_valid_after(now + day).add_extension(addresses, critical=False).sign(key, hashes.SHA256())
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (home / "key").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    (home / "cert").write_bytes(made.public_bytes(pem))
    return home / "cert"


def wait_until(holds: Callable[[], object], what: str, explain: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + HANGS
    while not holds():
        assert time.monotonic() < deadline, f"not within {HANGS} s: {what}\n{explain()}"
        time.sleep(0.02)


async def marked(mailbox: Mailbox, *expected: tuple[bytes, ...]) -> None:
    """Returns when these are the flags of its messages, in order."""
    deadline = time.monotonic() + HANGS
    while (found := tuple((await asyncio.to_thread(mailbox.flags)).values())) != expected:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)


def bodies(host: FakeHost) -> list[bytes]:
    """What was taken, in order."""
    return [raw.body for raw in host.taken.values()]
