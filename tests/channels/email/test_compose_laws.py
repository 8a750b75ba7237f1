"""Whatever an address, a number or a text holds: the mail has our fields and no other."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from channels.contract import Reply
from channels.email import addresses
from channels.email.charsets import clean
from channels.email.compose import compose
from channels.email.digest import ID_MAX, message_id_of, source_id
from channels.email.recipient import Unwritable
from channels.email.threads import number_in_address, sent_by_us
from normalizer.ticket import ReplyAddress

SECRET = b"0123456789abcdef"
HOTLINE = "hotline@example.org"
ALWAYS = ["From", "Reply-To", "To", "Subject", "Date", "Message-ID"]
LAST = ["Content-Language", "MIME-Version", "Content-Type"]
MARKS = {"receipt": ["Auto-Submitted", "X-Auto-Response-Suppress"], "answer": []}

characters = st.characters(exclude_categories=["Cs"]) | st.sampled_from('\r\n\t\0 <>@",;:()[]\\=?+.#')
anything = st.text(characters, max_size=60)
hostile = st.sampled_from(
    ["\r\nBcc: x@y.example", "\nX: y\n\n", "\r", "\x85", "\u2028", "=?utf-8?q?=0ABcc:_x?=", '"\r\n.\r\n', "\r\n--=_"]
)
texts = st.lists(anything | hostile, max_size=4).map("".join)
numbers = st.from_regex(r"[0-9]{16,24}", fullmatch=True) | texts
recipients = st.emails() | st.tuples(texts, texts).map("@".join) | st.from_regex(r"\w{1,9}@\w{1,9}", fullmatch=True)
names = st.none() | texts
ids = st.from_regex(r"[!-~]{1,40}@[!-~]{1,40}", fullmatch=True) | texts


@given(
    to=recipients,
    number=numbers,
    text=texts,
    name=names,
    language=st.none() | st.sampled_from(["en", "zh-CN"]) | texts,
    given_id=st.none() | ids,
    operation=texts,
    purpose=st.sampled_from(["receipt", "answer"]),
)
def test_no_value_ends_a_field_or_begins_another(
    to: str, number: str, text: str, name: str, given_id: str | None, purpose: str, **more: Any
) -> None:
    source = f"message:{given_id}:{'0' * 64}" if given_id is not None else None
    message = Reply(number=number, text=text, purpose=purpose, source_id=source, **more)  # type: ignore[arg-type]
    address = ReplyAddress(channel="email", address=to)
    at = datetime(2026, 11, 23, tzinfo=UTC)
    try:
        made = compose(address, message, mailbox=HOTLINE, name=name, secret=SECRET, at=at)
    except Unwritable:
        return
    lines = made.content.split(b"\r\n")
    assert not re.search(rb"[\r\n\0]", b"".join(lines))
    assert max(map(len, lines)) <= 998
    assert made.needs_smtputf8 or made.content.isascii()
    mail = BytesParser(policy=policy.compat32).parsebytes(made.content)
    answered = ["In-Reply-To", "References"] if source is not None and message_id_of(source) else []
    assert mail.keys() == [*ALWAYS, *answered, *MARKS[purpose], *LAST]
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    plain = mail.get_payload(0).get_payload(decode=True)  # type: ignore[union-attr, call-arg]
    assert isinstance(plain, bytes)
    assert plain.decode().replace("\r\n", "\n").strip("\n") == clean(text).strip("\n")
    recipients = addresses.read(next(line for line in lines if line.startswith(b"To:"))[3:].decode("latin-1"))
    assert len(recipients) == 1
    assert number_in_address(str(mail["Reply-To"]), (HOTLINE,), SECRET) == number
    assert sent_by_us(str(mail["Message-ID"]), ("example.org",), SECRET) is not None


@given(ids | st.text(max_size=20))
def test_an_id_comes_back_from_the_name_as_it_was_or_not_at_all(given_id: str) -> None:
    content = b"Message-ID: <" + given_id.encode() + b">\r\n\r\nlamp"
    found = message_id_of(source_id(content)[0])
    assert found is None or (
        len(found) < ID_MAX and re.fullmatch(r"[!-~]+@[!-~]+", found) and not set(found) & set("<>")
    )


@given(st.text())
def test_any_name_may_be_asked_for_its_id(name: str) -> None:
    found = message_id_of(name)
    assert found is None or f"message:{found}:" in name


def test_an_id_that_was_cut_is_none() -> None:
    whole, cut = ("x" * length + "@citizen.example" for length in (ID_MAX - 17, ID_MAX - 16))
    assert message_id_of(source_id(f"Message-ID: <{whole}>\r\n\r\nx".encode())[0]) == whole
    assert message_id_of(source_id(f"Message-ID: <{cut}>\r\n\r\nx".encode())[0]) is None
    assert message_id_of(source_id(f"Message-ID: <{cut}y>\r\n\r\nx".encode())[0]) is None
