"""A unit that is reached by email: the letters it gets through a real relay, and what its answers become."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest

from channels.email.channel import Email
from channels.email.config import EmailConfig as ChannelConfig
from normalizer.life import Actor, Role, State, StepName
from normalizer.ticket import Attachment, AttachmentRef, Kind, Requester, Undelivered, UnitWord, Verification
from tests.system.far_mail import FarMail, Letter
from tests.workers.regions import town
from tests.workers.test_enclosing import LIST, PHOTO
from tests.workers.turns import NOW, Receiver, build, client
from workers.blobs import Blobs
from workers.delivery import deliver
from workers.destinations.email import EmailConfig, EmailUnit
from workers.life import Lives
from workers.returned import Returns
from workers.unit_mail import MISSING, TOLD_A_DAY, UnitLetter, UnitMail, is_forged

__all__ = ["build", "client"]

OFFICE, STREET = "Chengguan@xicheng.example", "street@xicheng.example"
SAID = "城北柳树街的路灯坏了"
CITIZEN = Requester(name="王芳芳", phone="+8613900000000", email="wang@home.example")
DESK = Actor(role=Role.OPERATOR, id="zhang")
ADDRESSES = MappingProxyType({"north_lamp": OFFICE, "willow": STREET, "south_lamp": OFFICE})


@pytest.fixture
def far() -> Iterator[FarMail]:
    with FarMail().served() as running:
        yield running


class Line:
    """A ticket whose lead is 城北区城管局 and that 柳树街道 is informed of, both reached by email."""

    def __init__(self, build, queue, make_item, far: FarMail, folder: Path) -> None:
        self._queue, self._make_item, self._build, self.far = queue, make_item, build, far
        (folder / "secret").write_bytes(b"0123456789abcdef" * 2)
        self._block = {"domain": "hotline.example", "relay": far.address, "secret_file": folder / "secret"}
        self.blobs, self.addresses = Blobs(folder), dict(ADDRESSES)
        self.carries()

    def carries(self, **block: int) -> None:
        self.channel = Email(ChannelConfig.model_validate(self._block | block))

    def runtime(self, now=NOW):
        units = [
            EmailUnit(unit, EmailConfig(type="email", to=address), {"email": self.channel}.get, "12345", self.blobs)
            for unit, address in self.addresses.items()
        ]
        return self._build(Receiver("file"), units=tuple(units), region=town(), now=now)

    async def open(self, text: str = SAID, name: str = "a", **more) -> None:
        self.one = self._make_item(name, text, **({"requester": CITIZEN} | more))
        self._queue.enqueue([self.one])
        await self.turn()

    def kept(self, *files: Attachment) -> tuple[AttachmentRef, ...]:
        return tuple(self.blobs.keep(one, NOW.date()) for one in files)

    async def turn(self, now=NOW) -> None:
        await deliver(self.runtime(now), self.one.ticket_id)

    async def record(self):
        return await self.runtime().store.load(self.one.ticket_id)

    async def steps(self) -> list[tuple[str, str]]:
        """What people did, and who."""
        record = await self.record()
        return [
            (event["type"].split(".")[3], event["data"]["by"]["id"])
            for event in record.events()
            if event["data"].get("by", {}).get("role") == "unit"
        ]

    def mail(self) -> UnitMail:
        return UnitMail(self.runtime().store, town, ZoneInfo("Asia/Shanghai"), self.addresses)

    async def says(self, text: str, sender: str = OFFICE, key: str = "", at=NOW, **more) -> tuple[str, str]:
        word = UnitWord(number=self.one.number, sender=sender, text=text)
        found = await self.mail().record(UnitLetter(word, key or text, at, **more))
        return found.code, found.detail


@pytest.fixture
def line(build, queue, make_item, far, tmp_path) -> Line:
    return Line(build, queue, make_item, far, tmp_path)


# --- what goes out


async def test_each_unit_gets_a_letter_with_what_it_may_see_and_how_to_answer(line):
    await line.open()
    (lead,), (street,) = line.far.letters(OFFICE.lower()), line.far.letters(STREET)
    for word in (line.one.number, "新派单", SAID, "王芳芳", "+8613900000000", "wang@home.example", "办结", "柳树街"):
        assert word in lead.text, word
    assert SAID in street.text
    assert "供贵单位知悉" in street.text
    assert "办结" not in street.text, "it has nothing to answer"
    assert "诉求人信息：不提供" in street.text
    assert not [word for word in ("王芳芳", "13900000000", "wang@") if word in str(street.message)]
    assert f"[#{line.one.number}]" in lead["Subject"]
    assert lead.sender == lead["Reply-To"], "what does not arrive comes back to us"
    assert lead["Reply-To"].startswith(f"hotline+{line.one.number}.")


async def test_the_reporter_stands_in_no_letter(line):
    await line.open(kind=Kind.REPORT)
    letters = line.far.letters()
    assert len(letters) == 2
    for one in letters:
        assert not [word for word in ("王芳芳", "13900000000", "wang@") if word in one.text]


async def test_who_lost_the_ticket_hears_only_that(line):
    await line.open()
    assert await line.says("退单：电线杆不在城北", key="o") == ("unit_step", "object")
    lives = Lives(line.runtime().store)
    says = {"lead": "water", "reason": "中心内部意见"}
    await lives.take(line.one.ticket_id, StepName.UPHOLD, DESK, NOW, operation="u", says=says)
    await line.turn()
    last = line.far.letters(OFFICE.lower())[-1].text
    assert "已不由贵单位办理" in last
    assert not [word for word in (SAID, "王芳芳", "中心内部意见") if word in last]


async def test_a_letter_that_the_relay_refuses_is_a_failed_delivery_to_that_unit(build, queue, make_item, tmp_path):
    runtime = build(
        Receiver("file"),
        units=(
            EmailUnit(
                "north_lamp",
                EmailConfig(type="email", to=OFFICE),
                lambda _: Email(ChannelConfig()),
                "12345",
                Blobs(tmp_path),
            ),
        ),
        region=town(),
    )
    one = make_item("a", SAID)
    queue.enqueue([one])
    await deliver(runtime, one.ticket_id)
    [entry] = await runtime.dead.list()
    assert (entry.destination, entry.reason) == ("unit:north_lamp", "no_relay")
    failed = [e for e in (await runtime.store.load(one.ticket_id)).events() if e["type"].endswith("delivery_failed.v1")]
    assert [event["data"]["destination"] for event in failed] == ["unit:north_lamp"]


async def test_a_letter_that_comes_back_is_a_failed_delivery_until_it_is_replayed(line, valkey):
    await line.open()
    record, runtime = await line.record(), line.runtime()
    (reference,) = [n[5:] for n, to in record.fields.items() if n.startswith("sent:") and "north_lamp" in to]
    report = Undelivered(number=line.one.number, reference=reference, reason="bounced_5.1.1")
    returns = Returns(valkey.client(), domain="hotline.example")
    assert [returns.record("email", report, NOW) for _ in range(2)] == ["done", "repeated"]
    [entry] = await runtime.dead.list()
    assert (entry.destination, entry.reason) == ("unit:north_lamp", "bounced_5.1.1")
    event = (await line.record()).events()[-1]
    assert event["type"] == "org.jiesu.ticket.delivery_failed.v1"
    assert (event["data"]["destination"], event["data"]["detail"]) == ("unit:north_lamp", "bounced_5.1.1")
    assert event["data"]["event_id"] == entry.event_id == f"{line.one.ticket_id}.2.north_lamp"
    await runtime.dead.replay(entry, NOW.timestamp())
    await line.turn()
    first, again = line.far.letters(OFFICE.lower())
    assert first["Message-ID"] == again["Message-ID"] == f"<{reference}>"
    assert await runtime.dead.list() == []
    assert returns.record("email", report, NOW) == "done", "it came back again"


def files_of(letter: Letter) -> dict[str, bytes]:
    return {str(part.get_filename()): part.get_payload(decode=True) for part in letter.message.iter_attachments()}


async def test_who_may_know_the_citizen_gets_the_files_others_the_copies_of_the_pictures(line):
    photo, paper = line.kept(PHOTO, LIST)
    await line.open(attachments=(photo, paper))
    (lead,), (street,) = line.far.letters(OFFICE.lower()), line.far.letters(STREET)
    assert files_of(lead) == {PHOTO.name: PHOTO.content, LIST.name: LIST.content}
    assert "未随邮件发送" not in lead.text
    assert files_of(street) == {PHOTO.name: line.blobs.get(photo.public_blob)}
    assert f"未随邮件发送的附件：{LIST.name}" in street.text


async def test_of_a_report_only_the_copies_of_the_pictures_leave_the_line(line):
    photo, paper = line.kept(PHOTO, LIST)
    await line.open(attachments=(photo, paper), kind=Kind.REPORT)
    letters = line.far.letters()
    assert [files_of(one) for one in letters] == [{PHOTO.name: line.blobs.get(photo.public_blob)}] * 2


async def test_what_does_not_fit_into_the_letter_is_named(line):
    line.carries(files_max_bytes=1_500)
    huge = Attachment(name="录像.mp4", content=bytes(2_000))
    note = Attachment(name="说明.txt", content="占道的车牌".encode())
    await line.open(attachments=line.kept(huge, note))
    (lead,) = line.far.letters(OFFICE.lower())
    assert files_of(lead) == {note.name: note.content}
    assert f"未随邮件发送的附件：{huge.name}" in lead.text


async def test_the_files_of_a_helper_come_to_the_lead_before_those_it_had(line):
    old, new = Attachment(name="原.txt", content=b"a" * 600), Attachment(name="新.txt", content=b"b" * 600)
    await line.open(attachments=line.kept(old))
    line.carries(files_max_bytes=1_000)
    await line.says("吹哨：请柳树街道清理现场")
    await line.turn()
    await line.says("协助：已清理", sender=STREET, attachments=line.kept(new))
    await line.turn()
    last = line.far.letters(OFFICE.lower())[-1]
    assert files_of(last) == {new.name: new.content}
    assert f"未随邮件发送的附件：{old.name}" in last.text


async def test_a_relay_that_takes_no_files_still_brings_the_unit_its_ticket(line):
    line.far.takes = 8_000
    await line.open(attachments=line.kept(Attachment(name="大.bin", content=bytes(9_000))))
    (lead,) = line.far.letters(OFFICE.lower())
    assert files_of(lead) == {}
    assert "未随邮件发送的附件：大.bin" in lead.text


# --- what comes back


async def test_from_signing_to_the_answer_by_mail(line):
    await line.open()
    file = AttachmentRef(name="a.txt", media_type="text/plain", size=1, sha256="0" * 64)
    assert await line.says("签收") == ("unit_step", "sign")
    assert (await line.record()).state == State.SIGNED
    assert await line.says("已联系：约好明天") == ("unit_step", "contact")
    assert await line.says("配件已到") == ("unit_step", "progress")
    assert await line.says("延期：2026-12-01，等配件") == ("unit_step", "extend")
    assert await line.says("办结：解决\n灯亮了", attachments=(file,)) == ("unit_step", "reply")
    record = await line.record()
    assert record.state == State.REPLIED
    said = next(event["data"] for event in record.events() if event["type"].endswith("replied.v1"))
    assert (said["text"], said["outcome"], said["by"]["id"]) == ("灯亮了", "resolved", "north_lamp")
    assert [one["name"] for one in said["attachments"]] == ["a.txt"]


@pytest.mark.parametrize(
    ("text", "detail", "state"),
    [
        ("办结：解决\n灯亮了", "sign, reply", State.REPLIED),
        ("已联系：约好明天", "sign, contact", State.IN_PROGRESS),
        ("延期：2026-12-01，等配件", "sign, extend", State.SIGNED),
        ("进展：配件已到", "sign, progress", State.IN_PROGRESS),
        ("签收。明天去看", "sign, progress", State.IN_PROGRESS),
        ("退单：不在城北", "object", State.OBJECTED),
    ],
)
async def test_who_answers_has_taken_it(line, text, detail, state):
    await line.open()
    assert await line.says(text) == ("unit_step", detail)
    assert (await line.record()).state == state


async def test_the_same_mail_again_repeats_nothing_whatever_happened_since(line):
    await line.open()
    await line.says("签收", key="a")
    await line.says("进展：配件已到", key="b")
    before = (await line.record()).version
    assert await line.says("签收", key="a") == ("unit_step", "repeated")
    assert await line.says("进展：配件已到", key="b") == ("unit_step", "repeated")
    await line.says("办结：解决\n灯亮了", key="c")
    assert await line.says("进展：配件已到", key="b") == ("unit_step", "repeated")
    assert (await line.record()).version == before + 1


async def test_a_mail_that_was_cut_short_after_signing_is_finished_when_it_comes_again(line):
    await line.open()
    await line.says("签收", key="a")  # the first half of what "办结" does
    assert await line.says("办结：解决\n灯亮了", key="b") == ("unit_step", "reply")
    assert [step for step, _ in await line.steps()] == ["signed", "replied"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("办结：灯亮了", "missing_outcome"),
        ("延期：2026-01-01，等配件", "in_the_past"),
        ("这个不归我们管", "unclear"),
        ("您好，来信已收到。", "unclear"),
        ("", "unclear"),
        ("协助：看过了", "wrong_part"),
        ("吹哨：城北区城管局", "not_another"),
    ],
)
async def test_what_cannot_be_taken_is_told_with_the_reason_once_and_takes_nothing(line, text, code):
    await line.open()
    before = (await line.record()).state
    assert [await line.says(text) for _ in range(2)] == [("unit_refused", code)] * 2
    assert (await line.record()).state == before
    assert await line.steps() == []
    await line.turn()
    await line.turn()
    _, answer = line.far.letters(OFFICE.lower())
    assert "未能记录" in answer.text
    assert "请直接回复本邮件" in answer.text
    assert not [word for word in (SAID, "王芳芳") if word in answer.text]
    assert len(line.far.letters(STREET)) == 1, "it is nobody else's business"


async def test_a_program_that_answers_every_refusal_is_not_told_for_ever(line):
    await line.open()
    for n in range(9):
        assert await line.says("办结", key=f"{n}") == ("unit_refused", "missing_outcome")
        await line.turn()
    assert len(line.far.letters(OFFICE.lower())) == 1 + 5
    await line.says("办结", key="later", at=NOW + timedelta(hours=1))
    await line.turn()
    assert len(line.far.letters(OFFICE.lower())) == 1 + 6


async def test_words_without_a_step_sign_nothing_and_are_progress_once_it_is_signed(line):
    await line.open()
    assert await line.says("您好，来信已收到。", key="robot") == ("unit_refused", "unclear")
    assert ((await line.record()).state, await line.steps()) == (State.DISPATCHED, [])
    await line.turn()
    assert "接收工单请在第一行写“签收”" in line.far.letters(OFFICE.lower())[-1].text
    await line.says("签收")
    assert await line.says("配件已到", key="later") == ("unit_step", "progress")
    assert await line.says("明天安装", key="last") == ("unit_step", "progress")


async def test_a_unit_is_told_so_many_refusals_a_day_of_all_its_tickets_and_the_rest_stand_at_the_ticket(line):
    for n in range(TOLD_A_DAY // 5 + 1):
        await line.open(name=f"t{n}", sequence=n + 1)
        for again in range(5):
            assert await line.says("办结", key=f"{n}.{again}") == ("unit_refused", "missing_outcome")
            await line.turn()
    answers = [one for one in line.far.letters(OFFICE.lower()) if "未能记录" in one.text]
    assert len(answers) == TOLD_A_DAY
    refused = [one["data"] for one in (await line.record()).events() if one["type"].endswith("unit_refused.v1")]
    assert [one["told"] for one in refused] == [False] * 5, "on record all the same"
    assert await line.says("签收", sender=STREET, key="s") == ("unit_refused", "not_yours")
    await line.turn()
    assert "未能记录" in line.far.letters(STREET)[-1].text, "another unit's day is its own"
    tomorrow = NOW + timedelta(days=1, seconds=1)
    await line.says("办结", key="tomorrow", at=tomorrow)
    await line.turn(tomorrow)
    answers = [one for one in line.far.letters(OFFICE.lower()) if "未能记录" in one.text]
    assert len(answers) == TOLD_A_DAY + 1


async def test_a_step_from_the_wrong_state_is_refused_and_told(line):
    await line.open()
    await line.says("进展：配件已到")
    assert await line.says("退单：不归我们") == ("unit_refused", "wrong_state")
    assert (await line.record()).state == State.IN_PROGRESS


async def test_who_is_only_informed_takes_no_step(line):
    await line.open()
    assert await line.says("签收", sender=STREET) == ("unit_refused", "not_yours")
    assert (await line.record()).state == State.DISPATCHED


async def test_a_helper_says_its_part_and_no_more(line):
    await line.open()
    await line.says("吹哨：请柳树街道清理现场")
    assert await line.says("已清理两处", sender=STREET) == ("unit_step", "help")
    assert await line.says("办结：解决\n好了", sender=STREET) == ("unit_refused", "wrong_part")
    assert (await line.steps())[-1] == ("helped", "willow")


async def test_a_helper_hears_why_its_part_cannot_be_recorded_and_never_to_sign(line):
    line.addresses = {"police": OFFICE, "willow": STREET}
    await line.open("城北柳树街夜里噪声很大，我要投诉", kind=Kind.COMPLAINT)
    record = await line.record()
    assert (record.fields["lead"], record.fields["co"]) == ("willow", "police")
    for text in ("协助：已出警", "已出警"):
        assert await line.says(text, key=text) == ("unit_refused", "not_yet")
    await line.says("办结：解决\n已劝离", sender=STREET, key="done")
    assert await line.says("协助：已出警", key="late") == ("unit_refused", "over")


async def test_a_program_that_answers_for_a_helper_writes_to_itself_no_letter(line):
    await line.open()
    await line.says("吹哨：请柳树街道清理现场")
    await line.turn()
    letters = len(line.far.letters(STREET))
    for n in range(3):
        assert await line.says("您好，来信已收到。", sender=STREET, key=f"{n}") == ("unit_step", "help")
        await line.turn()
    assert len(line.far.letters(STREET)) == letters
    assert "协办单位已反馈办理情况" in line.far.letters(OFFICE.lower())[-1].text


async def test_who_signs_a_letter_with_its_own_name_asks_the_others_for_help(line):
    await line.open()
    assert await line.says("吹哨：请柳树街道围挡\n\n城北区城管局 李四") == ("unit_step", "sign, ask_help")
    assert (await line.record()).fields["co"] == "willow"


async def test_of_units_with_one_mailbox_it_is_the_one_whose_ticket_it_is(line):
    await line.open()
    await line.says("签收", sender=OFFICE.upper())
    assert await line.steps() == [("signed", "north_lamp")]


def test_only_a_failed_check_of_the_address_that_is_shown_makes_a_forgery():
    forged = (Verification(method="dmarc", result="fail"),)
    passed = (Verification(method="spf", result="fail"), Verification(method="dmarc", result="pass"))
    assert is_forged(forged)
    assert not is_forged(passed)


async def test_a_mailbox_that_no_unit_has_is_not_known_and_an_unknown_number_changes_nothing(line):
    await line.open()
    mail, before = line.mail(), (await line.record()).version
    for sender in ("wang@home.example", "", "chengguan@xicheng.example.evil.example"):
        assert not mail.knows(UnitWord(number=line.one.number, sender=sender, text="签收"))
    assert mail.knows(UnitWord(number=line.one.number, sender=OFFICE.upper(), text="签收"))
    other = UnitWord(number="2026010100000019", sender=OFFICE, text="签收")
    assert await mail.record(UnitLetter(other, "k", NOW)) == MISSING
    assert (await line.record()).version == before


@pytest.mark.parametrize("result", ["temperror", "permerror"])
async def test_whose_sender_could_not_be_verified_takes_no_step_and_the_unit_is_asked_again(line, result):
    """A forger brings it about, by a signature whose key server does not answer or by a second author."""
    await line.open()
    doubtful = (Verification(method="dmarc", result=result),)
    assert await line.says("办结：解决\n好了", verified=doubtful) == ("unit_refused", "unproven")
    assert (await line.record()).state == State.DISPATCHED
    await line.turn()
    assert "无法验证发件人" in line.far.letters(OFFICE.lower())[-1].text
    assert (await line.says("办结：解决\n好了", key="again"))[0] == "unit_step"
