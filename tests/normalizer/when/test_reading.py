"""What a text says of when it happened. All seen from Monday, 23 November 2026, 10:00, unless a test says otherwise."""

from __future__ import annotations

from datetime import datetime

import pytest

from normalizer.when import Reading, read

NOW = datetime(2026, 11, 23, 10)


def said(text: str, now: datetime = NOW) -> str | None:
    """Short: `precision start end`, midnights without their clock; a recurrence its rule and since when."""
    found = read(text, now)
    if found is None:
        return None
    moments = [_short(found.start), _short(found.end)]
    return " ".join([found.precision, *([found.recurrence] if found.recurrence else []), *filter(None, moments)])


def _short(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%dT%H:%M}".removesuffix("T00:00")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("昨晚10点半小区停水", "minute 2026-11-22T22:30"),
        ("昨晚12点有人敲门", "minute 2026-11-23"),
        ("昨天半夜两点有人砸门", "minute 2026-11-23T02:00"),
        ("今晨五点开始放炮", "since 2026-11-23T05:00"),
        ("上周三下午3点左右被狗咬", "hour 2026-11-18T15:00 2026-11-18T16:00"),
        ("晚上11点半还在唱歌", "minute 2026-11-22T23:30"),
        ("2026/11/20 14:30", "minute 2026-11-20T14:30"),
        ("11月20日晚上8时许餐馆油烟", "hour 2026-11-20T20:00 2026-11-20T21:00"),
        ("11.20下午树倒了", "daypart 2026-11-20T13:00 2026-11-20T18:00"),
        ("前天中午吃坏肚子", "daypart 2026-11-21T11:00 2026-11-21T13:00"),
        ("礼拜天早上敲钟", "daypart 2026-11-22T06:00 2026-11-22T09:00"),
        ("12月28日订的门", "day 2025-12-28 2025-12-29"),
        ("周二树倒了", "day 2026-11-17 2026-11-18"),
        ("上周末食物中毒", "span 2026-11-21 2026-11-23"),
        ("上个礼拜换了食堂", "week 2026-11-16 2026-11-23"),
        ("二〇一九年三月中旬征地", "span 2019-03-11 2019-03-21"),
        ("今年夏天积水", "season 2026-06-01 2026-09-01"),
        ("前年冬天暖气不热", "season 2024-12-01 2025-03-01"),
        ("两年前买的车坏了", "year 2024-01-01 2025-01-01"),
        ("两个小时前漏气", "minute 2026-11-23T08:00"),
        ("半个月前报修", "about 2026-11-08 2026-11-09"),
        ("刚才有人打架", "now 2026-11-23T09:30 2026-11-23T10:00"),
        ("1月17日晚九点来钟打麻将", "hour 2026-01-17T21:00 2026-01-17T22:00"),
        ("11月17日晚停电", "daypart 2026-11-17T18:00 2026-11-18"),
        ("中秋节当晚放炮", "daypart 2026-09-25T18:00 2026-09-26"),
        ("8号早上，窗口八点半还没开", "minute 2026-11-08T08:30"),
        ("五一劳动节当天收服务费", "day 2026-05-01 2026-05-02"),
        ("国庆节的前一周，9月27日订的花没送", "day 2026-09-27 2026-09-28"),
        ("九月十五至十九日没车位", "span 2026-09-15 2026-09-20"),
        ("上周三拍的片子至今没有报告", "day 2026-11-18 2026-11-19"),
        ("2019年的征地款到现在没分清", "year 2019-01-01 2020-01-01"),
        ("方才又响了", "now 2026-11-23T09:30 2026-11-23T10:00"),
        ("刚刚打你们电话响了半天没人", "now 2026-11-23T09:30 2026-11-23T10:00"),
        ("停了三天水，没人管", "since 2026-11-20"),
        ("两个月了，路灯没亮过", "since 2026-09-23"),
        ("连着五天没人收垃圾", "since 2026-11-18"),
        ("近一周，车库天天有水", "since 2026-11-16"),
        ("夜里十点到凌晨一点，泥头车天天进出", "recurring daily 22:00-01:00"),
        ("26号下午停电", "daypart 2026-10-26T13:00 2026-10-26T18:00"),
        ("去年底拆迁", "span 2025-11-01 2026-01-01"),
    ],
)
def test_a_moment(text: str, told: str) -> None:
    assert said(text) == told


@pytest.mark.parametrize(
    "text",
    ["大厅九点上班，周末休息吗", "元旦要不要调休", "今天是否发车", "医保局周四下午办公吗", "2月24日车管所是否上班"],
)
def test_a_question_about_opening_is_no_time_of_the_matter(text: str) -> None:
    assert said(text) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("9月1日至9月5日停电", "span 2026-09-01 2026-09-06"),
        ("9月1号到5号停电", "span 2026-09-01 2026-09-06"),
        ("昨天下午2点到4点停电", "span 2026-11-22T14:00 2026-11-22T16:00"),
        ("昨晚10点到今天凌晨2点施工", "span 2026-11-22T22:00 2026-11-23T02:00"),
        ("2018年10月17日22:30-2018年10月18日02:00", "span 2018-10-17T22:30 2018-10-18T02:00"),
        ("昨天早上七点到现在没热水", "since 2026-11-22T07:00"),
        ("自从2020年3月以来一直没水", "since 2020-03-01"),
        ("已经停水三天了", "since 2026-11-20"),
        ("近一个月没人收垃圾", "since 2026-10-23"),
        ("五年来一直漏水", "since 2021-11-23"),
        ("春节前被拖欠工资", "before 2026-02-17"),
    ],
)
def test_a_span(text: str, told: str) -> None:
    assert said(text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("每天晚上十点后施工", "recurring daily 22:00-"),
        ("每天凌晨2点到5点有大货车", "recurring daily 02:00-05:00"),
        ("每晚11点到第二天早上5点施工", "recurring daily 23:00-05:00"),
        ("每天晚上跳舞", "recurring daily 18:00-24:00"),
        ("从上个月开始每天晚上施工", "recurring daily 18:00-24:00 2026-10-01"),
        ("每周六周日都有广场舞", "recurring weekly SA,SU"),
        ("周一到周五早上七点堵", "recurring weekly MO,TU,WE,TH,FR 07:00"),
        ("工作日早高峰七点半到九点挤不上车", "recurring workdays 07:30-09:00"),
        ("每个月1号和15号烧纸", "recurring monthly 1,15"),
        ("农历每月初一十五烧香", "recurring lunar monthly 1,15"),
        ("每年7月发大水", "recurring yearly 07"),
        ("夜里十二点以后经常有人飙车", "recurring daily 00:00-"),
        ("国庆期间天天堵车", "holiday 2026-10-01 2026-10-08"),
    ],
)
def test_a_recurrence(text: str, told: str) -> None:
    assert said(text) == told


@pytest.mark.parametrize(
    ("text", "now", "told"),
    [
        ("国庆期间停水", NOW, "holiday 2026-10-01 2026-10-08"),
        ("去年国庆期间停水", NOW, "holiday 2025-10-01 2025-10-09"),
        ("国庆假期停水", datetime(2023, 10, 16), "holiday 2023-09-29 2023-10-07"),
        ("去年国庆第三天宰客", NOW, "day 2025-10-03 2025-10-04"),
        ("国庆后第一个工作日没开门", NOW, "day 2026-10-08 2026-10-09"),
        ("国庆后上班第一天没开门", datetime(2021, 12, 1), "day 2021-10-08 2021-10-09"),
        ("中秋调休补班那天公交没开", NOW, "day 2026-09-20 2026-09-21"),
        ("上个工作日", datetime(2024, 2, 19), "day 2024-02-18 2024-02-19"),
        ("2024年春节期间", NOW, "holiday 2024-02-10 2024-02-18"),
        ("除夕晚上放炮", NOW, "daypart 2026-02-16T18:00 2026-02-17"),
        ("大年初三放烟花", NOW, "day 2026-02-19 2026-02-20"),
        ("正月十五晚上放炮", NOW, "daypart 2026-03-03T18:00 2026-03-04"),
        ("去年中秋晚上停电", NOW, "daypart 2025-10-06T18:00 2025-10-07"),
        ("农历六月初一停水", datetime(2025, 12, 1), "day 2025-06-25 2025-06-26"),
        ("国庆期间停水", datetime(2040, 11, 1), None),
    ],
)
def test_holidays_and_make_up_days(text: str, now: datetime, told: str | None) -> None:
    assert said(text, now) == told


@pytest.mark.parametrize(
    "text",
    [
        "五一路88号漏水",
        "国庆路口红灯坏了",
        "营业时间9:00-18:00",
        "三个工作日内答复",
        "12月31日前完工",
        "承诺今年6月通车",
        "88路公交车20分钟一班",
        "根据2018年5月1日施行的条例第26条",
        "我住3单元502，押金3000元，合同到2027年5月1日",
        "工单20261105123456",
        "24小时营业的店",
        "有一点点吵，还有两点要求",
        "《2018年市容条例》怎么说",
        "中秋月饼发霉",
        "孩子三年级",
        "今晚要停水吗",
        "",
    ],
)
def test_nothing_is_told(text: str) -> None:
    assert said(text) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2015年买的房，昨晚漏水", "daypart 2026-11-22T18:00 2026-11-23"),
        ("上周投诉过一次，昨天下午又来了", "daypart 2026-11-22T13:00 2026-11-22T18:00"),
    ],
)
def test_of_several_dates_the_one_complained_of(text: str, told: str) -> None:
    assert said(text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("there was no water last night at 10 pm", "minute 2026-11-22T22:00"),
        ("broken since Monday", "since 2026-11-23"),
        ("loud music every night after 11pm", "recurring daily 23:00-"),
        ("on 3 May 2026 a tree fell", "day 2026-05-03 2026-05-04"),
    ],
)
def test_common_english(text: str, told: str) -> None:
    assert said(text) == told


@pytest.mark.parametrize(
    "text", ["2月30日停水", "昨天25点", "13月1日", "0年0月", "九九九九年", "一" * 3000, "每" * 3000, "点" * 3000]
)
def test_nonsense_is_no_error(text: str) -> None:
    found = read(text, NOW)
    assert found is None or isinstance(found, Reading)
