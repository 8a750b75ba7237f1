"""The writer's name, where it is stated (我叫…, 我姓…, 联系人：…, 市民张先生). May not take somebody else's."""

from __future__ import annotations

import re
from typing import Final

from normalizer.personal.words import WORDS, either

_NAMES: Final = WORDS["names"]
_TAIL: Final = 120  # characters at the end, in which a letter is signed
_BESIDE: Final = 10  # characters before a stated name that may say whose it is
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
# A whole name by a frequent surname: two or three characters of which none is a word's.
_WHOLE: Final = (
    rf"(?:(?:{'|'.join(_NAMES['double'])}|[{_NAMES['frequent']}])(?:(?!{_NAMES['no_given']}){_GIVEN}){{1,2}}?)"
)
_SIGNER: Final = rf"(?:{_SURNAME}(?:(?!{_NAMES['no_given']}){_GIVEN}){{1,2}})"
_ROLE: Final = rf"(?:(?:{either(_NAMES['role'])})[，,、 ]?){{0,2}}"
_SELF: Final = re.compile(rf"(?:{either(_NAMES['self'])}){_ROLE}(?P<name>{_WHOLE}){_END}")
_CALLER: Final = re.compile(
    rf"(?:{either(_NAMES['caller'])})(?P<name>{_WHOLE})(?=\s?[（(，,]?(?:女|男|先生|女士)?[，,]?(?:联系|电话|手机|身份证|1[3-9]\d|0\d{{2}}))"
)
_LETTER: Final = re.compile(
    rf"(?:{either(_NAMES['regards'])})[：:\s]*(?:{_ROLE}|{_GIVEN}{{2,6}}\s)\s?(?P<name>{_SIGNER})\s*"
    r"(?=$|[，,\s（(]*(?:电话|手机|1[3-9]\d|20\d\d))"
)
_ITSELF: Final = re.compile(rf"(?:找|叫)(?P<name>{_WHOLE})[，,]?(?:就|也)?是我(?=[，,。！!]|$)")
_LATIN: Final = r"[A-Z][a-z]+(?:[-'][A-Z][a-z]+)?"
_LATIN_NAME: Final = rf"{_LATIN}(?: [A-Z]\.?)?(?: (?:de|van|von|bin|al))?(?: {_LATIN}){{1,2}}"
_ENGLISH: Final = re.compile(
    r"\b(?:(?P<alone>I am|I'm|[Tt]his is)|[Mm]y (?:full )?name(?:'s| is)|[Nn]ame:"
    rf"|(?:[Rr]egards|[Ss]incerely|[Tt]hanks|[Tt]hank you),?)\s+(?P<name>{_LATIN_NAME})\b"
    r"(?(alone)(?=[,.]|$| from | calling| speaking| and I\b))"
)
_OF_OTHER: Final = re.compile(_NAMES["of_other"])
_WITHHELD: Final = re.compile(_NAMES["withheld"])
_NEVER: Final = re.compile(either(_NAMES["never"]))
# The code, what every text of the form has one of, and the form; the first found is taken.
_FORMS: Final = tuple(
    (code, frozenset(_NAMES["hints"][hint]), pattern)
    for code, hint, pattern in (
        ("name_stated", "called", _FULL),
        ("name_stated", "self", _SELF),
        ("name_stated", "caller", _CALLER),
        ("name_stated", "itself", _ITSELF),
        ("name_titled", "titled", _TITLED),
        ("name_signed", "signed", _LETTER),
        ("name_stated", "english", _ENGLISH),
        ("surname_stated", "surname", _SURNAMED),
    )
)
_HINTS: Final = re.compile(either(map(re.escape, frozenset[str]().union(*(words for _, words, _ in _FORMS)))))


def stated_name(text: str) -> tuple[str, str] | None:
    """The name and the code of how it was stated; None when the text states none."""
    hints = frozenset(_HINTS.findall(text))  # one pass is many times faster than eight patterns
    for code, words, pattern in _FORMS:
        if words.isdisjoint(hints):
            continue
        for match in pattern.finditer(text, max(0, len(text) - _TAIL) if pattern is _LETTER else 0):
            if not _NEVER.match(match["name"]) and not _is_of_other(text, match):
                return None if _WITHHELD.search(text) else (match["name"], code)
    return None


def _is_of_other(text: str, match: re.Match[str]) -> bool:
    """Whether 姓名 or 名字叫 is said of somebody else; 我叫 never is."""
    if match[0].startswith("我"):
        return False
    return _OF_OTHER.search(text[max(0, match.start() - _BESIDE) : match.start()]) is not None


def signed_name(text: str, position: int) -> str | None:
    """The surname with an honorific right before a number at `position`."""
    match = _SIGNED.search(text[max(0, position - 16) : position])
    return match["name"] if match else None
