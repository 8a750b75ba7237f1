"""Trimming: the citizen's own words stay, the message answered and the signature go, and nothing is lost."""

from __future__ import annotations

import email
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.quotes import trim

SHARED = Path(__file__).parents[4] / "shared/data/mail"
OWN = "小区北门的路灯坏了三天，没有人修。\n请尽快处理。"
ANSWERED = "您好，您的诉求已受理。\n12345 热线"

BELOW = {
    "QQ on the web": '------------------ 原始邮件 ------------------\n发件人: "12345" <hotline@example.org>;\n'
    '发送时间: 2024年3月5日(星期二) 上午9:12\n收件人: "张三" <zhang@qq.com>;\n主题: 受理通知 [#20240305010000019]\n',
    "QQ, its blanks unbroken": '------------------\u00a0原始邮件\u00a0------------------\n发件人:\u00a0"12345";\n',
    "QQ on a phone": '---原始邮件---\n发件人: "12345"<hotline@example.org>\n发送时间: 2024年3月5日 09:12\n'
    '收件人: "张三"<zhang@qq.com>;\n主题: 受理通知\n',
    "QQ in English": '------------------ Original ------------------\nFrom: "12345" <hotline@example.org>;\n'
    'Date: Tue, Mar 5, 2024 09:12 AM\nTo: "zhang" <zhang@qq.com>;\nSubject: Re: light\n',
    "163 on the web": '在 2024-03-05 09:12:33，"12345" <hotline@example.org> 写道：\n',
    "163 without blanks": "在2024年03月05日 09:12，12345<hotline@example.org>写道：\n",
    "163 in English": 'At 2024-03-05 09:12:33, "12345" <hotline@example.org> wrote:\n',
    "163 on a phone": "---- 回复的原邮件 ----\n| 发件人 | 12345<hotline@example.org> |\n"
    "| 日期 | 2024年03月05日 09:12 |\n"
    "| 收件人 | zhang@163.com |\n| 主题 | 受理通知 |\n",
    "Foxmail": "发件人： 12345\n发送时间： 2024-03-05 09:12\n收件人： zhang\n抄送：\n主题： 受理通知\n",
    "Aliyun": "------------------------------------------------------------------\n"
    "发件人：12345 <hotline@example.org>\n"
    "发送时间：2024年3月5日(星期二) 09:12\n收件人：张三 <zhang@aliyun.com>\n主\u3000题：受理通知\n",
    "Sina": "----- 原始邮件 -----\n发件人：12345 <hotline@example.org>\n"
    "收件人：zhang@sina.com\n主题：受理通知\n日期：2024-03-05\n",
    "139": "----邮件原文----\n发件人：12345 <hotline@example.org>\n"
    "收件人：张三\n抄 送：\n发送时间：2024-03-05 09:12:33\n主题：受理\n",
    "Outlook for Windows": "发件人: 12345 <hotline@example.org>\n发送时间: 2024年3月5日 9:12\n"
    "收件人: 张三\n主题: 受理通知\n",
    "Outlook on the web": "________________________________\n发件人: 12345 <hotline@example.org>\n"
    "发送时间: 2024年3月5日 9:12\n收件人: 张三 <zhang@outlook.com>\n主题: 受理通知\n",
    "Outlook in English": "From: 12345 <hotline@example.org>\nSent: Tuesday, March 5, 2024 9:12 AM\nTo: zhang\n"
    "Cc: li\nSubject: Accepted\n",
    "Outlook Express": "-----邮件原件-----\n发件人: 12345 [mailto:hotline@example.org]\n发送时间: 2024年3月5日 9:12\n",
    "Gmail": "12345 <hotline@example.org> 于2024年3月5日周二 09:12写道：\n",
    "Gmail, the date first": "在 2024年3月5日星期二，12345 <hotline@example.org> 写道：\n",
    "Gmail, long ago": "2024-03-05 9:12 GMT+08:00 12345 <hotline@example.org>:\n",
    "Gmail in English, folded": "On Tue, Mar 5, 2024 at 9:12 AM The People's Hotline of the City <\n"
    "hotline@example.org> wrote:\n",
    "Apple Mail": "在 2024年3月5日，上午9:12，12345 <hotline@example.org> 写道：\n",
    "Apple Mail in English": "On Mar 5, 2024, at 9:12 AM, 12345 <hotline@example.org> wrote:\n",
    "Thunderbird": "在 2024/3/5 9:12, 12345 写道:\n",
    "Thunderbird, long ago": "于 2024年03月05日 09:12, 12345 写道:\n",
    "Taiwan": "12345 <hotline@example.org> 於 2024年3月5日 週二 上午9:12寫道：\n",
    "Outlook in Taiwan": "寄件者: 12345 <hotline@example.org>\n寄件日期: 2024年3月5日 上午 09:12\n"
    "收件者: 張三\n主旨: 受理\n",
}

LINES = [
    "发自我的iPhone",
    "发自我的 iPhone",
    "发自我的华为手机",
    "发自我的小米手机",
    "来自我的华为手机",
    "发自网易邮箱大师",
    "来自 网易邮箱大师",
    "签名由 网易邮箱大师 定制",
    "从 Windows 版邮件发送",
    "從我的 iPhone 傳送",
    "获取 Outlook for iOS<https://aka.ms/o0ukef>",
    "获取适用于 Android 的 Outlook",
    "Sent from my iPhone",
    "Sent from Yahoo Mail on Android",
    "Get Outlook for iOS<https://aka.ms/o0ukef>",
]


@pytest.mark.parametrize("client", BELOW)
@pytest.mark.parametrize("quoted", ["unmarked", "marked"])
def test_what_a_mail_program_puts_below_the_reply_goes(client: str, quoted: str) -> None:
    lines = ANSWERED if quoted == "unmarked" else "\n".join(f"> {line}" for line in ANSWERED.split("\n"))
    trimmed = trim(f"{OWN}\n\n\n{BELOW[client]}\n{lines}\n")
    assert trimmed.text == OWN
    assert BELOW[client].strip().split("\n")[-1] in trimmed.quoted
    assert ANSWERED.split("\n")[1] in trimmed.quoted


@pytest.mark.parametrize("client", ["Apple Mail", "Gmail", "163 on the web"])
def test_a_marker_inside_the_quotation_goes_with_it(client: str) -> None:
    quoted = "\n".join(f"> {line}" for line in f"{BELOW[client]}\n{ANSWERED}".split("\n"))
    assert trim(f"{OWN}\n\n{quoted}").text == OWN


@pytest.mark.parametrize("line", LINES)
def test_what_a_phone_adds_goes(line: str) -> None:
    alone, above = trim(f"{OWN}\n\n{line}\n"), trim(f"{OWN}\n\n{line}\n\n{BELOW['Apple Mail']}\n> 您好")
    assert (alone.text, alone.signature) == (OWN, line)
    assert (above.text, above.signature) == (OWN, line)


@pytest.mark.parametrize(
    "line",
    [
        "来自阳光小区的业主",
        "发自内心地感谢你们",
        "Sent from my desk, this is much easier than by phone.",
        "发件人：物业公司，收到后不予理睬",
        "日期：2024年3月5日",
        "-- 北门的灯 --",
        "我在2024年3月5日给物业写道：",
        "在2024年3月5日的通知里，物业写道：",
        "从手机上看不清楚",
    ],
)
def test_words_of_the_citizen_that_look_like_it_stay(line: str) -> None:
    text = f"{OWN}\n{line}\n以上情况请核实。"
    assert trim(text).text == text


def test_a_letter_that_ends_with_its_sender_and_date_stays_whole() -> None:
    text = f"{OWN}\n\n发件人：张三\n联系电话：13800000000\n日期：2024年3月5日"
    assert trim(text).text == text


def test_rules_between_paragraphs_stay() -> None:
    text = f"{OWN}\n----------\n补充：楼道灯也坏了。\n**********\n再补充：电梯也坏了"
    assert trim(text).text == text
    assert trim(f"{text}\n----------\n").text == text


def test_a_signature_goes_and_a_sentence_below_dashes_stays() -> None:
    signature = "-- \n张三\n阳光小区3号楼\n电话 13800000000"
    assert trim(f"{OWN}\n{signature}") == trim(f"{OWN}\n\n{signature}\n\n")
    assert trim(f"{OWN}\n{signature}").signature == signature
    assert trim(f"{OWN}\n--\n另外，电梯也坏了。").text == f"{OWN}\n--\n另外，电梯也坏了。"


def test_answers_between_the_quoted_lines_keep_the_lines_they_answer() -> None:
    text = f"{BELOW['163 on the web']}> 请问是哪个小区？\n阳光小区\n> 灯坏了几天？\n三天了\n> 谢谢\n"
    trimmed = trim(text)
    assert trimmed.text == "> 请问是哪个小区？\n阳光小区\n> 灯坏了几天？\n三天了"
    assert "> 谢谢" in trimmed.quoted


def test_an_answer_below_the_whole_quotation_stands_alone() -> None:
    trimmed = trim(f"{BELOW['Thunderbird']}> 请问是哪个小区？\n> 谢谢\n\n{OWN}\n")
    assert trimmed.text == OWN
    assert "请问" in trimmed.quoted


def test_an_answer_below_a_marker_with_nothing_marked_is_not_lost() -> None:
    assert trim(f"{BELOW['163 on the web']}\n{OWN}").text == OWN


def test_a_mail_that_only_passes_something_on_stays_whole() -> None:
    text = (
        f"---------- 转发的邮件 ---------\n发件人：物业 <a@example.org>\n日期：2024年3月5日\n主题：通知\n"
        f"收件人：张三\n\n{OWN}"
    )
    assert trim(text).text == text


def test_what_is_passed_on_below_a_word_of_the_citizen_is_named_so() -> None:
    passed = (
        f"---------- Forwarded message ---------\n发件人：物业 <a@example.org>\nDate: 2024年3月5日\n主题：通知\n\n{OWN}"
    )
    trimmed = trim(f"请看物业的答复：\n\n{passed}")
    assert trimmed.text == "请看物业的答复："
    assert trimmed.forwarded == passed == trimmed.quoted


def test_nothing_written_is_an_empty_text_and_a_bare_quotation_is_the_text() -> None:
    assert trim(f"{BELOW['163 on the web']}> 您好\n> 谢谢\n").text == ""
    assert trim("> 您好\n> 谢谢").text == "> 您好\n> 谢谢"
    assert trim("发自我的iPhone").text == ""
    assert trim("").text == ""


@given(
    st.lists(
        st.one_of(
            st.text(max_size=30),
            st.sampled_from([line for block in BELOW.values() for line in block.split("\n")]),
            st.sampled_from(
                [*LINES, "", "> a", ">> b", "--", "____________", "```", "正文", "- - -", "| x", "*From:* a@b"]
            ),
        ),
        max_size=25,
    )
)
def test_no_line_is_lost(lines: list[str]) -> None:
    """Every line with a letter in it stands in one of the fields, whatever the mail looks like."""
    trimmed = trim("\n".join(lines))
    kept = f"{trimmed.text}\n{trimmed.quoted}\n{trimmed.signature}"
    for line in "\n".join(lines).replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if any(character.isalnum() for character in line):
            assert line.strip() in kept


HOSTILE = [
    "On 2024-01-01 10:00 a\n",
    "On 2024-01-01 10:00 " + "a " * 280 + "\n",
    "On ",
    "> a\n",
    "From: a@b\n",
    "From: a\nx\ny\n",
    "--\na\n",
    "_" * 500 + "\n",
    "sent from " + "a " * 290 + "\n",
    "skrev " * 99 + "\n",
    "2024-01-01 10:00 " + "<" * 500 + "\n",
    "2024 wrote: " * 40 + "\n",
    "发自我的" + "a" * 500 + "\n",
    "On 2024-01-01 10:00 x@y wrote:\n\n",
    "On 2024 wrote:\n",
    "\n",
]


@pytest.mark.parametrize("unit", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_takes_linear_time(unit: str) -> None:
    """Four times the text takes about four times as long, not sixteen."""

    def seconds(size: int) -> float:
        text = "a\n" + unit * (size // len(unit))
        start = time.process_time()
        trim(text)
        return time.process_time() - start

    def in_proportion() -> bool:
        return seconds(400_000) < 9 * min(seconds(100_000) for _ in range(3)) + 0.15

    assert any(in_proportion() for _ in range(3)), "the machine's pace may change in between, but not thrice"


def same(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared mail is not here")
def test_the_trimmer_corpus_agrees() -> None:
    """64 replies with their trimmed text. The one that differs: a mail that is nothing but a forwarded message keeps
    the header that says whose message it is."""
    folder = SHARED / "discourse_trimmer"
    differing = [
        file.name
        for file in sorted((folder / "emails").iterdir())
        if same(trim(file.read_text("utf-8", "replace")).text)
        != same((folder / "trimmed" / file.name).read_text("utf-8", "replace"))
    ]
    assert differing == ["forwarded_message.txt"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared mail is not here")
def test_twelve_mail_programs_say_hello() -> None:
    texts = {}
    for file in sorted((SHARED / "talon/standard_replies").glob("*.eml")):
        parts = email.message_from_bytes(file.read_bytes()).walk()
        plain = next(part for part in parts if part.get_content_type() == "text/plain")
        payload = plain.get_payload(decode=True)
        assert isinstance(payload, bytes)
        texts[file.stem] = trim(payload.decode(plain.get_content_charset() or "utf-8")).text
    assert len(texts) == 12
    assert set(texts.values()) == {"Hello"}
