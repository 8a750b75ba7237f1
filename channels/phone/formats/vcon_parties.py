"""Who the parties of a vCon are: the citizen, a seat, a machine; by the roles and names that the document gives.

May not infer a role from what somebody says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from channels.phone.formats import labels
from channels.phone.formats.members import as_record, as_text
from channels.phone.formats.vcon_model import Party
from normalizer.ticket import Speaker

# The words of the contact-centre extension and of public writers that our own list of labels does not have.
_ROLES: Final[dict[str, Speaker]] = {
    "supervisor": Speaker.AGENT,
    "sme": Speaker.AGENT,
    "employee": Speaker.AGENT,
    "staff": Speaker.AGENT,
    "csr": Speaker.AGENT,
    "contact": Speaker.CITIZEN,
    "client": Speaker.CITIZEN,
    "consumer": Speaker.CITIZEN,
    "user": Speaker.CITIZEN,
    "ai": Speaker.SYSTEM,
    "bot": Speaker.SYSTEM,
    "voicebot": Speaker.SYSTEM,
}
_LABEL_MAX: Final = 80
# "**Agent(May)**", "Customer 2": the role, then a name in brackets or a number.
_LABEL: Final = re.compile(r"([^(（]*?)\s*[0-9]{0,3}\s*(?:[(（]([^()（）]*)[)）])?")


def role_of(word: str) -> Speaker | None:
    """The role that a word such as "agent" or "contact" names."""
    return _ROLES.get(word.strip().lower()) or labels.role_of(word)


def phone_of(party: Party) -> str | None:
    """The number: of `tel` (RFC 3966, with or without scheme), else the user part of `sip` when it is one."""
    number = (party.tel or "").strip()
    if number[:4].lower() == "tel:":
        number = number[4:].partition(";")[0]
    if number:
        return number
    user = re.sub(r"^sips?:", "", (party.sip or "").strip(), flags=re.IGNORECASE).partition("@")[0]
    return user if re.fullmatch(r"\+?[0-9]{3,20}", user) else None


class Cast:
    """All parties of one vCon."""

    def __init__(self, parties: Sequence[Party]) -> None:
        self.parties = tuple(parties)
        self.roles = tuple(map(_role, parties))
        self._by_name: dict[str, int | None] = {}
        for index, party in enumerate(parties):
            name = (party.name or "").strip().casefold()
            if name:
                self._by_name[name] = None if name in self._by_name else index

    def role(self, index: int | None) -> Speaker | None:
        """Of the party with this index; None when there is none, or nothing is said of it."""
        return self.roles[index] if index is not None and 0 <= index < len(self.roles) else None

    def first(self, role: Speaker) -> int | None:
        """The index of the first party in this role."""
        return self.roles.index(role) if role in self.roles else None

    def role_of_label(self, label: str) -> Speaker | None:
        """Of a voice that a transcript calls by role, by a party's name, or by both."""
        label = label.strip().strip("*").strip()
        match = _LABEL.fullmatch(label) if len(label) <= _LABEL_MAX else None
        for part in (label, *(match.groups("") if match else ())):
            role = role_of(part) or self.role(self._by_name.get(part.strip().casefold()))
            if role is not None:
                return role
        return None


def _role(party: Party) -> Speaker | None:
    for word in (party.role, as_record(party.meta).get("role")):
        role = role_of(as_text(word))
        if role is not None:
            return role
    return None
