"""What the name before a colon, in a voice tag or in a header line says about who is speaking.

May not infer a role from what was said: only words that name one count (data/plain.toml).
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from importlib.resources import files
from typing import Final

from normalizer.ticket import Speaker

LABEL_MAX: Final = 24
"""Characters; a longer run before a colon is talk."""

_DATA: Final = tomllib.loads(files("channels").joinpath("phone/data/plain.toml").read_text("utf-8"))
_ROLES: Final = {word: Speaker(role) for role, words in _DATA["roles"].items() for word in words}
_ALONE: Final = frozenset(_DATA["voices"]["alone"])
_NUMBERED: Final = frozenset(_DATA["voices"]["numbered"])
FIELDS: Final[dict[str, str]] = {word: field for field, words in _DATA["fields"].items() for word in words}

_MARKS: Final = "".join(_DATA["numbers"]["marks"])
_REMARK: Final = re.compile(r"[(\[{<][^()\[\]{}<>]{0,20}[)\]}>]$")
_NUMBER_AFTER: Final = re.compile(rf"[\s#_-]*(?:\d{{1,8}}[{_MARKS}]?|[a-z])$", re.ASCII)
_NUMBER_BEFORE: Final = re.compile(rf"^(?:no\.?)?\d{{1,8}}[{_MARKS}]?[\s_-]*", re.ASCII)
# What a name does not hold: punctuation of sentences, quotes, and the marks of JSON, XML, Markdown and mail headers.
_NOT_A_NAME: Final = re.compile(r"[,.!?;\"'`{}<>=|\\/*%$&^~\u3001\u3002\uff0c\uff01\uff1f\uff1b\u201c\u201d\u2026]")
_LABELLED: Final = re.compile(rf"\s*([^:\uff1a\r\n]{{1,{LABEL_MAX}}})[:\uff1a](?!//)\s*")
_BRACKETED: Final = re.compile(
    rf"\s*[\[(\u3010\u3014\uff08\uff3b\u300a]([^\[\]()<>\u3010\u3011\uff08\uff09]{{1,{LABEL_MAX}}})"
    r"[\])\u3011\u3015\uff09\uff3d\u300b][ \t]*[:\uff1a]?[ \t]*"
)


def folded(label: str) -> str:
    """The label as the word lists have it: NFKC, lower case, single blanks."""
    return " ".join(unicodedata.normalize("NFKC", label[: 4 * LABEL_MAX]).casefold().split())


def role_of(label: str) -> Speaker | None:
    """The role that a label names, None when it names none (a voice's number, somebody's name)."""
    word = folded(label)
    for candidate in (word, bare := _REMARK.sub("", word).strip(), _NUMBER_AFTER.sub("", bare)):
        if candidate in _ROLES:
            return _ROLES[candidate]
    return _ROLES.get(_NUMBER_BEFORE.sub("", bare))


def names_a_voice(label: str) -> bool:
    """Whether the label surely names who speaks: a citizen's or a seat's role, or a numbered voice."""
    if role_of(label) in (Speaker.AGENT, Speaker.CITIZEN):
        return True
    word = folded(label)
    before = _NUMBER_AFTER.sub("", word)
    return word in _NUMBERED or (before != word and before.strip(" #_-") in _NUMBERED)


def may_name_a_voice(label: str) -> bool:
    """Whether the label is what people call a voice without a name (A, B): also what lists and keys begin with."""
    return folded(label) in _ALONE


def labelled(line: str) -> tuple[str, str] | None:
    """The name before the first colon (or in brackets, when it surely names a voice), and the rest of the line."""
    bracketed = _BRACKETED.match(line)
    if bracketed is not None and (names_a_voice(bracketed[1]) or role_of(bracketed[1])):
        return bracketed[1].strip(), line[bracketed.end() :].strip()
    match = _LABELLED.match(line)
    if match is None or not _may_be_name(match[1].strip()):
        return None
    return match[1].strip(), line[match.end() :].strip()


def voiced(line: str) -> tuple[str, str]:
    """The same only where the name surely names a voice; else no name and the whole line."""
    found = labelled(line)
    if found is not None and (names_a_voice(found[0]) or role_of(found[0]) is not None):
        return found
    return "", line.strip()


def _may_be_name(label: str) -> bool:
    return bool(label) and label[0] not in "-#+@[(" and _NOT_A_NAME.search(label) is None
