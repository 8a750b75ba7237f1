"""Whether every unit can be reached the way the configuration says. May not open a connection."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config import Config
from gateway.config_text import ConfigError


def check(config: Config) -> None:
    """Units by email need the email channel with a relay, and a mailbox that is not the hotline's own.

    Raises:
        ConfigError: naming each unit that would never hear of a ticket.
    """
    if problems := list(_problems(config)):
        raise ConfigError(problems)


def _problems(config: Config) -> Iterator[str]:
    if not config.dispatch.mailboxes:
        return
    from channels.email.automatic import judge
    from channels.email.config import EmailConfig
    from channels.email.recipient import is_own

    block = config.channels.get("email")
    email = EmailConfig.model_validate({"domain": config.site.domain} | block) if block is not None else None
    for unit, address in config.dispatch.mailboxes.items():
        where = f"dispatch.units.{unit}"
        if email is None:
            yield f"{where}: needs the channel email, which is off"
        elif email.relay is None:
            yield f"{where}: needs channels.email.relay, which sends mail on"
        elif is_own(address, [*email.accepted, f"postmaster@{email.domain}"]):
            yield f"{where}.to: is the hotline's own address"
        elif judge(lambda _: (), envelope_from=address, from_address=address, own_addresses=()) is not None:
            yield f"{where}.to: is a program's address by its name: what the unit answers from it would not count"
