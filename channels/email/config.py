"""The block `channels.email` of config.yaml. May hold limits, addresses and places only."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ByteSize, ConfigDict, Field, PlainSerializer, model_validator

from channels.contract import SITE_SECRET
from channels.email.recipient import spelled
from channels.email.threads import NUMBER_MAX, reply_address

MIB: Final = 1024 * 1024
_ADDRESS: Final = re.compile(r"[^@\s\x00-\x1f\x7f<>\"(),:;\\]+@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_DOMAIN: Final = r"^[a-z0-9.-]+$"


def split_listen(listen: str) -> tuple[str, int]:
    """`HOST:PORT`, `[IPv6]:PORT` -> (host, port); port 0 lets the system choose.

    Raises:
        ValueError: it is not of that form.
    """
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError("must be HOST:PORT with a port from 0 to 65535")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _listen(listen: str) -> str:
    split_listen(listen)
    return listen


def _address(address: str) -> str:
    address = address.lower()
    if not _ADDRESS.fullmatch(address) or "+" in address.partition("@")[0]:
        raise ValueError("must be an address such as hotline@example.org, without a +")
    return address


def _name(value: str) -> str:
    return value.lower()


Listen = Annotated[str, AfterValidator(_listen)]
Address = Annotated[str, AfterValidator(_address)]
Network = Annotated[
    ipaddress.IPv4Network | ipaddress.IPv6Network, PlainSerializer(str, return_type=str, when_used="json")
]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)


class Rate(_Block):
    """A token bucket of mails: at once up to `burst`, then `per_minute`. Beyond: 450, the sender tries later."""

    burst: int = Field(ge=1)
    per_minute: float = Field(gt=0)
    remembered: int = Field(default=20_000, ge=1, description="How many senders are remembered")


class ImapConfig(_Block):
    """A mailbox that lives elsewhere: what lies in its folder is taken in. Times in seconds."""

    host: str = Field(pattern=r"^[A-Za-z0-9._:-]+$", description="Name or address of the server")
    port: int | None = Field(default=None, ge=1, le=65535, description="Left out: 993 with tls, else 143")
    tls: Literal["tls", "starttls", "none"] = Field(
        default="tls", description="From the first byte on, or by STARTTLS; none: only on this machine"
    )
    ca_file: Path | None = Field(default=None, description="PEM; who vouches for the server. Left out: the system's")
    user: str = Field(pattern=r"^[^\x00-\x1f\x7f]+$", description="The account")
    password_file: Path = Field(description="Its first line is the password; read again at each login")
    folder: str = Field(default="INBOX", pattern=r"^[^\x00-\x1f\x7f]+$", description="What is taken in")
    done: str | None = Field(
        default=None, pattern=r"^[^\x00-\x1f\x7f]+$", description="Where what was taken is moved; left out: it stays"
    )
    poll: float = Field(default=60, ge=0.1, le=1500, description="At most so long between two looks, woken or not")
    timeout: float = Field(default=30, gt=0, le=600, description="Silence after which a connection is given up")

    @property
    def address(self) -> tuple[str, int]:
        """Where the server listens."""
        return self.host, self.port or (993 if self.tls == "tls" else 143)

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.tls == "none" and not _is_loopback(self.host):
            raise ValueError("tls: none would send the password in clear text; only for this machine")
        if self.done is not None and self.done == self.folder:
            raise ValueError("done must be another folder")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class EmailConfig(_Block):
    """Where mail comes in, for which addresses, and how much of it. Sizes in bytes, times in seconds."""

    listen: Listen | None = Field(default="127.0.0.1:2525", description="SMTP at HOST:PORT; null: none")
    lmtp: Listen | None = Field(default=None, description="LMTP at HOST:PORT, for a mail server in front")
    lmtp_socket: Path | None = Field(default=None, description="LMTP at a unix socket, for a mail server in front")
    lmtp_socket_mode: str = Field(
        default="0660", pattern=r"^0?[0-7]{3}$", description="Who may write to that socket (octal)"
    )
    domain: Annotated[str, AfterValidator(_name)] = Field(
        default="hotline.example", pattern=_DOMAIN, description="How the server names itself; left out: the site's"
    )
    addresses: tuple[Address, ...] = Field(
        default=(),
        description="For whom mail is taken, also with a +tag; postmaster always. Left out: hotline@ the domain",
    )
    max_bytes: ByteSize = Field(default=ByteSize(25 * MIB), gt=0, description="One mail; larger ones get 552")
    max_inflight_bytes: ByteSize = Field(
        default=ByteSize(256 * MIB), gt=0, description="Mails being received at once, in all; beyond: 452"
    )
    max_recipients: int = Field(default=100, ge=1, description="Of one mail; beyond: 452, the rest is sent later")
    max_connections: int = Field(default=500, ge=1, description="At once, in all; beyond: 421")
    max_connections_per_ip: int = Field(default=50, ge=1, description="At once from one client; beyond: 421")
    idle_timeout: float = Field(default=300, gt=0, description="Silence after which a connection is closed")
    data_timeout: float = Field(default=600, gt=0, description="How long the text of one mail may take to arrive")
    per_ip: Rate = Field(
        default=Rate(burst=300, per_minute=300), description="Mails of one client: an IPv4 address or an IPv6 /64"
    )
    per_sender: Rate = Field(
        default=Rate(burst=30, per_minute=10), description="Mails of one envelope sender through one client"
    )
    trusted: tuple[Network, ...] = Field(
        default=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")),
        description="Peers without limits per client and sender: our own mail server, which has its own",
    )
    verify: Literal["dns", "none"] = Field(
        default="dns", description="SPF, DKIM, ARC and DMARC of received mail, as marks; none: no look-ups, no marks"
    )
    verify_timeout: float = Field(default=3, gt=0, le=30, description="For all look-ups of one mail; then temperror")
    authserv_id: str | None = Field(
        default=None,
        pattern=r"^[^\s;\"()]+$",
        description="Our own mail server's name in Authentication-Results: then it is believed (see `trusted`)",
    )
    tls_certificate: Path | None = Field(default=None, description="PEM; with tls_key it turns STARTTLS on")
    tls_key: Path | None = Field(default=None, description="PEM")
    imap: ImapConfig | None = Field(default=None, description="A mailbox elsewhere that is looked into; null: none")
    secret_file: Annotated[Path | None, SITE_SECRET] = Field(
        default=None, description="Signs our reply addresses; left out: the site's"
    )
    relay: Listen | None = Field(default=None, description="HOST:PORT of the mail server that takes our answers")
    relay_tls: Literal["none", "starttls", "tls"] = Field(
        default="none", description="By STARTTLS, or from the first byte on; certificates are verified"
    )
    relay_ca_file: Path | None = Field(default=None, description="PEM; who vouches for it. Left out: the system's")
    relay_user: str | None = Field(default=None, pattern=r"^[^\x00-\x1f\x7f]+$", description="The account there")
    relay_password_file: Path | None = Field(default=None, description="With relay_user; read again at each connection")
    relay_timeout: float = Field(default=30, gt=0, le=600, description="How long each of its answers may take")
    files_max_bytes: ByteSize = Field(
        default=ByteSize(10 * MIB), ge=0, description="Files of one answer, as sent; others stay on the progress page"
    )
    from_name: str | None = Field(
        default=None, pattern=r"^[^\x00-\x1f\x7f]+$", max_length=100, description="Display name of what we send"
    )

    @property
    def accepted(self) -> tuple[str, ...]:
        """The addresses mail is taken for, lower case; postmaster comes on top."""
        return self.addresses or (f"hotline@{self.domain}",)

    @model_validator(mode="after")
    def _both_files(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        return self

    @model_validator(mode="after")
    def _relay_is_safe(self) -> Self:
        if (self.relay_user is None) != (self.relay_password_file is None):
            raise ValueError("relay_user and relay_password_file go together")
        if self.relay is None:
            return self
        host, port = split_listen(self.relay)
        if not port:
            raise ValueError("relay needs a port")
        if self.relay_user is not None and self.relay_tls == "none" and not _is_loopback(host):
            raise ValueError("relay_tls: none would send the password in clear text; only for this machine")
        try:
            spelled(reply_address(self.accepted[0], "0" * NUMBER_MAX, b"-"))
        except ValueError:
            raise ValueError("the first address must leave room for a signature: 22 octets before the @") from None
        return self
