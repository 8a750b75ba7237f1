"""Rules as data: words, what must and must not stand by them, and ways of speaking that void them. Compiles and applies.

May not hold a rule, learn, guess or score: a rule's words are there, in a context that does not void them, or not.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from normalizer.ticket import Flag, Tier

_REACH: Final = 40  # characters to either side, within the sentence, that can change what words mean
_SENTENCE_END: Final = re.compile(r"[。！？!?；;\n]|\.\s")
_MOST_MATCHES: Final = 100  # per rule: hostile input must not hold the server up
_MACRO: Final = re.compile(r"<([a-z_]+)>")
_LITERAL: Final = r"[^\\.^$*+?{}\[\]|()]"


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Context(_Data):
    """A way of speaking that voids words: `before` is searched in the sentence up to them, `after` in the rest of it,
    `sentence` in all of it. Not where `unless` is found in the sentence."""

    name: str
    before: re.Pattern[str] | None = None
    after: re.Pattern[str] | None = None
    sentence: re.Pattern[str] | None = None
    unless: re.Pattern[str] | None = None

    def voids(self, before: str, words: str, after: str) -> bool:
        """Whether the words are not meant so here."""
        whole = f"{before}{words}{after}"
        found = (
            (self.before is not None and self.before.search(before) is not None)
            or (self.after is not None and self.after.search(after) is not None)
            or (self.sentence is not None and self.sentence.search(whole) is not None)
        )
        return found and not (self.unless is not None and self.unless.search(whole))


Word = Annotated[str, Field(pattern=rf"^(?:[a-z' ]{{3,}}|[^a-z\\.^$*+?{{}}\[\]|()]{_LITERAL}(?![*+?{{]))")]
"""A pattern that begins with two literal Han characters, or with a whole Latin word; no bare `|`."""


class Rule(_Data):
    """Any of the words, with `needs` in the same sentence and `around` in the text, without `unless` in the sentence
    and `nowhere` in the text, unless a context voids them. Latin words match as whole words."""

    code: str
    tier: Tier | None = None
    flags: tuple[Flag, ...] = ()
    call: tuple[Literal["110", "119", "120", "122"], ...] = ()
    any: Annotated[tuple[Word, ...], Field(min_length=1)]
    needs: re.Pattern[str] | None = None
    around: re.Pattern[str] | None = None
    unless: re.Pattern[str] | None = None
    nowhere: re.Pattern[str] | None = None
    ruled_out_by: tuple[str, ...] = ()
    examples: Annotated[tuple[str, ...], Field(min_length=2)]
    near_misses: Annotated[tuple[str, ...], Field(min_length=2)]


class RuleFile(_Data):
    """One file of rules. `<name>` in a pattern stands for the macro of that name."""

    macros: Mapping[str, str] = {}
    context: tuple[Context, ...] = ()
    rule: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule whose words are there; `ruled_out_by` names the context that voids every occurrence."""

    rule: Rule
    ruled_out_by: str | None


def load(*names: str) -> RuleFile:
    """The files of that name in `data/urgency`, as one; a macro of one may be used in those after it."""
    macros: dict[str, str] = {}
    contexts: list[object] = []
    rules: list[object] = []
    for name in names:
        data = tomllib.loads(files("normalizer").joinpath(f"data/urgency/{name}.toml").read_text("utf-8"))
        for macro, pattern in data.get("macros", {}).items():
            macros[macro] = f"(?:{_expand(pattern, macros)})"
        contexts += _expand(data.get("context", []), macros)
        rules += _expand(data.get("rule", []), macros)
    return RuleFile.model_validate({"macros": macros, "context": contexts, "rule": rules})


def _expand(value: Any, macros: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _MACRO.sub(lambda found: macros.get(found[1], found[0]), value)
    if isinstance(value, list):
        return [_expand(one, macros) for one in value]
    if isinstance(value, dict):
        return {key: one if key in ("examples", "near_misses") else _expand(one, macros) for key, one in value.items()}
    return value


class Book:
    """Rules, compiled. An ordinary request costs one pass: only rules whose first two characters it holds are tried."""

    def __init__(self, rules: Iterable[Rule], contexts: Iterable[Context]) -> None:
        self.rules: Final = tuple(rules)
        self._contexts: Final = {context.name: context for context in contexts}
        words: dict[str, dict[int, list[str]]] = {}
        for at, rule in enumerate(self.rules):
            for word in rule.any:
                words.setdefault(_key(word), {}).setdefault(at, []).append(_whole(word))
        self._index: Final = {
            key: tuple((at, re.compile("|".join(said))) for at, said in by_rule.items()) for key, by_rule in words.items()
        }
        firsts, seconds = ("".join(sorted({key[at] for key in self._index})) for at in (0, 1))
        # Two sets of characters skip most of a text; the dictionary then decides.
        self._starts: Final = re.compile(f"[{re.escape(firsts)}](?=[{re.escape(seconds)}])")

    def scan(self, text: str) -> list[Finding]:
        """What is found in a folded text, in the order of the rules."""
        found: dict[int, list[re.Match[str]]] = {}
        for key in self._keys(text):
            for at, words in self._index[key]:
                matches = list(islice(words.finditer(text), _MOST_MATCHES))
                if matches:
                    found.setdefault(at, []).extend(matches)
        findings = (self._judge(self.rules[at], found[at], text) for at in sorted(found))
        return [finding for finding in findings if finding is not None]

    def _keys(self, text: str) -> Iterator[str]:
        pairs = {text[at : at + 2] for at in (one.start() for one in self._starts.finditer(text))}
        return (pair for pair in pairs if pair in self._index)

    def _judge(self, rule: Rule, matches: list[re.Match[str]], text: str) -> Finding | None:
        if (rule.around and not rule.around.search(text)) or (rule.nowhere and rule.nowhere.search(text)):
            return None
        verdict: str | None = None
        for found in matches:
            before, after = _sentence(text, found)
            if not _applies(rule, f"{before}{found[0]}{after}"):
                continue
            verdict = self._void(rule, before, found[0], after)
            if verdict is None:
                return Finding(rule, None)
        return Finding(rule, verdict) if verdict else None

    def _void(self, rule: Rule, before: str, words: str, after: str) -> str | None:
        return next((name for name in rule.ruled_out_by if self._contexts[name].voids(before, words, after)), None)


def _key(word: str) -> str:
    return word[:2]


def _whole(word: str) -> str:
    return rf"(?<![a-z]){word}(?![a-z])" if word[0].isascii() else word


def _sentence(text: str, found: re.Match[str]) -> tuple[str, str]:
    """What stands before and after the match in its own sentence, within reach."""
    before = _SENTENCE_END.split(text[max(0, found.start() - _REACH) : found.start()])[-1]
    after = _SENTENCE_END.split(text[found.end() : found.end() + _REACH], maxsplit=1)[0]
    return before, after


def _applies(rule: Rule, sentence: str) -> bool:
    if rule.needs and not rule.needs.search(sentence):
        return False
    return not (rule.unless and rule.unless.search(sentence))
