"""The one table of readers: from the bytes of a transcript to a Call, recognised by content or named.

May not fetch, open or conclude anything. A format is added by one module and one line here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from channels.phone.call import Call
from channels.phone.document import decode, json_value, refused
from channels.phone.formats import (
    amazon_bedrock,
    amazon_transcribe,
    assemblyai,
    azure,
    call,
    contact_lens,
    dashscope,
    deepgram,
    funasr,
    google,
    ibm,
    iflytek,
    kaldi,
    plain,
    srt,
    tencent,
    vcon,
    webvtt,
    whisper,
)
from normalizer.errors import Rejected

if TYPE_CHECKING:
    from channels.phone.formats.vcon_signed import Keys


class Reader(NamedTuple):
    """How a format is told apart (a cheap look that never raises) and read (raises Rejected only)."""

    recognise: Callable[[object], bool]
    read: Callable[[object], Call]


READERS: Final = MappingProxyType(
    {
        module.NAME: Reader(module.recognise, module.read)
        for module in (
            call,
            dashscope,
            funasr,
            iflytek,
            tencent,
            amazon_transcribe,
            contact_lens,
            amazon_bedrock,
            azure,
            google,
            whisper,
            deepgram,
            assemblyai,
            ibm,
            kaldi,
            webvtt,
            srt,
            plain,
        )
    }
)
"""By name, all but vCon: that is a container, and may hold any of these."""
_TEXTS: Final = frozenset({webvtt.NAME, srt.NAME, plain.NAME})
"""Formats that are never JSON."""


def read(body: bytes, *, named: str | None, keys: Keys, zone: tzinfo) -> Call:
    """The call that the bytes describe.

    Args:
        body: the transcript, in any encoding that `document.decode` knows.
        named: the format, when the sender says so; it is then not looked for.
        keys: public keys that may have signed a vCon.
        zone: what times without a zone are in.

    Raises:
        Rejected: `unknown_format`, `json_invalid`, `encoding_unknown`, or what the format's reader says.
    """
    document = _document(decode(body), named)
    if named == vcon.NAME or (named is None and vcon.recognise(document)):
        return vcon.read(document, keys=keys, read_document=_known, zone=zone)
    reader = _found(document) if named is None else READERS.get(named)
    if reader is None:
        raise _unknown(document, named)
    return reader.read(document)


def load_keys(file: Path | None) -> Keys:
    """The public keys of the file; none without a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds no public key, or a secret one.
    """
    if file is None:
        return ()
    from channels.phone.formats.vcon_signed import load_keys as loaded

    return loaded(file.read_bytes())


def _document(text: str, named: str | None) -> object:
    """JSON when it is JSON; a text may begin with a bracket too ([00:01] ...), so the others are asked then."""
    if named in _TEXTS or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json_value(text)
    except Rejected:
        if _found(text) is None:
            raise
        return text


def _found(document: object) -> Reader | None:
    return next((reader for reader in READERS.values() if reader.recognise(document)), None)


def _known(document: object) -> Call | None:
    reader = _found(document)
    return reader.read(document) if reader is not None else None


def _unknown(document: object, named: str | None) -> Rejected:
    if named is not None:
        return refused("unknown_format", f"The format is one of {', '.join([*READERS, vcon.NAME])}.")
    what = "text" if isinstance(document, str) else "JSON"
    return refused("unknown_format", f"This is {what}, but in no format of transcripts that is read here.")
