"""IBM Watson Speech to Text: results with `timestamps` and `word_confidence` lists, also wrapped in a job.

May not keep interim results: the final ones say the same again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from channels.phone.call import Call, Utterance
from channels.phone.formats.losses import beyond_best, notes
from channels.phone.formats.members import (
    Record,
    as_label,
    as_list,
    as_number,
    as_record,
    as_records,
    as_share,
    as_text,
    first_record,
)
from channels.phone.formats.words import Spoken, by_voice, in_time, utterance

NAME: Final = "ibm"
# The service's sign for a filled pause; nobody said it.
HESITATION: Final = "%HESITATION"


def recognise(document: object) -> bool:
    """A job or its result: `final` beside the alternatives, as no other service has it."""
    top = as_record(document)
    inner = as_records(top.get("results"))[:1]
    if inner and isinstance(inner[0].get("results"), list):
        top, inner = inner[0], as_records(inner[0].get("results"))[:1]
    if not inner:
        return "result_index" in top and isinstance(top.get("results"), list)
    return isinstance(inner[0].get("alternatives"), list) and ("final" in inner[0] or "result_index" in top)


def read(document: object) -> Call:
    """One utterance for each result, divided further where the speaker changes."""
    top = as_record(document)
    parts = [part for part in as_records(top.get("results")) if "results" in part] or [top]
    results = [(result, part) for part in parts for result in as_records(part.get("results"))]
    final = [(result, part) for result, part in results if result.get("final") is not False]
    speakers = {id(part): _speakers(part) for part in parts}
    said = [spoken for result, part in final for spoken in _result(result, speakers[id(part)])]
    lost = {
        "partial_results": len(results) - len(final),
        "alternatives": beyond_best(result.get("alternatives") for result, _ in final),
    }
    return Call(format=NAME, utterances=in_time(said), lost=notes(lost))


def _speakers(part: Record) -> Mapping[float | None, str]:
    """Whose the word is that begins at a time: labels repeat the words' times exactly."""
    labels = as_records(part.get("speaker_labels"))
    return {as_number(label.get("from")): as_label(label.get("speaker")) for label in labels}


def _result(result: Record, speakers: Mapping[float | None, str]) -> Iterator[Utterance]:
    best = first_record(result.get("alternatives"))
    words = _words(best, speakers)
    if len({word.speaker for word in words}) > 1:
        yield from by_voice(words, math.inf)
        return
    spoken = [word for word in as_text(best.get("transcript")).split() if word != HESITATION]
    yield utterance(words, text="" if words else " ".join(spoken), confidence=as_share(best.get("confidence")))


def _words(best: Record, speakers: Mapping[float | None, str]) -> list[Spoken]:
    sure = [as_list(entry) for entry in as_list(best.get("word_confidence"))]
    words: list[Spoken] = []
    for place, entry in enumerate(map(as_list, as_list(best.get("timestamps")))):
        text, start, end = (*entry, None, None, None)[:3]
        if text == HESITATION:
            continue
        begun = as_number(start)
        confidence = as_share(sure[place][1]) if place < len(sure) and len(sure[place]) > 1 else None
        words.append(Spoken(as_text(text), begun, as_number(end), confidence, speakers.get(begun, "")))
    return words
