"""Does a post ask anything? Advertising, lotteries, chain posts, programs' posts, bare mentions and reposts do not.

Pure. May not drop a post, and may not set one apart that could be a request or an emergency: when in doubt it asks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import Final

from channels.social.rules import Data, Words, load
from normalizer.ticket import Decision, Disposition, Flag, Inbound, Note
from normalizer.urgency import assess

STEP: Final = "asking"
_LOOKED_AT: Final = 5_000  # characters
_SIGNS: Final = 2  # of one table, at different places


class _Book(Data):
    asks: Words
    certain_lottery: Words
    lottery: Words
    chain: Words
    advertising: Words
    bare: Words


_BOOK: Final = load("asking", _Book)
_ASKS: Final = _BOOK.asks.compiled()
_LOTTERY_PROGRAM: Final = _BOOK.certain_lottery.compiled()
_TABLES: Final = (
    ("lottery", _BOOK.lottery.compiled()),
    ("chain_post", _BOOK.chain.compiled()),
    ("advertising", _BOOK.advertising.compiled()),
)
# Atomic: a run of such words that ends otherwise is given up at once.
_BARE: Final = re.compile(rf"(?>{_BOOK.bare.compiled().pattern}|[\W_])++", re.IGNORECASE)
_REASONS: Final = {
    "bare_mention": "nothing but a mention, a greeting or marks",
    "bare_repost": "another's post passed on without a word",
    "lottery": "a lottery among those who pass a post on",
    "chain_post": "a text that asks only to be passed on",
    "advertising": "an offer of goods, work or money",
    "bot": "the platform says that a program wrote it",
}


@dataclass(frozen=True, slots=True)
class Asking:
    """A post that asks nothing: kept and listed, not dispatched. `code` says why."""

    code: str

    @property
    def flags(self) -> tuple[Flag, ...]:
        """For `Inbound.flags`."""
        return (Flag.AUTOMATED, Flag.NO_REQUEST) if self.code == "bot" else (Flag.NO_REQUEST,)

    @property
    def disposition(self) -> Disposition:
        """For `Inbound.disposition`."""
        return Disposition(decision=Decision.NONE, reason=_REASONS[self.code])

    @property
    def note(self) -> Note:
        """For `Inbound.notes`."""
        return Note(step=STEP, code=self.code, detail=_REASONS[self.code])


def asks_nothing(written: str, *, said: str, quoted: str = "", files: int = 0, bot: bool = False) -> Asking | None:
    """Why the post asks nothing; None when it does, or may.

    Args:
        written: the post as the platform gives it, with its marks.
        said: what `text.said` left of it: empty when it is nothing but marks.
        quoted: the words of the post that it passes on or answers, if any.
        files: how many pictures hang on it, fetched or not: a picture alone may be a request.
        bot: the platform itself says that a program wrote it. What a program reports is still looked at: a danger or
            a request in it counts.
    """
    written, said, quoted = written[:_LOOKED_AT], said[:_LOOKED_AT], quoted[:_LOOKED_AT]
    if _is_urgent(said):
        return None
    bare = _BARE.fullmatch(said) is not None if said else True
    if bare:
        return _bare(quoted, files)
    if _ASKS.search(said):
        return None
    if bot:
        return Asking("bot")
    if _LOTTERY_PROGRAM.search(written):
        return Asking("lottery")
    return next((Asking(code) for code, signs in _TABLES if _shows(signs, said)), None)


def _bare(quoted: str, files: int) -> Asking | None:
    """Passing on a plea, or a picture without words, is how many ask for help."""
    if files or (quoted and (_is_urgent(quoted) or _ASKS.search(quoted))):
        return None
    return Asking("bare_repost" if quoted else "bare_mention")


def _shows(signs: re.Pattern[str], said: str) -> bool:
    found = {one[0].casefold() for one in islice(signs.finditer(said), 20)}
    return len(found) >= _SIGNS


def _is_urgent(said: str) -> bool:
    """Any rule's words, also where their context rules them out: people must look."""
    if not said:
        return False
    assessed = assess(Inbound(text=said, digest=""))
    return bool(assessed.findings) or assessed.sounds is not None
