"""Which posts ask nothing; and that no request, no praise and no danger is ever set apart."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from channels.social.asking import asks_nothing
from channels.social.text import said
from normalizer.ticket import Decision, Flag
from normalizer.urgency import BOOK

SHARED = Path(__file__).parents[4] / "shared/data/text"
OURS = ("北京12345",)


def code_of(post: str, *, quoted: str = "", files: int = 0, bot: bool = False) -> str | None:
    found = asks_nothing(post, said=said(post, OURS), quoted=quoted, files=files, bot=bot)
    return found.code if found else None


@pytest.mark.parametrize(
    ("post", "code"),
    [
        ("@北京12345", "bare_mention"),
        ("@北京12345 [doge][泪]", "bare_mention"),
        ("@北京12345 早上好", "bare_mention"),
        ("@北京12345 在吗", "bare_mention"),
        ("哈哈哈哈 转发了", "bare_mention"),
        ("关注+转发本条微博，抽三位朋友送门票", "lottery"),
        ("今晚开奖 @微博抽奖平台", "lottery"),
        ("转发给十个好友，接好运", "chain_post"),
        ("双十二满减包邮，优惠券点击下方链接", "advertising"),
        ("兼职在家日结，加微信 abc12345", "advertising"),
        ("Limited offer! Use promo code SALE and buy now", "advertising"),
    ],
)
def test_what_asks_nothing(post: str, code: str) -> None:
    assert code_of(post) == code


@pytest.mark.parametrize(
    "post",
    [
        "小区里有人发优惠券传单扰民",
        "投诉：店家说买一送一、满减包邮，收货是假货",
        "被刷单兼职骗了，日结的钱不给，加微信就拉黑",
        "转发抽奖都是骗人的，举报",
        "关注+转发，楼下井盖丢了",
        "谢谢@北京12345 路灯修好了",
        "优惠券",
        "停水了",
        "没暖气",
        "今天胡同里真热闹",
        "Street light broken on our corner, click here for the picture, discount store next to it",
    ],
)
def test_what_could_be_a_request_is_one(post: str) -> None:
    assert code_of(post) is None


def test_a_repost_without_words_counts_by_what_it_passes_on() -> None:
    assert code_of("转发微博", quoted="晚霞真美") == "bare_repost"
    assert code_of("转发微博", quoted="求助：老人走失") is None
    assert code_of("转发微博", quoted="三号楼着火了") is None


def test_a_picture_without_words_may_be_a_request() -> None:
    assert code_of("@北京12345", files=1) is None


def test_what_a_program_posts_is_still_read() -> None:
    assert code_of("元气满满的一天", bot=True) == "bot"
    assert code_of("传感器：地下车库着火", bot=True) is None
    assert code_of("自动发布：井盖丢失请处理", bot=True) is None


def test_it_says_what_becomes_of_it() -> None:
    found = asks_nothing("", said="", bot=False)
    assert found is not None
    assert found.flags == (Flag.NO_REQUEST,)
    assert (found.disposition.decision, found.note.code) == (Decision.NONE, "bare_mention")
    bot = asks_nothing("早", said="元气满满", bot=True)
    assert bot is not None
    assert bot.flags == (Flag.AUTOMATED, Flag.NO_REQUEST)


@pytest.mark.parametrize(
    "piece",
    [
        "嗯",
        "哈哈",
        "转发",
        "转 ",
        "抽",
        "转给",
        "加微信",
        "关注+",
        "抽一个送",
        "为了家人",
        "原价",
        "月入",
        "转发此微博",
        "限时",
    ],
)
def test_hostile_runs_are_judged_in_a_moment(piece: str) -> None:
    post = piece * (5_000 // len(piece)) + "x"
    started = time.process_time()
    asks_nothing(post, said=post, quoted=post)
    assert time.process_time() - started < 2


DANGERS = [words for rule in BOOK.rule for words in rule.examples]


@pytest.mark.parametrize(
    "around", ["{}", "满减包邮优惠券点击下方链接 {}", "转发给十个好友接好运 {}", "{} @微博抽奖平台"]
)
def test_no_danger_is_set_apart_whatever_stands_beside_it(around: str) -> None:
    assert [words for words in DANGERS if code_of(around.format(words), bot=True)] == []


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared texts are not beside the project")
@pytest.mark.parametrize(("name", "field"), [("haikou12345", "诉求内容"), ("fuzhou12345", "投诉件内容")])
def test_of_real_appeals_none_is_set_apart(name: str, field: str) -> None:
    rows = [json.loads(line) for line in (SHARED / f"{name}.jsonl").read_text("utf-8").splitlines()]
    assert sum(code_of(str(row[field] or "无")) is not None for row in rows) == 0
