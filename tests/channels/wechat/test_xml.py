"""Reading WeChat's XML: nothing is expanded, nothing opened, and whatever is wrong has a code, quickly."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.wechat.xml import FIELDS_MAX, MAX, fields_of, written
from normalizer.errors import Rejected
from tests.channels.wechat.wechats import message

LAUGHS = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
BOMB = f'<?xml version="1.0"?><!DOCTYPE xml [<!ENTITY l0 "ha">{LAUGHS}]><xml><Content>&l9;</Content></xml>'
FILE = '<!DOCTYPE xml [<!ENTITY f SYSTEM "file:///etc/passwd">]><xml><Content>&f;</Content></xml>'
QUADRATIC = f'<!DOCTYPE xml [<!ENTITY a "{"a" * 50_000}">]><xml><Content>{"&a;" * 5_000}</Content></xml>'


def refused(body: bytes) -> str:
    with pytest.raises(Rejected) as caught:
        fields_of(body)
    return caught.value.code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"hello", "xml_invalid"),
        (b"<xml>", "xml_invalid"),
        (b"<xml></xml><xml></xml>", "xml_invalid"),
        (b"<html></html>", "not_a_message"),
        (b"<x:xml xmlns:x='urn:x'></x:xml>", "not_a_message"),
        (BOMB.encode(), "doctype_refused"),
        (FILE.encode(), "doctype_refused"),
        (QUADRATIC.encode(), "doctype_refused"),
        (b"<!-- a --><!DOCTYPE xml SYSTEM 'http://127.0.0.1:1/x.dtd'><xml/>", "doctype_refused"),
        (b"<?pi ?>\n<!DOCTYPE xml><xml/>", "doctype_refused"),
        (b"<xml><Content>&unknown;</Content></xml>", "xml_invalid"),
        (BOMB.encode("utf-16"), "encoding_invalid"),
        ("<xml>路灯</xml>".encode("gbk"), "encoding_invalid"),
        ('<?xml version="1.0" encoding="GBK"?><xml>a</xml>'.encode("gbk"), "encoding_invalid"),
        (b'<?xml version="1.0" encoding="UTF-7"?><xml>+ADw-</xml>', "encoding_invalid"),
        (b"<xml>" + b"<a/>" * (FIELDS_MAX + 1) + b"</xml>", "xml_invalid"),
        (b"<xml>" * 5_000, "xml_invalid"),
        (b"<xml>" + b"x" * MAX + b"</xml>", "too_large"),
        (b"<xml><a>&#0;</a></xml>", "xml_invalid"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value[:24]),
)
def test_what_is_no_message_has_a_code(body: bytes, code: str) -> None:
    begun = time.process_time()
    assert refused(body) == code
    assert time.process_time() - begun < 1.0, "it was looked at for too long"


@pytest.mark.parametrize(
    "body",
    [
        '<?xml version="1.0" encoding="UTF-8"?>\n<xml><Content>路灯</Content></xml>'.encode(),
        "\ufeff<xml><Content>路灯</Content></xml>".encode(),
        "<xml><Content><![CDATA[路灯]]></Content></xml>".encode(),
        "  <!-- c --><xml>\n <Content>路灯</Content><Content>other</Content>\n</xml>".encode(),
        b"<xml><Content>&#36335;&#28783;</Content></xml>",
        "<xml><Content><![CDATA[\x14路灯\x00]]></Content></xml>".encode(),
    ],
    ids=["declared", "bom", "cdata", "comment", "references", "control characters"],
)
def test_every_way_to_write_the_same_is_read(body: bytes) -> None:
    assert fields_of(body) == {"Content": "路灯"}


def test_what_a_citizen_writes_about_xml_is_text() -> None:
    said = "<!DOCTYPE html> &lt; <b>路灯</b> ]]"
    assert fields_of(message(Content=said))["Content"] == said


def test_nested_fields_are_left_alone() -> None:
    body = b"<xml><MsgType>text</MsgType><SendLocationInfo><Label>x</Label></SendLocationInfo></xml>"
    assert fields_of(body) == {"MsgType": "text"}


@given(st.dictionaries(st.sampled_from(["Content", "ToUserName", "Nonce"]), st.text() | st.integers(0)))
def test_what_we_write_is_read_again(fields: dict[str, str | int]) -> None:
    illegal = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
    kept = {name: illegal.sub("", value) if isinstance(value, str) else value for name, value in fields.items()}
    found = fields_of(written(kept))
    assert {name: text.replace("\r\n", "\n").replace("\r", "\n") for name, text in found.items()} == {
        name: str(value).replace("\r\n", "\n").replace("\r", "\n") for name, value in kept.items()
    }


@given(st.data())
def test_a_damaged_message_is_read_or_refused_never_worse(data: st.DataObject) -> None:
    body = message(Content="路灯坏了", Recognition="路灯")
    at = data.draw(st.integers(0, len(body)))
    to = data.draw(st.integers(at, len(body)))
    piece = data.draw(st.sampled_from([b"", b"<", b"]]>", b"&", b"<!DOCTYPE xml>", b"<!--", b"\xff", b"\0", b"<xml>"]))
    code = "read"
    try:
        fields_of(body[:at] + piece + body[to:])
    except Rejected as error:
        code = error.code
    assert re.fullmatch(r"[a-z_]+", code)
