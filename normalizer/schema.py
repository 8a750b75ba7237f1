"""The published JSON Schemas (2020-12) of the ticket and of the events, generated from the models.

May not hold a rule that the models do not have, except formats spelled out as patterns.
"""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from normalizer.events import (
    ACCEPTED,
    ACKNOWLEDGED,
    ALARMED,
    DELIVERED,
    FAILED,
    FOLLOWED_UP,
    LINKED,
    NOTIFIED,
    UNIT_REFUSED,
    Acknowledged,
    Alarmed,
    DeliveryOutcome,
    FollowedUp,
    Linked,
    Notified,
    UnitRefused,
)
from normalizer.life import EVENT_TYPES, LifeStep
from normalizer.ticket import Ticket

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

# Draft 2020-12 only annotates `format` (Validation, section 7.2.1), so a validator may let any string pass.
# RFC 3339 section 5.6, offset required.
_PATTERNS: Final = {
    "date-time": (
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
        r"(Z|[+-][0-9]{2}:[0-9]{2})$"
    )
}
_DATA: Final[dict[str, type[BaseModel]]] = {
    ACCEPTED: Ticket,
    FOLLOWED_UP: FollowedUp,
    DELIVERED: DeliveryOutcome,
    FAILED: DeliveryOutcome,
    NOTIFIED: Notified,
    ALARMED: Alarmed,
    ACKNOWLEDGED: Acknowledged,
    LINKED: Linked,
    UNIT_REFUSED: UnitRefused,
    **dict.fromkeys(EVENT_TYPES.values(), LifeStep),
}


def ticket_schema() -> Schema:
    """The schema of a ticket document, as it stands in an event's `data`."""
    return _published("ticket-1", Ticket.model_json_schema(mode="serialization"))


def event_schema() -> Schema:
    """The schema of every event on `jiesu:tickets` and `jiesu:events`: the CloudEvents 1.0 JSON format
    (section 3.1) with our data, one shape per `type`."""
    _, models = models_json_schema([(model, "serialization") for model in dict.fromkeys(_DATA.values())])
    envelope: Schema = {
        "title": "Event",
        "description": "A step of a ticket's life. Drop repeats by `id`, skip a `type` you do not know.",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {
                "type": "string",
                "minLength": 1,
                "description": "`<ticket_id>.accepted` for the first event",
            },
            "source": {"type": "string", "pattern": "^/jiesu/", "description": "`/jiesu/<site.domain>`"},
            "type": {"enum": list(_DATA)},
            "subject": {"type": "string", "pattern": "^t[a-z2-7]{26}$", "description": "The ticket_id"},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
        },
        "oneOf": [
            {
                "properties": {
                    "type": {"const": name},
                    "data": {"$ref": f"#/$defs/{model.__name__}"},
                }
            }
            for name, model in _DATA.items()
        ],
        "$defs": models["$defs"],
    }
    return _published("event-1", envelope)


def text(schema: Schema) -> str:
    """The schema as it stands in its file."""
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def _published(name: str, schema: Schema) -> Schema:
    _spell_out(schema)
    return {"$schema": DIALECT, "$id": f"urn:jiesu:schema:{name}", **schema}


def _spell_out(node: object) -> None:
    """Add to every `format` the pattern that says the same."""
    if isinstance(node, dict):
        pattern = _PATTERNS.get(str(node.get("format")))
        if pattern:
            node["pattern"] = pattern
        for value in node.values():
            _spell_out(value)
    elif isinstance(node, list):
        for value in node:
            _spell_out(value)
