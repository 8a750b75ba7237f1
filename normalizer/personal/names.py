"""The writer's name, where it is stated (我叫…, 我姓…, 联系人：…, 市民张先生). May not take somebody else's."""

from __future__ import annotations

import re
from typing import Final

from normalizer.personal.words import WORDS, either

_NAMES: Final = WORDS["names"]
_SURNAME: Final = rf"(?:{'|'.join(_NAMES['double'])}|[{_NAMES['surnames']}])"
_GIVEN: Final = r"[\u4e00-\u9fff·]"
_HONORIFIC: Final = either(_NAMES["honorific"])
_END: Final = rf"(?=[，,。.；;、：:！!？?（()）\s\d]|$|{either(_NAMES['then'])})"
_FULL: Final = re.compile(
    rf"(?:{either(_NAMES['called'])})(?P<name>{_SURNAME}(?:(?:{_HONORIFIC})|{_GIVEN}{{1,2}}?(?:先生|女士)?)){_END}"
)
_SURNAMED: Final = re.compile(rf"(?:{either(_NAMES['surname'])})(?P<name>{_SURNAME})(?![某氏])")
_TITLED: Final = re.compile(rf"(?:{either(_NAMES['citizen'])})(?P<name>{_SURNAME}(?:{_HONORIFIC}))")
_SIGNED: Final = re.compile(
    rf"(?P<name>{_SURNAME}(?:{_HONORIFIC}))[，,：:\s（(]*(?:电话|手机|联系电话|联系方式)?[：:\s]*$"
)
_NEVER: Final = re.compile(either(_NAMES["never"]))
# One character each that every form needs: a cheap test before the patterns.
_HINT: Final = re.compile(
    "[叫姓名]|[人我民业主住户友系](?:[：: ]\\s?)?.{1,2}(?:先生|女士|小姐|同志|阿姨|大爷|老师|师傅)|[人][：:]"
)


def stated_name(text: str) -> tuple[str, str] | None:
    """The name and the code of how it was stated; None when the text states none."""
    if not _HINT.search(text):
        return None
    for code, pattern in (("name_stated", _FULL), ("name_titled", _TITLED), ("surname_stated", _SURNAMED)):
        for match in pattern.finditer(text):
            if not _NEVER.match(match["name"]):
                return match["name"], code
    return None


def signed_name(text: str, position: int) -> str | None:
    """The surname with an honorific right before a number at `position`."""
    match = _SIGNED.search(text[max(0, position - 16) : position])
    return match["name"] if match else None
