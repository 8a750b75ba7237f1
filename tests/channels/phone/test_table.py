"""The table of readers: the bytes become a document, whatever the encoding, and the document finds its reader."""

from __future__ import annotations

import codecs
import json
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.phone.call import Call
from channels.phone.document import decode
from channels.phone.formats import READERS, call, load_keys, plain, read, srt, vcon, webvtt
from normalizer.errors import Rejected
from normalizer.ticket import Speaker
from tests.effort import Effort

ZONE = ZoneInfo("Asia/Shanghai")
FIXTURES = Path(__file__).parent / "fixtures"
OWN = {"call_id": "c1", "turns": [{"speaker": "citizen", "text": "小区北门的路灯坏了"}]}
TALK = "客服: 您好，请问有什么可以帮您\n市民: 小区北门的路灯坏了，没有人修\n客服: 好的，给您登记\n市民: 谢谢"


def told(body: bytes | str, named: str | None = None) -> Call:
    return read(body if isinstance(body, bytes) else body.encode(), named=named, keys=(), zone=ZONE)


def code(body: bytes | str, named: str | None = None) -> str:
    with pytest.raises(Rejected) as caught:
        told(body, named)
    assert [fault.pointer for fault in caught.value.faults] == [""]
    assert [fault.code for fault in caught.value.faults] == [caught.value.code]
    return caught.value.code


def outcome(body: bytes, named: str | None = None) -> Call | str:
    """The call, or the code of the refusal."""
    try:
        return told(body, named)
    except Rejected as refusal:
        return refusal.code


def fixtures() -> list[Path]:
    return sorted(path for name in READERS for path in (FIXTURES / name).glob("*"))


# Names


def test_every_reader_has_its_own_name_and_every_module_is_in_the_table() -> None:
    modules = {path.stem for path in Path(call.__file__).parent.glob("*.py") if "def recognise(" in path.read_text()}
    assert modules == {*READERS, vcon.NAME}


@pytest.mark.parametrize("path", fixtures(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_fixture_is_read_alike_named_or_recognised(path: Path) -> None:
    body = path.read_bytes()
    assert outcome(body, path.parent.name) == outcome(body)


def test_every_reader_s_name_may_be_given() -> None:
    assert {path.parent.name for path in fixtures()} == {*READERS} - {call.NAME}
    assert told(json.dumps(OWN), call.NAME).format == call.NAME
    assert told((FIXTURES / "vcon/call_0_4_0.json").read_bytes(), vcon.NAME).call_id


@pytest.mark.parametrize("named", ["", "nope", "CALL", "funasr ", "__class__"])
@pytest.mark.parametrize("body", [json.dumps(OWN), TALK])
def test_a_name_that_is_none_is_refused_with_those_there_are(named: str, body: str) -> None:
    with pytest.raises(Rejected) as caught:
        told(body, named)
    assert caught.value.code == "unknown_format"
    assert all(name in caught.value.detail for name in (*READERS, vcon.NAME))


@pytest.mark.parametrize("named", [*READERS, vcon.NAME])
@pytest.mark.parametrize("body", ["talk", "[", "{}", "[]", "null", '{"a":[{"b":1}]}', "[[[]]]", TALK])
def test_what_is_named_wrongly_is_a_call_or_a_refusal(named: str, body: str) -> None:
    found = outcome(body.encode(), named)
    assert isinstance(found, Call) or re.fullmatch(r"[a-z_]+", found)


@pytest.mark.parametrize("named", [name for name in (*READERS, vcon.NAME) if name not in ("webvtt", "srt", "plain")])
def test_json_that_is_cut_off_is_said_to_be_so_also_when_its_format_is_named(named: str) -> None:
    assert code('{"call_id":"c1","turns":[{"te', named) == "json_invalid"


# Recognised


@pytest.mark.parametrize(
    "body",
    [
        "尊敬的领导：\n我家门口的路灯坏了。\n",
        "{}",
        "[]",
        '{"text":"a","id":5}',
        '["a"]',
        "[[]]",
        "null",
        "12",
        '"a"',
        "<xml/>",
    ],
)
def test_what_no_reader_recognises_is_of_unknown_format(body: str) -> None:
    assert code(body) == "unknown_format"


@pytest.mark.parametrize("body", ['{"call_id":', "[1,2", '{"a":1}{"b":2}', "{'a':1}", '{"a":NaN}', '[{"a":Infinity}]'])
def test_what_begins_as_json_and_is_none_is_said_to_be_so(body: str) -> None:
    assert code(body) == "json_invalid"


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN"])
def test_a_number_that_is_none_never_becomes_a_time(number: str) -> None:
    body = json.dumps({**OWN, "turns": [{"text": "a", "start": 5}]}).replace("5", number)
    with pytest.raises(Rejected):
        told(body)


@pytest.mark.parametrize("nested", ["[", '{"a":', '[{"turns":'])
def test_deep_nesting_is_refused_at_once(nested: str) -> None:
    effort = Effort()
    assert code(nested * 200_000) == "json_invalid"
    assert effort.within(5)


@pytest.mark.parametrize(
    "line", ["[00:01] {who}：{said}", "[00:00:01] {who}: {said}", "[{who}]：{said}", "[00:01 - 00:03] {who}：{said}"]
)
def test_a_text_that_begins_with_a_bracket_is_no_broken_json(line: str) -> None:
    talk = "\n".join(
        line.format(who=who, said=said)
        for who, said in (("客服", "您好，请问有什么事？"), ("市民", "路灯坏了"), ("客服", "好的"))
    )
    said = told(talk).utterances
    assert [(one.role, one.text) for one in said] == [
        (Speaker.AGENT, "您好，请问有什么事？"),
        (Speaker.CITIZEN, "路灯坏了"),
        (Speaker.AGENT, "好的"),
    ]


def test_a_text_format_that_is_named_is_read_as_text_whatever_it_begins_with() -> None:
    assert [one.text for one in told("[嗯]我说路灯坏了", plain.NAME).utterances] == ["[嗯]我说路灯坏了"]


def test_a_vcon_comes_before_all_others() -> None:
    """It may hold any of the other formats, and members of their names."""
    document = json.loads((FIXTURES / "vcon/call_0_4_0.json").read_bytes())
    assert told(json.dumps({**document, "call_id": "c", "turns": []})).format == vcon.NAME


# Encodings


@pytest.mark.parametrize("body", [json.dumps(OWN, ensure_ascii=False), TALK])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "gbk", "gb18030", "utf-16-le+mark", "utf-16-be+mark"]
)
def test_the_encoding_makes_no_difference(body: str, encoding: str) -> None:
    name, _, mark = encoding.partition("+")
    assert told(("\ufeff" * bool(mark) + body).encode(name)) == told(body)


def test_characters_that_only_gb_18030_has_are_read() -> None:
    said = "我叫𠮷田，住在㐂街，路灯坏了"
    assert (
        told(json.dumps({**OWN, "turns": [{"text": said}]}, ensure_ascii=False).encode("gb18030")).utterances[0].text
        == said
    )


@pytest.mark.parametrize("body", [b"", b" \r\n\t", b"\n" * 9])
def test_nothing_holds_no_speech(body: bytes) -> None:
    assert code(body) == "no_speech"


@pytest.mark.parametrize(
    "head",
    [
        b"PK\x03\x04",
        b"\x1f\x8b\x08",
        b"RIFF\x24\x08\0\0WAVE",
        b"ID3\x03",
        b"OggS",
        b"fLaC",
        b"%PDF-1.7",
        b"\x89PNG\r\n",
    ],
)
def test_archives_audio_and_pictures_are_no_transcripts(head: bytes) -> None:
    assert code(head + b"text" * 20) == "unknown_format"


@pytest.mark.parametrize(
    "body",
    [
        b'{"call_id":"\xff\xff"}',
        b'{"call_id":"a\x00"}',
        TALK.encode("utf-16-le"),
        codecs.BOM_UTF16_LE + TALK.encode("utf-16-le")[:-1],
        codecs.BOM_UTF16_LE + b"\x00\xd8a\x00",
        codecs.BOM_UTF8 + TALK.encode("gb18030"),
        bytes(range(256)),
    ],
    ids=["bytes", "nul", "utf-16 without mark", "half a character", "half a pair", "wrong mark", "all"],
)
def test_broken_bytes_are_in_no_encoding(body: bytes) -> None:
    assert code(body) == "encoding_unknown"


@pytest.mark.parametrize("talk", [TALK, json.dumps(OWN, ensure_ascii=False)], ids=["text", "json"])
def test_spoilt_utf_8_never_reads_as_other_characters(talk: str) -> None:
    """Much of what is UTF-8 reads as GB 18030 too, as other characters: wherever it is cut off or spoilt."""
    whole = talk.encode()
    first = next(place for place, byte in enumerate(whole) if byte > 127) + 15  # a few whole characters
    spoilt = [whole[:place] for place in range(first, len(whole))]
    spoilt += [
        whole[:place] + bytes([byte]) + whole[place + 1 :] for place in range(len(whole)) for byte in (0xA4, 0xE5)
    ]
    read_as = {_decoded(body) for body in spoilt if not _is_utf8(body)}
    assert read_as == {"encoding_unknown"}


@settings(deadline=None, max_examples=300)
@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=40))
def test_gbk_is_read_as_itself_unless_it_happens_to_be_utf_8(said: str) -> None:
    """Most Chinese text in GBK is no UTF-8. What is (as the famous first word of an empty notepad) nobody can tell."""
    body = f"客服：{TALK}{said}".encode("gbk")
    assert decode(body) == f"客服：{TALK}{said}"


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=80))
def test_whatever_the_bytes_there_is_a_call_or_a_refusal(body: bytes) -> None:
    for content in (body, b"[" + body, b'{"a":"' + body + b'"}', codecs.BOM_UTF16_LE + body):
        found = outcome(content)
        assert isinstance(found, Call) or re.fullmatch(r"[a-z_]+", found)


def _decoded(body: bytes) -> str:
    try:
        return decode(body)
    except Rejected as refusal:
        return refusal.code


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


# Keys


def test_without_a_file_there_are_no_keys(tmp_path: Path) -> None:
    assert load_keys(None) == ()
    with pytest.raises(OSError):
        load_keys(tmp_path / "nothing.pem")
    (tmp_path / "keys.json").write_text("no key")
    with pytest.raises(ValueError):
        load_keys(tmp_path / "keys.json")


def test_the_formats_that_are_text_are_read_as_such() -> None:
    assert told("WEBVTT\n\n00:01.000 --> 00:02.000\n<v 市民>路灯坏了\n").format == webvtt.NAME
    assert told("1\n00:00:01,000 --> 00:00:02,000\n路灯坏了\n").format == srt.NAME
