"""SMTP: 250 only when the mail is on disk, and exactly its bytes; what is spoken, and for whom mail is taken."""

from __future__ import annotations

import asyncio

import pytest

from channels.email import digest
from normalizer.errors import Rejected, TryAgain
from tests.channels.email.posts import MAIL, Post, Serving, numbered
from tests.waiting import HANGS

# 250 and everything else


async def test_accepted_mail_is_answered_250_with_its_number(post: Post) -> None:
    code, text = await post.sent(MAIL)
    (raw,) = post.host.taken.values()
    assert code == 250
    assert text.startswith(b"2.0.0 Accepted as 20")
    assert (raw.channel, raw.body, raw.content_type) == ("email", MAIL, "message/rfc822")
    assert raw.received_at.utcoffset() is not None
    assert len(raw.meta["digest"]) == 64


async def test_250_is_sent_only_after_accept_returned(post: Post) -> None:
    post.host.hold()
    sending = asyncio.create_task(post.sent(MAIL))
    await asyncio.wait_for(post.host.arrived.wait(), HANGS)
    done, _ = await asyncio.wait({sending}, timeout=0.2)
    assert not done
    assert not post.host.taken
    post.host.release()
    assert (await sending)[0] == 250


@pytest.mark.parametrize(
    ("outcome", "code", "status"),
    [
        (TryAgain(5, "disk full"), 451, b"4.3.0"),
        (RuntimeError("planted"), 451, b"4.3.0"),
        (OSError(5, "planted"), 451, b"4.3.0"),
        (ConnectionResetError("of the store, not of the client"), 451, b"4.3.0"),
        (Rejected("too_large", "x"), 552, b"5.3.4"),
        (Rejected("not_a_mail", "x"), 554, b"5.6.0"),
        (Rejected("empty_mail", "x"), 554, b"5.6.0"),
        (Rejected("too_deep", "x"), 554, b"5.6.0"),
        (Rejected("too_many_parts", "x"), 554, b"5.6.0"),
        (Rejected("conflict", "x"), 554, b"5.6.0"),
        (Rejected("something_new", "x"), 554, b"5.7.0"),
    ],
)
async def test_what_accept_raises_is_answered_by_the_table(
    post: Post, outcome: Exception, code: int, status: bytes
) -> None:
    post.host.outcomes.append(outcome)
    answered, text = await post.sent(MAIL)
    assert (answered, text[:5]) == (code, status)
    assert not post.host.taken
    assert (await post.sent(MAIL))[0] == 250


async def test_after_a_failure_the_same_connection_takes_the_next_mail(post: Post) -> None:
    post.host.outcomes.extend([RuntimeError("planted"), TryAgain(1), None])
    async with post.wire() as wire:
        for expected in ("451 4.3.0", "451 4.3.0", "250 2.0.0"):
            await wire.begin()
            await wire.send(MAIL + b".\r\n")
            assert (await wire.reply()).startswith(expected)
    assert post.bodies() == [MAIL]


async def test_a_bug_in_the_digest_does_not_keep_the_mail_out(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_body: bytes) -> tuple[str, str]:
        raise RecursionError

    monkeypatch.setattr(digest, "source_id", broken)
    assert [(await post.sent(MAIL))[0] for _ in range(2)] == [250, 250]
    assert post.bodies() == [MAIL]


async def test_the_same_mail_again_is_the_same_submission(post: Post) -> None:
    assert [(await post.sent(MAIL))[0] for _ in range(3)] == [250] * 3
    assert post.bodies() == [MAIL]


# Exact bytes


@pytest.mark.parametrize(
    "mail",
    [
        b"",
        b"\r\n",
        b".\r\n",
        b".hidden\r\n..\r\n...x\r\n\r\n.\r\n",
        b"no header\x00\x01\x7f\xff\r\n",
        b"Subject: " + "停水".encode("gb18030") + b"\r\n\r\n" + "三天了。".encode("gb18030") + b"\r\n",
        b"Subject: long\r\n\r\n" + b"x" * 5000 + b"\r\n" + b"." * 5000 + b"\r\n" + b"y" * 300_000 + b"\r\n",
        b"bare\nline\nfeeds\rand returns\r\r\n",
        b"\r\n" * 1000,
    ],
    ids=["nothing", "one line", "a dot", "dots", "control", "8 bit", "long lines", "bare", "empty lines"],
)
async def test_every_byte_is_kept(post: Post, mail: bytes) -> None:
    stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in mail.split(b"\r\n"))
    async with post.wire() as wire:
        await wire.begin()
        await wire.send(stuffed + b".\r\n")
        assert (await wire.reply()).startswith("250")
    assert post.bodies() == [mail]


async def test_the_end_is_found_wherever_the_packets_are_cut(post: Post) -> None:
    async with post.wire() as wire:
        for n in range(3):
            await wire.begin()
            for at in range(len(numbered(n))):
                await wire.send(numbered(n)[at : at + 1])
                await asyncio.sleep(0)
            for byte in (b".", b"\r", b"\n"):
                await asyncio.sleep(0.002)
                await wire.send(byte)
            assert (await wire.reply()).startswith("250")
    assert post.bodies() == [numbered(n) for n in range(3)]


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r\n\x00.\r\n"])
async def test_only_crlf_dot_crlf_ends_a_mail(post: Post, end: bytes) -> None:
    """SMTP smuggling: what another server took for data must not be a second mail for us."""
    mail = MAIL + b"said" + end + b"MAIL FROM:<forged@hotline.example>\r\nRCPT TO:<hotline@hotline.example>\r\nDATA\r\n"
    async with post.wire() as wire:
        await wire.begin()
        await wire.send(mail + b"\r\n.\r\n")
        assert (await wire.reply()).startswith("250")
        assert (await wire.say("NOOP")).startswith("250")
    assert post.bodies() == [mail.replace(b"\r\n.", b"\r\n") + b"\r\n"]


async def test_smtputf8_addresses_are_kept(post: Post) -> None:
    async with post.wire() as wire:
        assert (await wire.say("MAIL FROM:<欧阳@公民.example> SMTPUTF8 BODY=8BITMIME")).startswith("250")
        assert (await wire.say("RCPT TO:<hotline+编号@hotline.example>")).startswith("250")
        assert (await wire.say("DATA")).startswith("354")
        await wire.send("Subject: 停水\r\n\r\n三天了\r\n.\r\n".encode())
        assert (await wire.reply()).startswith("250")
    (raw,) = post.host.taken.values()
    assert raw.body == "Subject: 停水\r\n\r\n三天了\r\n".encode()
    assert raw.meta["envelope_from"] == "欧阳@公民.example"
    assert raw.meta["envelope_to"] == "hotline+编号@hotline.example"
    assert raw.meta["smtputf8"] == "yes"


# The envelope


async def test_the_envelope_is_in_the_meta_as_strings(post: Post) -> None:
    async with post.wire() as wire:
        await wire.say("MAIL FROM:<@relay.example:Ou.Yang+x@citizen.example> SIZE=70 BODY=8BITMIME")
        await wire.say("RCPT TO:<hotline@hotline.example>")
        await wire.say("RCPT TO:<HotLine+20261123.abc@HOTLINE.example>")
        await wire.say("DATA")
        await wire.send(MAIL + b".\r\n")
        await wire.reply()
    (raw,) = post.host.taken.values()
    assert {key: value for key, value in raw.meta.items() if key != "digest"} == {
        "envelope_from": "Ou.Yang+x@citizen.example",
        "envelope_to": "hotline@hotline.example HotLine+20261123.abc@HOTLINE.example",
        "helo": "citizen.example",
        "peer": "127.0.0.1",
        "protocol": "SMTP",
        "tls": "",
        "smtputf8": "no",
    }


async def test_the_null_sender_is_accepted(post: Post) -> None:
    assert (await post.sent(MAIL, sender=""))[0] == 250
    (raw,) = post.host.taken.values()
    assert raw.meta["envelope_from"] == ""


@pytest.mark.parametrize(
    "sender",
    ["a..b.@docomo.example", "root", '"a b\\"<>"@x.example', "a@[192.0.2.1]", "x" * 300 + "@y.example", "a@b@c"],
)
async def test_senders_that_a_strict_grammar_refuses_may_still_write(post: Post, sender: str) -> None:
    async with post.wire() as wire:
        await wire.begin(sender)
        await wire.send(MAIL + b".\r\n")
        assert (await wire.reply()).startswith("250")
    (raw,) = post.host.taken.values()
    assert raw.meta["envelope_from"] == sender


async def test_bytes_in_the_envelope_that_are_no_text_are_made_text(post: Post) -> None:
    async with post.wire(hello="") as wire:
        await wire.send(b"EHLO caf\xe9\x1b[0m\r\n")
        await wire.reply()
        await wire.send(b"MAIL FROM:<\xc5\xb7\xd1\xf4@citizen.example>\r\n")
        assert (await wire.reply()).startswith("250")
        assert (await wire.say("RCPT TO:<hotline@hotline.example>")).startswith("250")
        await wire.say("DATA")
        await wire.send(MAIL + b".\r\n")
        assert (await wire.reply()).startswith("250")
    (raw,) = post.host.taken.values()
    "".join(raw.meta.values()).encode()
    assert raw.meta["envelope_from"].endswith("@citizen.example")
    assert raw.meta["helo"].isprintable()


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("<hotline@hotline.example>", "250 2.1.5"),
        ("<HOTLINE+tag.x=1@Hotline.Example.>", "250 2.1.5"),
        ('<"hotline"@hotline.example>', "250 2.1.5"),
        ("<postmaster@hotline.example>", "250 2.1.5"),
        ("<Postmaster>", "250 2.1.5"),
        ("hotline@hotline.example", "250 2.1.5"),
        ("<投诉@xn--fiqs8s.example>", "250 2.1.5"),
        ("<投诉@中国.example>", "250 2.1.5"),
        ("<nobody@hotline.example>", "550 5.1.1"),
        ("<+hotline@hotline.example>", "550 5.1.1"),
        ("<hotline>", "550 5.7.1"),
        ("<hotline@elsewhere.example>", "550 5.7.1"),
        ("<someone%elsewhere.example@hotline.example>", "550 5.1.1"),
        ("<hotline@hotline.example", "553 5.1.3"),
        ("<hot\x00line@hotline.example>", "553 5.1.3"),
        ("<a b@hotline.example>", "553 5.1.3"),
        ("<>", "550 5.7.1"),
        ("", "553 5.1.3"),
    ],
)
async def test_only_our_addresses_are_taken(serving: Serving, to: str, expected: str) -> None:
    post = await serving(addresses=["hotline@hotline.example", "投诉@xn--fiqs8s.example"])
    async with post.wire() as wire:
        await wire.say("MAIL FROM:<a@citizen.example>")
        assert (await wire.say(f"RCPT TO:{to}")).startswith(expected)


async def test_refused_recipients_are_left_out_and_the_mail_is_taken_for_the_others(post: Post) -> None:
    async with post.wire() as wire:
        await wire.say("MAIL FROM:<a@citizen.example>")
        assert (await wire.say("RCPT TO:<nobody@hotline.example>")).startswith("550")
        assert (await wire.say("RCPT TO:<hotline@hotline.example>")).startswith("250")
        await wire.say("DATA")
        await wire.send(MAIL + b".\r\n")
        assert (await wire.reply()).startswith("250")
    (raw,) = post.host.taken.values()
    assert raw.meta["envelope_to"] == "hotline@hotline.example"


async def test_without_a_recipient_there_is_no_data(post: Post) -> None:
    async with post.wire() as wire:
        await wire.say("MAIL FROM:<a@citizen.example>")
        await wire.say("RCPT TO:<nobody@hotline.example>")
        assert (await wire.say("DATA")).startswith("503 5.5.1")


# Extensions


async def test_ehlo_tells_what_is_spoken_and_offers_no_login(post: Post) -> None:
    async with post.wire(hello="") as wire:
        told = (await wire.say("EHLO x")).splitlines()
    assert [line[4:] for line in told] == [
        "hotline.example",
        "PIPELINING",
        f"SIZE {25 * 1024 * 1024}",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
    ]


async def test_a_declared_size_over_the_limit_is_refused_before_the_mail_is_sent(serving: Serving) -> None:
    post = await serving(max_bytes=1000)
    async with post.wire() as wire:
        assert (await wire.say("MAIL FROM:<a@citizen.example> SIZE=1001")).startswith("552 5.3.4")
        assert (await wire.say("MAIL FROM:<a@citizen.example> SIZE=1000")).startswith("250")


async def test_a_mail_over_the_limit_is_read_to_its_end_and_refused(serving: Serving) -> None:
    post = await serving(max_bytes=1000)
    async with post.wire() as wire:
        for size, expected in ((1000, "250"), (1001, "552 5.3.4"), (400_000, "552 5.3.4"), (10, "250")):
            await wire.begin()
            await wire.send(b"x" * (size - 2) + b"\r\n.\r\n")
            assert (await wire.reply()).startswith(expected)
    assert sorted(map(len, post.bodies())) == [10, 1000]


async def test_large_mails_at_once_wait_their_turn(serving: Serving) -> None:
    post = await serving(max_inflight_bytes=150_000)
    big = b"x" * 100_000 + b"\r\n"
    post.host.hold()
    async with post.wire() as first, post.wire() as second:
        await first.begin()
        await first.send(big + b".\r\n")
        await asyncio.wait_for(post.host.arrived.wait(), HANGS)
        await second.begin()
        await second.send(b"other" + big + b".\r\n")
        assert (await second.reply()).startswith("452 4.3.1")
        post.host.release()
        assert (await first.reply()).startswith("250")
        await second.begin()
        await second.send(b"other" + big + b".\r\n")
        assert (await second.reply()).startswith("250")


async def test_pipelined_commands_and_mails_are_answered_in_order(post: Post) -> None:
    group = (
        b"MAIL FROM:<a@citizen.example>\r\nRCPT TO:<no@hotline.example>\r\n"
        b"RCPT TO:<hotline@hotline.example>\r\nDATA\r\n"
    )
    async with post.wire() as wire:
        await wire.send(group)
        assert [(await wire.reply())[:3] for _ in range(4)] == ["250", "550", "250", "354"]
        await wire.send(numbered(1) + b".\r\n" + group)
        assert [(await wire.reply())[:3] for _ in range(5)] == ["250", "250", "550", "250", "354"]
        await wire.send(numbered(2) + b".\r\nQUIT\r\n")
        assert [(await wire.reply())[:3] for _ in range(2)] == ["250", "221"]
    assert post.bodies() == [numbered(1), numbered(2)]


async def test_every_reply_but_greetings_has_an_enhanced_code(post: Post) -> None:
    async with post.wire() as wire:
        for line in (
            *("NOOP", "RSET", "HELP", "VRFY a@b", "VRFY", "EXPN x"),
            *("FOO", "AUTH PLAIN", "MAIL x", "RCPT TO:<a@b>"),
        ):
            reply = await wire.say(line)
            assert reply[4] == reply[0], reply
            assert reply[5] == ".", reply
            assert "a@b" not in reply


async def test_helo_without_extensions_is_enough(post: Post) -> None:
    async with post.wire(hello="HELO citizen") as wire:
        await wire.begin()
        await wire.send(MAIL + b".\r\n")
        assert (await wire.reply()).startswith("250")
    assert post.bodies() == [MAIL]
