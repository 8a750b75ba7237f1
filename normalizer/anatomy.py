"""What the text of a regular expression tells without being compiled: its alternatives, the strings that every match
holds, the characters with which one begins. Pure; what it cannot tell, it does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_GAP: Final = re.compile(r"\.(?:\{(\d*),(\d+)\}|\*)")
_QUANTIFIER: Final = re.compile(r"[*+?]\??|\{\d*,?\d*\}\??")
_OPTIONAL: Final = re.compile(r"[*?]|\{0?,")
_GROUP: Final = "(?:"
_OF_NO_WIDTH: Final = ("^", "(?=", "(?!", "(?<=", "(?<!", r"\b", r"\B")


def options(pattern: str) -> list[str]:
    """The alternatives of an expression, at its top level."""
    cut, depth = [-1], 0
    for at, char in _plain(pattern):
        depth += (char == "(") - (char == ")")
        if char == "|" and not depth:
            cut.append(at)
    return [pattern[start + 1 : end] for start, end in zip(cut, [*cut[1:], len(pattern)], strict=True)]


def _plain(pattern: str) -> Iterator[tuple[int, str]]:
    """The characters that are neither escaped nor in a class, with where they stand."""
    at, in_class = 0, False
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            at += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
        else:
            yield at, char
        at += 1


@dataclass(frozen=True, slots=True)
class Parts:
    """An option without its gaps at the top level, and the gap between two parts, from how many to how many."""

    texts: tuple[str, ...]
    gap: tuple[int, int] | None


def parts(option: str) -> Parts:
    depth, start, gap = 0, 0, None
    texts: list[str] = []
    for at, char in _plain(option):
        depth += (char == "(") - (char == ")")
        if char == "." and not depth and at >= start and (found := _GAP.match(option, at)):
            texts.append(option[start:at])
            start = found.end()
            gap = (int(found[1] or 0), int(found[2])) if found[2] else None
    return Parts((*texts, option[start:]), gap)


def literals(part: str) -> frozenset[str]:
    """Strings of which every match of the part holds one; empty when that cannot be told."""
    found: set[str] = set()
    for option in options(part):
        best = _literal(option)
        if not best:
            return frozenset()
        found |= best
    return frozenset(found)


def beginning(part: str) -> str | None:
    """A class of the characters with which a match begins; None when that cannot be told."""
    found = _firsts(part)
    return f"[{''.join(sorted(found))}]" if found else None


def _firsts(part: str) -> frozenset[str] | None:
    """Pieces of a class of characters."""
    found: set[str] = set()
    for option in options(part):
        first = _first(option)
        if first is None:
            return None
        found |= first
    return frozenset(found)


def _first(option: str) -> frozenset[str] | None:
    found: frozenset[str] = frozenset()
    at = 0
    while at < len(option):
        atom, at = _atom(option, at)
        quantifier = _QUANTIFIER.match(option, at)
        at = quantifier.end() if quantifier else at
        if atom.startswith(_OF_NO_WIDTH):
            continue
        own = _first_of(atom)
        if own is None:
            return None
        found |= own
        if quantifier is None or not _OPTIONAL.match(quantifier[0]):
            return found
    return None  # it may match nothing


def _first_of(atom: str) -> frozenset[str] | None:
    """Of a character, an escape, a class or a group."""
    if atom.startswith("("):
        return _firsts(atom[len(_GROUP) : -1]) if atom.startswith(_GROUP) else None
    if atom.startswith("["):
        return None if atom.startswith("[^") else frozenset({atom[1:-1]})
    if atom in (".", "$"):
        return None
    return frozenset({atom if atom.startswith("\\") else re.escape(atom)})


def _literal(option: str) -> frozenset[str]:
    """The best that one option tells: its longest literal run, or the literals of a group that must be there."""
    runs: list[frozenset[str]] = []
    run, at = "", 0
    while at < len(option):
        atom, at = _atom(option, at)
        quantifier = _QUANTIFIER.match(option, at)
        at = quantifier.end() if quantifier else at
        optional = quantifier is not None and _OPTIONAL.match(quantifier[0]) is not None
        if len(atom) == 1 and atom not in ".^$" and not optional:
            run += atom
            if quantifier is None:
                continue
        runs.append(frozenset({run} if run else ()))
        run = ""
        if atom.startswith(_GROUP) and not optional:
            runs.append(literals(atom[len(_GROUP) : -1]))
    runs.append(frozenset({run} if run else ()))
    return max(runs, key=lambda told: (min(map(len, told), default=0), -len(told)))


def _atom(option: str, at: int) -> tuple[str, int]:
    """One character, escape, class or group, and where the next begins."""
    char = option[at]
    if char == "\\":
        return option[at : at + 2], at + 2
    if char == "[":
        end = option.index("]", at + 2) + 1
        return option[at:end], end
    if char == "(":
        depth = 0
        for place, one in _plain(option[at:]):
            depth += (one == "(") - (one == ")")
            if not depth:
                return option[at : at + place + 1], at + place + 1
    return char, at + 1
