"""Who did something with a ticket after it was accepted.

Pure data. May not hold a person's name where a role and an id do.
"""

from __future__ import annotations

from normalizer.ticket import Model, OpenEnum


class Role(OpenEnum):
    """In whose name a step is taken."""

    SYSTEM = "system"
    OPERATOR = "operator"
    UNIT = "unit"
    CITIZEN = "citizen"
    OTHER = "other"


class Actor(Model):
    """Who took a step: a role, and which one (a unit's id, an operator's name; of the system: the part of it)."""

    role: Role
    id: str
