"""Rules as data: words, what must and must not stand by them, ways of speaking that void them. Compiles and applies.

May not hold a rule, learn, guess or score: a rule's words are there, in a context that does not void them, or not.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from normalizer.gated import Gated, Pairs, pairs
from normalizer.ticket import Flag, Tier

_LONGEST_SENTENCE: Final = 160
_REACH: Final = 60  # characters to either side, within the sentence, that can change what words mean
_SENTENCE_END: Final = re.compile(r"[。！？!?；;\n]|\.\s")
_MOST_MATCHES: Final = 100  # per rule: hostile input must not hold the server up
_MACRO: Final = re.compile(r"<([a-z_]+)>")
_SPECIAL: Final = frozenset("\\.^$*+?{}[]|()")
_ONE_OF: Final = re.compile(r"(.)\[([^\]^\\-]+)\](?![*+?{])(.*)")


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def _joined(said: str | list[str]) -> Gated:
    return Gated(said if isinstance(said, str) else "|".join(said))


Expression = Annotated[Gated, BeforeValidator(_joined)]
"""A regular expression, or a list of its alternatives."""


class Context(_Data):
    """A way of speaking that voids words: `before` is searched in the sentence up to them, `after` in the rest of it,
    `sentence` in all of it, `earlier` in the whole text up to them. Not where `unless` is found in the sentence."""

    name: str
    before: Expression | None = None
    after: Expression | None = None
    sentence: Expression | None = None
    earlier: Expression | None = None
    unless: Expression | None = None

    def voids(self, held: Pairs, earlier: str, before: str, words: str, after: str) -> bool:
        """Whether the words are not meant so here; `earlier`: all the text up to them; `held`: the pairs of it all."""
        whole = f"{before}{words}{after}"
        void = (
            (self.before is not None and self.before.search(before, held) is not None)
            or (self.after is not None and self.after.search(after, held) is not None)
            or (self.sentence is not None and self.sentence.search(whole, held) is not None)
            or (self.earlier is not None and self.earlier.search(earlier, held) is not None)
        )
        return void and not (self.unless is not None and self.unless.search(whole, held))


def _word(pattern: str) -> str:
    plain = len(pattern) >= 2 and _SPECIAL.isdisjoint(pattern[:2]) and pattern[2:3] not in ("*", "+", "?", "{")
    if not plain:
        raise ValueError("must begin with two characters that stand for themselves")
    return pattern


Word = Annotated[str, AfterValidator(_word)]
"""A pattern without bare `|`. It begins with two characters that stand for themselves: they are its key."""


class Rule(_Data):
    """Any of the words, with `needs` in the same sentence and `around` in the text, without `unless` in the sentence
    and `nowhere` in the text, unless a context voids them. Latin words match as whole words."""

    code: str
    tier: Tier | None = None
    flags: tuple[Flag, ...] = ()
    call: tuple[Literal["110", "119", "120", "122"], ...] = ()
    any: Annotated[tuple[Word, ...], Field(min_length=1)]
    needs: Expression | None = None
    around: Expression | None = None
    unless: Expression | None = None
    nowhere: Expression | None = None
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
        rules += [rule | {"any": _spelt(rule["any"])} for rule in _expand(data.get("rule", []), macros)]
    return RuleFile.model_validate({"macros": macros, "context": contexts, "rule": rules})


def _expand(value: Any, macros: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _MACRO.sub(lambda found: macros.get(found[1], found[0]), value)
    if isinstance(value, list):
        return [_expand(one, macros) for one in value]
    if isinstance(value, dict):
        return {key: one if key in ("examples", "near_misses") else _expand(one, macros) for key, one in value.items()}
    return value


def _spelt(words: Iterable[str]) -> list[str]:
    """`X[ab]…` becomes `Xa…` and `Xb…`, so that each begins with two plain characters."""
    spelt: list[str] = []
    for word in words:
        found = _ONE_OF.fullmatch(word)
        spelt += [f"{found[1]}{second}{found[3]}" for second in found[2]] if found else [word]
    return spelt


class Book:
    """Rules. An ordinary request costs one pass: only rules whose first two characters it holds are tried."""

    def __init__(self, rules: Iterable[Rule], contexts: Iterable[Context]) -> None:
        self.rules: Final = tuple(rules)
        self._contexts: Final = {context.name: context for context in contexts}
        self._words: Final[dict[str, dict[int, list[str]]]] = {}
        for at, rule in enumerate(self.rules):
            for word in rule.any:
                self._words.setdefault(_key(word), {}).setdefault(at, []).append(_whole(word))
        self._keys: Final = frozenset(self._words)
        self._compiled: Final[dict[str, tuple[tuple[int, re.Pattern[str]], ...]]] = {}

    def _expressions(self, key: str) -> tuple[tuple[int, re.Pattern[str]], ...]:
        """The rules with words of that key, and those words; compiled when a text first holds the key."""
        if key not in self._compiled:
            by_rule = self._words[key].items()
            self._compiled[key] = tuple((at, re.compile("|".join(said))) for at, said in by_rule)
        return self._compiled[key]

    def scan(self, text: str) -> list[Finding]:
        """What is found in a folded text, in the order of the rules."""
        found: dict[int, list[re.Match[str]]] = {}
        for key in self._keys & pairs(text):
            for at, words in self._expressions(key):
                matches = list(islice(words.finditer(text), _MOST_MATCHES))
                if matches:
                    found.setdefault(at, []).extend(matches)
        findings = (self._judge(self.rules[at], found[at], text) for at in sorted(found))
        return [finding for finding in findings if finding is not None]

    def _judge(self, rule: Rule, matches: list[re.Match[str]], text: str) -> Finding | None:
        verdict: str | None = None
        held = pairs(text)
        tried: set[int] = set()  # sentences in which the rule does not apply, whichever of its words is looked at
        for found in matches:
            begin, end = _sentence(text, found)
            if begin in tried:
                continue
            spots = _spots(rule, text[begin:end], found.start() - begin, found.end() - begin, held)
            if not spots:
                tried.add(begin)
                continue
            verdicts = [self._void(rule, text[: begin + spot.start], spot, held) for spot in spots]
            verdict = next((one for one in verdicts if one), None)
            if verdict is None:
                break
        else:
            return Finding(rule, verdict) if verdict and _is_around(rule, text, held) else None
        return Finding(rule, None) if _is_around(rule, text, held) else None

    def _void(self, rule: Rule, earlier: str, spot: _Spot, held: Pairs) -> str | None:
        contexts = ((name, self._contexts[name]) for name in rule.ruled_out_by)
        return next((name for name, context in contexts if context.voids(held, earlier, *spot.parts)), None)


@dataclass(frozen=True, slots=True)
class _Spot:
    """Words in a sentence, with what stands beside them within reach."""

    sentence: str
    start: int
    end: int

    @property
    def parts(self) -> tuple[str, str, str]:
        """Before, the words, after."""
        before = self.sentence[max(0, self.start - _REACH) : self.start]
        return before, self.sentence[self.start : self.end], self.sentence[self.end : self.end + _REACH]


def _key(word: str) -> str:
    return word[:2]


def _whole(word: str) -> str:
    return rf"(?<![a-z]){word}(?![a-z])" if word[0].isascii() else word


def _sentence(text: str, found: re.Match[str]) -> tuple[int, int]:
    """Where the sentence begins and ends; what is very long is cut around the words."""
    begin, end = 0, len(text)
    for stop in _SENTENCE_END.finditer(text, max(0, found.start() - _LONGEST_SENTENCE), found.start()):
        begin = stop.end()
    after = _SENTENCE_END.search(text, found.end(), found.end() + _LONGEST_SENTENCE)
    return max(begin, found.start() - _LONGEST_SENTENCE), min(
        after.start() if after else end, found.end() + _LONGEST_SENTENCE
    )


def _is_around(rule: Rule, text: str, held: Pairs) -> bool:
    if rule.around and not rule.around.search(text, held):
        return False
    return not (rule.nowhere and rule.nowhere.search(text, held))


def _spots(rule: Rule, sentence: str, start: int, end: int, held: Pairs) -> list[_Spot]:
    """Where a context is asked for: around the words, and around what they need, which may stand far from them.
    Empty when the rule does not apply to the sentence."""
    spots = [_Spot(sentence, start, end)]
    if rule.needs:
        needed = rule.needs.search(sentence, held)
        if needed is None:
            return []
        spots.append(_Spot(sentence, needed.start, needed.end))
    return [] if rule.unless and rule.unless.search("".join(spots[-1].parts), held) else spots
