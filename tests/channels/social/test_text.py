"""From posts to words: what goes, what stays, and that nothing that was said is lost."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.social.text import said, without_emoticons, words_of

OURS = ("北京12345", "hotline_bj")


@pytest.mark.parametrize(
    ("post", "words"),
    [
        ("@北京12345 我家停水了[泪]", "我家停水了"),
        ("@北京12345：我家停水了", "我家停水了"),
        ("@北京12345我家停水了，@hotline_bj", "我家停水了，"),
        ("＠北京12345 停水", "停水"),
        ("#停水##朝阳区#三天没水 http://t.cn/A6xYz12", "停水 朝阳区 三天没水"),
        ("#北京12345#路灯坏了", "路灯坏了"),
        ("#某某小区[超话]#电梯又坏了", "某某小区 电梯又坏了"),
        ("举报@某某烤鱼店 用地沟油", "举报 某某烤鱼店 用地沟油"),
        ("3#楼和5#楼2单元漏水", "3#楼和5#楼2单元漏水"),
        ("[东城区]胡同里[3号院]积水", "东城区 胡同里 3号院 积水"),
        ("有人放了[炸弹]", "有人放了 炸弹"),
        ("请写到 wang@example.com 或 a.b@mail.example.cn", "请写到 wang@example.com 或 a.b@mail.example.cn"),
        ("水&amp;电都停了 &lt;急&gt;", "水&电都停了 <急>"),
        ("着\u200b火了\ufeff", "着火了"),
        ("零下-5度没暖气", "零下-5度没暖气"),
        ("-5度没暖气", "-5度没暖气"),
        ("见 https://www.example.cn/a 里的通知 t.co/AbCd1234", "见 https://www.example.cn/a 里的通知"),
        ("No water since Monday #water @hotline_bj", "No water since Monday water"),
        ("@hotline_bj2 is not us", "hotline_bj2 is not us"),
        ("一家👨‍👩‍👧都没水🆘", "一家👨‍👩‍👧都没水🆘"),
    ],
)
def test_words(post: str, words: str) -> None:
    assert words_of(post, OURS) == words
    assert said(post, OURS) == words


@pytest.mark.parametrize(
    ("post", "kept"),
    [
        ("[泪][泪]", "泪 泪"),
        ("@北京12345", "北京12345"),
        ("http://t.cn/A6xYz12", "http://t.cn/A6xYz12"),
        ("@张三 @北京12345 [doge]", "张三"),
    ],
)
def test_a_post_of_nothing_but_marks_keeps_what_they_say(post: str, kept: str) -> None:
    assert words_of(post, OURS) == kept


@pytest.mark.parametrize("post", ["[泪][泪]", "@北京12345", "http://t.cn/A6xYz12", "//", "", " \u200b", "@北京12345！"])
def test_marks_alone_say_nothing(post: str) -> None:
    assert said(post, OURS) == ""


def test_private_messages_have_emoticons_only() -> None:
    assert without_emoticons("#1楼@物业 [微笑]在吗") == "#1楼@物业 在吗"


@given(st.text(alphabet="@＠#＃[]《》:：/ab1泪水楼 \n\u200bt.cn/", max_size=60))
def test_no_letter_is_lost_but_those_of_marks(post: str) -> None:
    words = words_of(post)
    assert words or not re.search(r"[^\W_]", post)
    bare = re.sub(r"(?:https?://)?t\.cn/[A-Za-z0-9]{4,12}|\[泪\]", "", post.replace("\u200b", ""))
    if said(post):
        assert re.sub(r"[\W_]", "", words) == re.sub(r"[\W_]", "", bare)


@pytest.mark.parametrize(
    "piece", ["@", "#", "[", "@a.", "#a", "[a", "//@", "http://", "t.cn/", "&amp;", " ，", "\u200b@"]
)
def test_hostile_runs_are_read_in_a_moment(piece: str) -> None:
    started = time.process_time()
    words_of(piece * (200_000 // len(piece)), OURS)
    assert time.process_time() - started < 5
