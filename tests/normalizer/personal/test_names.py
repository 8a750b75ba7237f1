"""The writer's name is taken where the writer states it; nobody else's is."""

from __future__ import annotations

import pytest

from normalizer.personal.names import stated_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("市民林国强（电话：…）反映路面坑洼", "林国强"),
        ("我是陈晓梅，退休教师，问养老金", "陈晓梅"),
        ("本人赵建军，身份证…", "赵建军"),
        ("医保打错了，姓名许丽华，手机…", "许丽华"),
        ("我是业主代表周慧，大家委托我", "周慧"),
        ("我是她女儿吴雨桐", "吴雨桐"),
        ("我是住在海边小区的郑秀英，车棚漏电", "郑秀英"),
        ("署名：村民 何阿福 13800138000", "何阿福"),
        ("请处理。此致 敬礼 学生家长 卢晓明", "卢晓明"),
        ("此致敬礼！环卫工 曾小平 2026年3月2日", "曾小平"),
        ("找沈秋月就是我。", "沈秋月"),
        ("My name is Daniel Kovacs and my landlord keeps the deposit", "Daniel Kovacs"),
        ("Best regards,\nMaria Santos", "Maria Santos"),
        ("鄙人姓欧阳，退伍军人", "欧阳"),
    ],
)
def test_a_name_that_the_writer_states(text: str, name: str) -> None:
    found = stated_name(text)
    assert found is not None
    assert found[0] == name


@pytest.mark.parametrize(
    "text",
    [
        "司机名字叫马军，态度恶劣",
        "服务大厅工作人员（姓名：颜某某）",
        "表扬值班医生贾明，我没留名",
        "我的孩子叫安安，今年上一年级",
        "我是高中生，学校补课",
        "我是江西人，来办证",
        "我是林业局，",
        "我是卫生局系统的职工",
        "市民强烈反映，电话没人接",
        "反映人：李某，不想留真名",
        "我叫李明，不方便透露姓名，请保密",
        "this is Very important",
        "请问我是不是可以不写名字",
    ],
)
def test_none_of_somebody_else_none_that_is_a_word_none_that_is_withheld(text: str) -> None:
    assert stated_name(text) is None
