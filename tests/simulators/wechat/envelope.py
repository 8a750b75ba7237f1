"""What stands in a push and in the answer to it: XML, signed, and in safe mode sealed.

May not send.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from lxml import etree

from tests.simulators.pushing import signature
from tests.simulators.wechat.crypto import Box
from tests.simulators.wechat.world import OURS

Mode = Literal["plain", "aes", "both"]
_PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True)


def xml_of(fields: Mapping[str, Any]) -> bytes:
    """WeChat's own way of writing: no declaration, text in CDATA, numbers bare."""
    root = etree.Element("xml")
    for name, value in fields.items():
        _add(root, name, value)
    written: bytes = etree.tostring(root, encoding="utf-8")
    return written


def _add(parent: Any, name: str, value: Any) -> None:
    child = etree.SubElement(parent, name)
    if isinstance(value, Mapping):
        for inner, told in value.items():
            _add(child, inner, told)
    else:
        child.text = str(value) if isinstance(value, int | float) else etree.CDATA(str(value))


def fields_of(xml: bytes) -> dict[str, str]:
    """Raises ValueError."""
    try:
        root = etree.fromstring(xml, _PARSER)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"not XML: {error}") from None
    if root.tag != "xml":
        raise ValueError("the root is not <xml>")
    return {child.tag: child.text or "" for child in root}


class Envelope:
    """Signs and seals for one callback."""

    def __init__(self, token: str, box: Box, mode: Mode, now: Callable[[], float], nonce: Callable[[], str]) -> None:
        self._token = token
        self._box = box
        self._mode = mode
        self._now = now
        self._nonce = nonce

    def body(self, fields: Mapping[str, Any]) -> bytes:
        plain = xml_of(fields)
        match self._mode:
            case "plain":
                return plain
            case "aes":
                return xml_of({"ToUserName": OURS, "Encrypt": self._box.seal(plain)})
        return xml_of({**fields, "Encrypt": self._box.seal(plain)})

    def query(self, body: bytes) -> dict[str, str]:
        """Of the address; in safe mode with the signature of what is sealed."""
        stamp, nonce = str(int(self._now())), self._nonce()
        query = {"signature": signature(self._token, stamp, nonce), "timestamp": stamp, "nonce": nonce}
        if self._mode == "plain" or not body:
            return query
        sealed = fields_of(body)["Encrypt"]
        return query | {"encrypt_type": "aes", "msg_signature": signature(self._token, stamp, nonce, sealed)}

    def read_answer(self, answer: bytes) -> dict[str, str] | None:
        """The fields of a passive answer; None: there is none. Raises ValueError for what WeChat would show the citizen
        as "the account cannot serve now"."""
        if answer.strip() in (b"", b"success"):
            return None
        told = fields_of(answer)
        if self._mode == "aes" or "Encrypt" in told:
            if missing := {"Encrypt", "MsgSignature", "TimeStamp", "Nonce"} - told.keys():
                raise ValueError(f"a sealed answer without {sorted(missing)}")
            if told["MsgSignature"] != signature(self._token, told["TimeStamp"], told["Nonce"], told["Encrypt"]):
                raise ValueError("MsgSignature")
            told = fields_of(self._box.open(told["Encrypt"]))
        if told.get("FromUserName") != OURS:
            raise ValueError("FromUserName is not the account")
        if told.get("MsgType") != "text" or not told.get("Content", "").strip():
            raise ValueError("an answer that is no text")
        if not told.get("CreateTime", "").isdecimal():
            raise ValueError("CreateTime")
        return told
