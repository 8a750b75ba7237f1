"""Urgency rules: data/urgency.toml, compiled. Runs on what came in, uncleaned, so that a receipt can warn.

May not learn, guess or score: a rule's words are there, in a context that does not rule them out, or not.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from normalizer.ticket import Flag, Inbound, Speaker, Tier

_REACH_BEFORE: Final = 40  # characters of the same sentence that can rule a match out
_REACH_AFTER: Final = 40
_LONGEST: Final = 100_000  # characters looked at: hostile input must not hold the server up
_MOST_MATCHES: Final = 100  # per rule, for the same reason


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Context(_Data):
    """A way of speaking about a danger that is not there now. `before` is searched in the sentence up to the
    match, `after` in the rest of it."""

    name: str
    before: re.Pattern[str]
    after: re.Pattern[str]


class Rule(_Data):
    """One danger or outage: any of its words, with `needs` in the same sentence, unless a context voids it.

    Each alternative starts with a literal character and has no `|` at its top level: the first characters
    make the quick test. Latin words match as whole words.
    """

    code: str
    tier: Tier
    flags: tuple[Flag, ...] = ()
    call: tuple[Literal["110", "119", "120", "122"], ...] = ()
    any: Annotated[tuple[Annotated[str, Field(pattern=r"^[^\\.^$*+?{}\[\]|()]")], ...], Field(min_length=1)]
    needs: re.Pattern[str] | None = None
    unless: re.Pattern[str] | None = None
    ruled_out_by: tuple[str, ...] = ()
    examples: Annotated[tuple[str, ...], Field(min_length=2)]
    near_misses: Annotated[tuple[str, ...], Field(min_length=2)]


class Folding(_Data):
    """Traditional characters that occur in the rules, and their simplified forms, one for one."""

    traditional: str
    simplified: str


class RuleBook(_Data):
    """The whole file."""

    folding: Folding
    context: tuple[Context, ...]
    rule: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule whose words are there; `ruled_out_by` names the context that voids every occurrence."""

    rule: Rule
    ruled_out_by: str | None


@dataclass(frozen=True, slots=True)
class _Group:
    """Rules behind one quick test, so that an ordinary request costs one search."""

    quick: re.Pattern[str]
    rules: tuple[tuple[Rule, re.Pattern[str]], ...]


def _compile(rules: Iterable[Rule]) -> _Group:
    compiled = tuple((rule, re.compile("|".join(_whole(word) for word in rule.any))) for rule in rules)
    tails: dict[str, list[str]] = {}
    for rule, _ in compiled:
        for word in rule.any:
            tails.setdefault(word[0], []).append(word[1:])
    # One branch per first character: the engine then skips to candidates by a character set.
    return _Group(re.compile("|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in tails.items())), compiled)


def _whole(word: str) -> str:
    return rf"(?<![a-z]){word}(?![a-z])" if word[0].isascii() else word


BOOK: Final = RuleBook.model_validate(
    tomllib.loads(files("normalizer").joinpath("data/urgency.toml").read_text("utf-8"))
)
_CONTEXTS: Final = {context.name: context for context in BOOK.context}
_DANGERS: Final = _compile(rule for rule in BOOK.rule if rule.tier is Tier.IMMEDIATE)
_OTHERS: Final = _compile(rule for rule in BOOK.rule if rule.tier is not Tier.IMMEDIATE)

_HIDDEN: Final = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_FOLD: Final[dict[str, str]] = {
    **dict(zip(BOOK.folding.traditional, BOOK.folding.simplified, strict=True)),
    **dict.fromkeys(_HIDDEN, ""),
    **{chr(code): chr(code + 0x20) for code in range(0x41, 0x5B)},
    **{chr(code): chr(code - 0xFEE0) for code in (*range(0xFF10, 0xFF1A), *range(0xFF41, 0xFF5B))},
    **{chr(code): chr(code - 0xFEE0 + 0x20) for code in range(0xFF21, 0xFF3B)},
}
_FOLDABLE: Final = re.compile(f"[{''.join(_FOLD)}]")
_SPREAD: Final = re.compile("[ \t\r\n\u00a0\u3000]{1,8}(?=[\u4e00-\u9fff])")  # bounded: runs stay linear
_SENTENCE_END: Final = re.compile(r"[。！？!?；;\n]|\.\s")


def alarms(inbound: Inbound) -> tuple[Flag, ...]:
    """The flags that must reach the sender at once: those of every danger the words name now, and `emergency`
    when the channel set it. Empty for an ordinary request."""
    text = _matter(inbound)
    hits = _hits(text)
    told = tuple(flag for flag in inbound.flags if flag is Flag.EMERGENCY)
    return tuple(dict.fromkeys((*told, *(flag for rule in hits for flag in rule.flags))))


def emergency_numbers(matter: Inbound | str) -> tuple[str, ...]:
    """The numbers to call for the dangers named, the first to call first; empty when there is none."""
    text = matter if isinstance(matter, str) else _matter(matter)
    return tuple(dict.fromkeys(number for rule in _hits(text) for number in rule.call))


def assess(inbound: Inbound) -> tuple[Finding, ...]:
    """Every rule whose words are there, dangers first, each with what rules it out."""
    text = _fold(_matter(inbound))
    return (*_scan(text, _DANGERS), *_scan(text, _OTHERS))


def _hits(text: str) -> list[Rule]:
    return [finding.rule for finding in _scan(_fold(text), _DANGERS) if finding.ruled_out_by is None]


def _matter(inbound: Inbound) -> str:
    """What the citizen said; an agent who names an emergency number must not raise an alarm."""
    ours = (Speaker.AGENT, Speaker.SYSTEM)
    spoken = (turn.text for turn in inbound.conversation if turn.speaker not in ours)
    # Joined by a sentence end, so that one does not explain the other.
    return "。".join((inbound.title or "", inbound.text, *spoken))[:_LONGEST]


def _fold(text: str) -> str:
    """Lower case, half width, simplified, without hidden characters or blanks between Han characters."""
    return _SPREAD.sub(_close, _FOLDABLE.sub(_plain, text))


def _plain(found: re.Match[str]) -> str:
    return _FOLD[found[0]]


def _close(gap: re.Match[str]) -> str:
    before = gap.string[gap.start() - 1 : gap.start()]
    return "" if "\u4e00" <= before <= "\u9fff" else gap[0]


def _scan(text: str, group: _Group) -> list[Finding]:
    if not group.quick.search(text):
        return []
    findings = []
    for rule, words in group.rules:
        verdicts = []
        for found in islice(words.finditer(text), _MOST_MATCHES):
            sentence = _sentence(text, found)
            if _applies(rule, found[0], *sentence):
                verdicts.append(_ruled_out(rule, *sentence))
                if verdicts[-1] is None:
                    break
        if verdicts:
            findings.append(Finding(rule, verdicts[-1]))
    return findings


def _sentence(text: str, found: re.Match[str]) -> tuple[str, str]:
    """What stands before and after the match in its own sentence, within reach."""
    before = _SENTENCE_END.split(text[max(0, found.start() - _REACH_BEFORE) : found.start()])[-1]
    after = _SENTENCE_END.split(text[found.end() : found.end() + _REACH_AFTER], maxsplit=1)[0]
    return before, after


def _applies(rule: Rule, words: str, before: str, after: str) -> bool:
    sentence = f"{before}{words}{after}"
    if rule.needs and not rule.needs.search(sentence):
        return False
    return not (rule.unless and rule.unless.search(sentence))


def _ruled_out(rule: Rule, before: str, after: str) -> str | None:
    for name in rule.ruled_out_by:
        context = _CONTEXTS[name]
        if context.before.search(before) or context.after.search(after):
            return name
    return None
