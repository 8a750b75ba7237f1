"""Whom to call back: the writer's own number, never that of the accused or of an office."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from normalizer import Ticket

TicketOf = Callable[..., Ticket]
OWN, OTHER = "13800138000", "13900139000"


def codes(ticket: Ticket) -> set[str]:
    return {note.code for note in ticket.notes if note.step == "contact"}


@pytest.mark.parametrize(
    "text",
    [
        f"我的电话是{OWN}，路灯坏了",
        f"路灯坏了，请回电{OWN}",
        f"路灯坏了，联系电话：{OWN}",
        f"找物业他们不管，物业电话{OTHER}，我的手机{OWN}",
        f"老板的号码是{OTHER}，请打{OWN}联系我",
        f"路灯坏了。张先生 {OWN}",
        f"路灯坏了，{OWN}，可以随时找我",
        f"被骗子{OTHER}骗了两千，本人电话{OWN}",
        f"街道办电话0898-65359475没人接，联系人：李明，{OWN}",
        f"路灯坏了。{OWN}",
        f"street lamp is broken, please call me at {OWN}",
        "我电话幺三八零零幺三八零零零",
    ],
)
def test_the_writers_own_number_is_called_back(ticket_of: TicketOf, text: str) -> None:
    ticket = ticket_of(text)
    assert ticket.requester.phone == "+86" + OWN
    assert [to.address for to in ticket.requester.reply_to] == ["+86" + OWN]
    assert "phone_from_text" in codes(ticket)


@pytest.mark.parametrize(
    "text",
    [
        f"物业电话{OTHER}一直打不通",
        f"一个叫王五的老板欠我工钱，他的手机是{OTHER}",
        f"收到{OTHER}发来的诈骗短信，被骗两千",
        f"{OTHER}天天打来骚扰我",
        f"房东不退押金，房东电话{OTHER}",
        "商家客服400-800-1234没人接",
        "拨打了街道办电话0898-65359475没人接",
        f"被投诉人：某某公司，电话{OTHER}",
        f"他用{OTHER}威胁我家里人不要再投诉这件事情",
    ],
)
def test_nobody_elses_number_is_called_back(ticket_of: TicketOf, text: str) -> None:
    ticket = ticket_of(text)
    assert ticket.requester.phone is None
    assert ticket.requester.reply_to == ()
    assert codes(ticket) & {"number_other", "number_office", "number_unclear"}


@pytest.mark.parametrize(
    "text",
    [
        f"号码{OWN}，上面没信号",
        f"就是{OWN}你们打过来我都在",
        f"打这个：{OWN}，别打{OTHER}，那是我前妻的",
        f"我爸号码{OTHER}，他耳背，打我的{OWN}",
        f"旧的{OTHER}停用了，换成打{OWN}",
        f"我之前留过{OTHER}，那个是我弟弟的；这回打{OWN}",
        f"座机0898-65881120，手机{OWN}，优先手机",
        f"电话{OTHER}（办）{OWN}（宅），找宅电",
        f"代我奶奶反映，她的电话{OWN}，她不会打字",
        f"受我哥委托咨询公积金，他手机{OWN}",
        f"其联系电话为{OWN}，诉求：路灯不亮",
        f"{OWN}，打不通就发短信",
        f"{OWN}这个号晚上关机",
        f"先发短信到{OWN}，我听不见",
        f"老人走失了，看到请打{OWN}，我是他儿子",
        f"電話打不通請改撥{OWN}",
    ],
)
def test_the_number_that_is_asked_for_is_called_back_or_the_only_one(ticket_of: TicketOf, text: str) -> None:
    assert ticket_of(text).requester.phone == "+86" + OWN


@pytest.mark.parametrize(
    "text",
    [
        f"涉事司机车牌琼A00000，手机{OTHER}",
        f"那家店的电话是{OTHER}，打过去就骂人",
        f"举报：网点站长{OTHER}要求现金",
        f"卖假货的人微信和手机都是{OTHER}",
        f"我前夫家暴，他电话{OTHER}",
        f"传真号{OTHER}发不进去",
        f"派件员{OTHER}把件扔门口",
        f"开锁的{OTHER}坐地起价",
        f"出租信息留的{OTHER}是假的",
        f"传单上的电话{OTHER}，涉嫌虚假宣传",
        f"养狗人电话{OTHER}，狗咬了我",
        f"招工的李哥电话{OTHER}，扣我工钱",
        f"{OTHER}的小卡片到处都是",
        f"快递员留的{OTHER}没人接",
        f"我大队地址：某路1号，电话{OTHER}",
        f"市民可拨打{OTHER}咨询",
    ],
)
def test_nor_that_of_the_accused_or_of_a_quoted_office(ticket_of: TicketOf, text: str) -> None:
    assert ticket_of(text).requester.phone is None


def test_of_two_numbers_of_which_nothing_is_said_none_is_called(ticket_of: TicketOf) -> None:
    ticket = ticket_of(f"纸条一：{OWN}；纸条二：{OTHER}，不知道是谁夹在车窗上")
    assert ticket.requester.phone is None
    assert "number_unclear" in codes(ticket)


def test_a_number_listed_beside_another_is_the_same_persons(ticket_of: TicketOf) -> None:
    ticket = ticket_of(f"我的电话{OWN}或者{OTHER}，路灯坏了好几天")
    assert [to.address for to in ticket.requester.reply_to] == ["+86" + OWN, "+86" + OTHER]


def test_the_only_number_stays_unclear_where_the_source_gave_one(ticket_of: TicketOf) -> None:
    ticket = ticket_of(f"纸条上是{OTHER}，车窗上夹的", requester={"phone": OWN})
    assert [to.address for to in ticket.requester.reply_to] == ["+86" + OWN]


def test_the_number_of_the_source_goes_first(ticket_of: TicketOf) -> None:
    ticket = ticket_of(f"路灯坏了，联系电话{OTHER}", requester={"phone": OWN})
    assert ticket.requester.phone == "+86" + OWN
    assert [to.address for to in ticket.requester.reply_to] == ["+86" + OWN, "+86" + OTHER]


def test_unless_the_text_asks_for_another(ticket_of: TicketOf) -> None:
    ticket = ticket_of(f"这个号码不方便，请打我另一个电话{OTHER}", requester={"phone": OWN})
    assert ticket.requester.phone == "+86" + OWN
    assert [to.address for to in ticket.requester.reply_to] == ["+86" + OTHER, "+86" + OWN]


def test_a_number_to_be_called_is_the_writers_only_where_no_other_is_known(ticket_of: TicketOf) -> None:
    assert ticket_of(f"请打 {OTHER}，路灯编号 139111").requester.phone == "+86" + OTHER
    ticket = ticket_of(f"请打 {OTHER}，路灯编号 139111", requester={"phone": OWN})
    assert [to.address for to in ticket.requester.reply_to] == ["+86" + OWN]
    assert "number_unclear" in codes(ticket)


def test_a_number_with_an_extension_is_kept_as_written(ticket_of: TicketOf) -> None:
    ticket = ticket_of("我的电话是010-88886666转8001")
    assert ticket.requester.phone == "010-88886666转8001"
    assert "no_reply_address" in codes(ticket)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("请发到 Wang@Example.COM，谢谢", "Wang@example.com"),
        ("我的邮箱是wang＠example.com", "wang@example.com"),
        ("商家邮箱shop@example.com不回", None),
        ("wang@example.com", None),
    ],
)
def test_mail_goes_only_to_an_address_that_is_said_to_be_the_writers(
    ticket_of: TicketOf, text: str, address: str | None
) -> None:
    assert ticket_of(text).requester.email == address


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("我叫张伟，路灯坏了", "张伟"),
        ("我叫欧阳小红，路灯坏了", "欧阳小红"),
        ("你好，我姓李，路灯坏了", "李"),
        ("免贵姓王。", "王"),
        ("市民陈女士反映路灯坏了", "陈女士"),
        ("我是刘先生，路灯坏了", "刘先生"),
        ("联系人：赵敏，电话13800138000", "赵敏"),
        (f"路灯坏了。周先生 {OWN}", "周先生"),
        ("我叫他别停车他不听", None),
        ("我叫车来了，司机绕路", None),
        ("物业的王先生态度恶劣", None),
        ("我叫安保，他不来", None),
        ("我叫周围的人帮忙", None),
        ("我是高中生，学校补课", None),
    ],
)
def test_a_name_is_taken_where_it_is_stated(ticket_of: TicketOf, text: str, name: str | None) -> None:
    assert ticket_of(text).requester.name == name


def test_a_given_name_stands_and_who_is_anonymous_stays_unnamed(ticket_of: TicketOf) -> None:
    assert ticket_of("我叫张伟，灯坏了", requester={"name": "张先生"}).requester.name == "张先生"
    assert ticket_of("我叫张伟，灯坏了", requester={"anonymous": True}).requester.name is None


def test_notes_hold_no_number(ticket_of: TicketOf) -> None:
    ticket = ticket_of(f"物业电话{OTHER}，我的电话{OWN}")
    assert not any(digits in note.detail for note in ticket.notes for digits in (OWN, OTHER))
