"""The language of the request, judged by script alone (BCP 47), and a note when a reader of it must be asked.

May not claim more than the script shows.
"""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from typing import Final

from normalizer.ticket import Inbound, Note, Ticket

STEP: Final = "language"

_DATA = tomllib.loads(files("normalizer").joinpath("data/scripts.toml").read_text("utf-8"))
_READERS: Final = frozenset(_DATA["readers"]["languages"])
_SAMPLE = 2_000  # characters: enough to tell a script
_LINKS = re.compile(r"(?:https?://|www\.)[!-~]+|[!-?A-~]{1,64}@[!-?A-~]+")
_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]+")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]+")
_TRADITIONAL = re.compile(f"[{_DATA['han']['traditional']}]")
_SIMPLIFIED = re.compile(f"[{_DATA['han']['simplified']}]")
_OTHERS: Final = {
    "hangul": re.compile("[\u1100-\u11ff\uac00-\ud7a3]+"),
    "kana": re.compile("[\u3041-\u30ff]+"),
    "arabic": re.compile("[\u0620-\u06ff\ufb50-\ufdff\ufe70-\ufefc]+"),
    "tibetan": re.compile("[\u0f00-\u0fff]+"),
    "mongolian": re.compile("[\u1800-\u18af]+"),
    "cyrillic": re.compile("[\u0400-\u04ff]+"),
}
_ANY_OTHER = re.compile(
    "[\u0400-\u04ff\u0620-\u06ff\u0f00-\u0fff\u1100-\u11ff\u1800-\u18af\u3041-\u30ff\uac00-\ud7a3\ufb50-\ufdff\ufe70-\ufefc]"
)
# Letters that only this language uses among those we expect in its script: tag -> (must have, must not have).
_UYGHUR = re.compile("[\u06d5\u06d0\u06c6\u06c8\u06c7\u06ad]")
_MONGOLIAN_CYRILLIC = re.compile(
    "[\u04e8\u04e9\u04ae\u04af]|аа|ээ|оо|уу|йх|\\b(?:бай|бид|энэ|тэр|манай|юу|хэн|надад)", re.IGNORECASE
)
_KAZAKH_CYRILLIC = re.compile("[\u049a\u049b\u0492\u0493\u04a2\u04a3\u04d8\u04d9\u0406\u0456]")


def detect(text: str) -> str | None:
    """`zh-Hans`, `zh-Hant`, `en`, `ko`, `ja`, `ug`, `bo`, `mn`, `ru`, or None when the script does not tell.

    A Han character, a kana or a Hangul syllable counts as two letters of an alphabet.
    """
    sample = _LINKS.sub(" ", text[:_SAMPLE])
    han = _letters(_HAN, sample)
    weights = {"han": han * 2, "latin": _letters(_LATIN, sample)}
    if _ANY_OTHER.search(sample):
        weights |= {script: _letters(pattern, sample) for script, pattern in _OTHERS.items()}
        weights["hangul"] *= 2
        # Japanese mixes kana into Han: a fair share of kana makes the Han Japanese too.
        weights["kana"] = (weights["kana"] + han) * 2 if weights["kana"] * 4 >= han else 0
    script = max(weights, key=lambda name: weights[name])
    return _language(script, sample) if weights[script] else None


def find_language(inbound: Inbound, draft: Ticket) -> Ticket:
    """Fill requester.language: what the source said, else what the script shows."""
    given = draft.requester.language
    found = detect("\n".join((draft.title, draft.text, *(turn.text for turn in draft.conversation))))
    notes = [_reader(found)] if found in _READERS else []
    if given and _TAG.fullmatch(given):
        return draft.model_copy(update={"notes": (*draft.notes, *notes)}) if notes else draft
    if found:
        notes.insert(0, Note(step=STEP, code="by_script", detail=f"the script shows {found}"))
    else:
        notes.append(Note(step=STEP, code="undetermined", detail="the script does not tell a language"))
    return draft.model_copy(
        update={
            "requester": draft.requester.model_copy(update={"language": found}),
            "notes": (*draft.notes, *notes),
        }
    )


def _reader(language: str | None) -> Note:
    """No rule reads these words: somebody must, before a danger in them is overlooked."""
    return Note(step=STEP, code="needs_reader", detail=f"ask somebody who reads {language}: no rule of urgency does")


def _letters(pattern: re.Pattern[str], sample: str) -> int:
    return sum(map(len, pattern.findall(sample)))


def _language(script: str, sample: str) -> str | None:
    if script == "han":
        traditional = len(_TRADITIONAL.findall(sample))
        return "zh-Hant" if traditional > len(_SIMPLIFIED.findall(sample)) else "zh-Hans"
    if script == "arabic":
        return "ug" if _UYGHUR.search(sample) else None
    if script == "cyrillic":
        if _KAZAKH_CYRILLIC.search(sample):
            return None
        return "mn" if _MONGOLIAN_CYRILLIC.search(sample) else "ru"
    return {"latin": "en", "hangul": "ko", "kana": "ja", "tibetan": "bo", "mongolian": "mn"}[script]
