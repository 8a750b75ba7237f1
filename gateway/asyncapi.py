"""The AsyncAPI 3.0 document of the two streams, from the published schemas. May not describe a field of its own."""

from __future__ import annotations

from copy import deepcopy
from importlib.metadata import version
from typing import Any, Final

from normalizer.events import ACCEPTED
from normalizer.schema import event_schema
from workers import keys

_DIALECT: Final = "application/schema+json;version=draft-2020-12"


def document() -> dict[str, Any]:
    """`jiesu:tickets` carries each ticket once, as it was accepted; `jiesu:events` every later step."""
    later = [kind for kind in event_schema()["properties"]["type"]["enum"] if kind != ACCEPTED]
    return {
        "asyncapi": "3.0.0",
        "id": "urn:jiesu:streams",
        "info": {
            "title": "Jiesu streams",
            "version": version("jiesu"),
            "description": "Redis streams. Each entry has one field, `event`: a CloudEvent 1.0 in JSON. Join with a "
            "consumer group of your own; repeats are dropped by `id`, unknown types skipped.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "tickets": _channel(keys.TICKETS, "Every ticket once, as it was accepted.", "accepted"),
            "events": _channel(keys.EVENTS, "Every later step of a ticket's life.", "step"),
        },
        "operations": {
            "sendTickets": _send("tickets", "accepted"),
            "sendEvents": _send("events", "step"),
        },
        "components": {
            "messages": {
                "accepted": _message("A ticket was accepted", [ACCEPTED]),
                "step": _message("A ticket changed, or was delivered, or could not be", later),
            }
        },
    }


def _channel(address: str, description: str, message: str) -> dict[str, Any]:
    return {
        "address": address,
        "description": description,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
    }


def _send(channel: str, message: str) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
    }


def _message(title: str, types: list[str]) -> dict[str, Any]:
    """The event schema with only these types. Its `$id` makes its references its own (JSON Schema Core 8.2.1)."""
    schema = deepcopy(event_schema())
    schema["$id"] += ":" + "-".join(kind.split(".")[-2] for kind in types)
    schema["properties"]["type"] = {"enum": types}
    schema["oneOf"] = [one for one in schema["oneOf"] if one["properties"]["type"]["const"] in types]
    return {
        "name": title,
        "contentType": "application/cloudevents+json",
        "payload": {"schemaFormat": _DIALECT, "schema": schema},
    }
