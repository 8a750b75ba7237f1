"""The files of an answer reach the citizen: by mail through a real relay, else by the words that name them."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from channels.contract import Delivery
from channels.email.channel import Email
from channels.email.config import EmailConfig
from normalizer.errors import TryAgain
from normalizer.life import StepName
from normalizer.ticket import Attachment, AttachmentRef
from tests.channels.email.relays import Taking, taking
from tests.workers.lives import CALLER, LAMP, WRITER, OnceOnly, Walk
from tests.workers.regions import town
from tests.workers.turns import NOW, Answering, Receiver, build, client
from workers.words import WORDS

__all__ = ["build", "client"]

SAID = "路灯已修好。"
LIST = Attachment(name="维修清单（最终版）.pdf", content=b"%PDF-1.7 lamps " + bytes(range(256)) * 4)


def picture() -> Attachment:
    """As a unit's telephone takes it: with the place where it stood."""
    exif, out = Image.Exif(), io.BytesIO()
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (39.0, 54.0, 0.0), 3: "E", 4: (116.0, 24.0, 0.0)}
    Image.new("RGB", (40, 30), "navy").save(out, "JPEG", exif=exif)
    return Attachment(name="修好.jpg", content=out.getvalue())


PHOTO = picture()


@dataclass
class Carrying(Answering):
    """A channel that sends files."""

    files_max: int = 10_000


@dataclass
class CarryingOnce(OnceOnly):
    """One that cannot tell a repetition."""

    files_max: int = 10_000


@pytest.fixture
def walk(queue, make_item, build):
    async def start(channels: dict[str, Any], requester=WRITER) -> Walk:
        one = make_item("a", LAMP, requester=requester)
        queue.enqueue([one])
        it = Walk(build(Receiver("file"), region=town()), one.ticket_id, channels)
        await it.turn()
        await it.take(StepName.SIGN)
        return it

    return start


def kept(it: Walk, *files: Attachment) -> tuple[AttachmentRef, ...]:
    return tuple(it.runtime.blobs.keep(one, NOW.date()) for one in files)


async def answer(it: Walk, *files: AttachmentRef) -> None:
    await it.take(StepName.REPLY, text=SAID, outcome="resolved", attachments=files)


def page_of(number: str) -> str:
    return f"https://hotline.example/t/{number}"


@pytest.fixture
def mail(tmp_path: Path) -> Callable[..., Email]:
    def channel(relay: Taking, **block: Any) -> Email:
        (tmp_path / "secret").write_bytes(b"s" * 32)
        given = {"domain": "hotline.example", "relay": f"127.0.0.1:{relay.port}", "secret_file": tmp_path / "secret"}
        return Email(EmailConfig.model_validate(given | {"relay_timeout": 5} | block))

    return channel


@pytest.fixture
async def relay() -> AsyncIterator[Taking]:
    async with taking() as server:
        yield server


def opened(relay: Taking) -> EmailMessage:
    """The answer, which is the last letter."""
    found = BytesParser(policy=policy.default).parsebytes(bytes(relay.letters[-1].content or b""))
    assert isinstance(found, EmailMessage)
    return found


def files_of(letter: EmailMessage) -> dict[str, bytes]:
    return {str(part.get_filename()): part.get_payload(decode=True) for part in letter.iter_attachments()}


def text_of(letter: EmailMessage) -> str:
    part = letter.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


async def test_the_files_of_the_answer_come_with_the_mail_pictures_without_their_metadata(walk, mail, relay) -> None:
    it = await walk({"email": mail(relay)})
    photo, paper = kept(it, PHOTO, LIST)
    await answer(it, photo, paper)
    letter, public = opened(relay), it.runtime.blobs.get(str(photo.public_blob))
    assert files_of(letter) == {PHOTO.name: public, LIST.name: LIST.content}
    assert public != PHOTO.content
    assert not Image.open(io.BytesIO(public)).getexif()
    assert SAID in text_of(letter)
    assert LIST.name not in text_of(letter), "what is enclosed need not be looked for"
    assert (await it.outcomes())[-1] == ("email", "sent")


async def test_what_does_not_fit_is_named_with_the_page_where_it_is(walk, mail, relay) -> None:
    it = await walk({"email": mail(relay, files_max_bytes=2_000)})
    large = Attachment(name="录像.mp4", content=b"\0\0\0\x18ftypmp42" + b"x" * 5_000)
    await answer(it, *kept(it, large, LIST))
    letter = opened(relay)
    assert list(files_of(letter)) == [LIST.name], "a smaller one behind it still goes"
    assert large.name in text_of(letter)
    assert page_of((await it.record()).number) in text_of(letter).split(large.name)[1]
    assert str(letter["Message-ID"])


async def test_only_an_answer_has_files(walk, mail, relay) -> None:
    """What units write among themselves stays there, and a receipt or a notice is words."""
    it = await walk({"email": mail(relay)})
    await it.take(StepName.PROGRESS, text="在修", attachments=kept(it, LIST))
    await it.take(StepName.EXTEND, until=NOW.replace(month=3), reason="等配件", attachments=kept(it, LIST))
    assert "等配件" in text_of(opened(relay))
    assert [files_of(opened(relay))] == [{}]
    assert LIST.name not in text_of(opened(relay))


async def test_a_relay_that_refuses_the_files_still_brings_the_words(walk, mail) -> None:
    """The citizen is owed the answer; a size that is refused for ever must not cost it."""
    async with taking(data_size_limit=6_000) as small:
        it = await walk({"email": mail(small)})
        large = Attachment(name="录像.mp4", content=b"\0\0\0\x18ftypmp42" + b"x" * 9_000)
        await answer(it, *kept(it, large))
        letter = opened(small)
    assert (files_of(letter), SAID in text_of(letter), large.name in text_of(letter)) == ({}, True, True)
    assert (await it.outcomes())[-1] == ("email", "sent")


async def test_an_address_that_is_refused_is_refused_with_its_reason(walk, mail, relay) -> None:
    it = await walk({"email": mail(relay)})
    before = len(relay.letters)
    relay.answers["RCPT"] = ["550 5.1.1 no such user"] * 2
    await answer(it, *kept(it, LIST))
    assert len(relay.letters) == before
    [told] = [
        e["data"] for e in (await it.record()).events() if e["data"].get("operation") == await it.operation("reply")
    ]
    assert (told["outcome"], told["reason"]) == ("failed", "smtp_550 5.1.1")


async def test_every_try_carries_the_same(walk) -> None:
    channel = Carrying([Delivery(outcome="sent"), TryAgain(1.0), Delivery(outcome="sent")])
    it = await walk({"email": channel})
    await answer(it, *kept(it, PHOTO, LIST))
    it.later(hours=1)
    await it.turn()
    first, second = (message for _, message in channel.sent[-2:])
    assert first.attachments == second.attachments != ()
    assert (first.operation, first.text) == (second.operation, second.text)


async def test_a_channel_that_cannot_tell_a_repetition_is_asked_once(walk) -> None:
    channel = CarryingOnce([Delivery(outcome="sent"), Delivery(outcome="failed")])
    it = await walk({"email": channel})
    await answer(it, *kept(it, LIST))
    assert [len(message.attachments) for _, message in channel.sent] == [0, 1]


async def test_by_text_message_one_is_told_that_there_are_files(walk) -> None:
    sms = Answering()
    it = await walk({"sms": sms}, CALLER)
    await answer(it, *kept(it, LIST))
    _, message = sms.sent[-1]
    assert message.attachments == ()
    assert message.short is not None
    assert message.short.endswith(SAID + WORDS["zh"]["files"]["behind"])
    assert LIST.name in message.text


async def test_a_file_that_is_not_here_holds_up_no_answer(walk, mail, relay) -> None:
    it = await walk({"email": mail(relay)})
    (paper,) = kept(it, LIST)
    it.runtime.blobs.path(str(paper.blob)).unlink()
    await answer(it, paper)
    assert LIST.name in text_of(opened(relay))
    assert (await it.outcomes())[-1] == ("email", "sent")
