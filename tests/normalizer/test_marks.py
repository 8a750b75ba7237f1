"""What a text sounds like where no rule has its words: it may add, and takes nothing back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from normalizer import Flag, Inbound, Ticket, Tier, alarms
from normalizer.marks import CALL, marks
from normalizer.urgency import emergency_numbers, fold, names_danger

TicketOf = Callable[..., Ticket]

UNNAMED = [
    "我爸从早上坐在沙发上到现在，怎么喊都不应，手脚冰凉，嘴唇乌青，我不敢碰他",
    "小区水池边只剩一双小鞋，水面上还有泡泡，刚才还听见孩子哭",
    "他把门反锁了，东西都分给我们了，说这是最后一次麻烦大家，里面没声音了",
]


@pytest.mark.parametrize("text", UNNAMED)
def test_a_danger_without_its_usual_words_is_told_at_once(text: str, ticket_of: TicketOf) -> None:
    inbound = Inbound(text=text, digest="")
    assert Flag.EMERGENCY in alarms(inbound)
    assert emergency_numbers(inbound)
    ticket = ticket_of(text)
    assert ticket.urgency.tier is Tier.IMMEDIATE
    assert Flag.EMERGENCY in ticket.flags


def test_what_only_sounds_like_a_danger_names_every_number() -> None:
    told = [text for text in UNNAMED if not names_danger(fold(text))]
    assert told
    for text in told:
        assert emergency_numbers(text) == CALL


def test_the_note_says_that_no_rule_spoke(ticket_of: TicketOf) -> None:
    text = next(text for text in UNNAMED if not names_danger(fold(text)))
    ticket = ticket_of(text)
    assert ticket.urgency.reasons == ("sounds_like_immediate",)
    assert [note.code for note in ticket.notes if note.step == "urgency"] == ["sounds_like_immediate"]


def test_a_rule_is_not_doubted(ticket_of: TicketOf) -> None:
    """Where words name a danger, only they are reasons, whatever the model thinks of the rest."""
    ticket = ticket_of("五楼着火了，快来人")
    assert ticket.urgency.tier is Tier.IMMEDIATE
    assert not [reason for reason in ticket.urgency.reasons if reason.startswith("sounds_like")]


@pytest.mark.parametrize(
    "text", ["路灯坏了三天，晚上很黑，请派人来修。", "请问办居住证需要什么材料", "感谢公交司机捡到我的包", ""]
)
def test_an_ordinary_request_sounds_like_nothing(text: str) -> None:
    assert marks(fold(text)) == frozenset()


def test_a_folded_text_is_what_it_reads() -> None:
    assert marks(fold("他拿刀堵在我家門口不讓走")) == marks(fold("他拿刀堵在我家门口不让走"))
