"""Coverage-guided fuzzing of the reading of mail: whatever the bytes, a valid Inbound or a coded refusal, in time.

`make fuzz` runs it for FUZZ_SECONDS; `python -m tests.fuzz.mail FILE...` holds single files against the same laws.
What a run finds becomes a test in tests/channels/email/test_fuzz_found.py.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["channels.email", "email"]):
    from channels.email.bodies import TEXT_MAX
    from channels.email.parse import SUBJECT_MAX, Site, parse
    from channels.email.threads import message_id, reply_address

from normalizer import normalize
from normalizer.errors import Rejected
from normalizer.identity import number
from normalizer.ticket import Inbound, Raw
from tests.fuzz.seeds import SEEDS, TOKENS

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = ROOT / "var/fuzz/mail"
"""What earlier runs found worth keeping: the next one starts from it."""
SEEDED: Final = (ROOT / "tests/corpus/email", ROOT / "../shared/data/mail")
SIZE_MAX: Final = 64 * 1024
SECONDS_MAX: Final = 2.0
"""CPU time of one reading; the instrumented code is some three times slower than the real one."""

NOW: Final = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
NUMBER: Final = number(date(2026, 11, 23), 1, 1)
SITE: Final = Site(("hotline@hotline.example", "postmaster@hotline.example"), b"fuzzing")
CODES: Final = frozenset({"too_many_parts", "too_large"})
ENVELOPE: Final = re.compile(rb"MAIL ([^\n]{0,200})\n(?:RCPT ([^\n]{0,400})\n)?(?:AUTH ([^\n]{0,200})\n)?")
KEY: Final = re.compile(r"number:\d{16,24}|email:[0-9a-f]{32}")
SENDER: Final = re.compile(r"email:\S*[^@\s]\S*", re.DOTALL)
CODE: Final = re.compile(r"[a-z]+(?:_[a-z]+)*")


def submitted(data: bytes) -> Raw:
    """The mail in `data`; lines `MAIL <from>`, `RCPT <to>` and `AUTH <marks>` before it are its meta."""
    match = ENVELOPE.match(data)
    said = zip(("envelope_from", "envelope_to", "verified"), match.groups() if match else (), strict=False)
    meta = {name: value.decode("utf-8", "replace") for name, value in said if value is not None}
    body = data[match.end() :] if match else data
    return Raw(channel="email", source_id="fuzz", received_at=NOW, body=body, content_type="message/rfc822", meta=meta)


def hold(data: bytes) -> None:
    """Every law, for one input. Raises AssertionError, or what the reading should not have raised."""
    raw = submitted(data)
    began = time.process_time()
    try:
        inbound: Inbound | None = parse(raw, SITE)
    except Rejected as refused:
        inbound, code = None, refused.code
    took = time.process_time() - began
    assert took < SECONDS_MAX, f"{took:.1f} s for {len(data)} bytes"
    if inbound is None:
        assert code in CODES, code
        return
    assert parse(raw, SITE) == inbound, "the same bytes gave another Inbound"
    _is_sound(inbound)
    if inbound.set_aside is None:
        ticket = normalize(raw, inbound, number=NUMBER)
        assert ticket.text.strip() or inbound.attachments
        ticket.model_dump_json().encode()


def _is_sound(inbound: Inbound) -> None:
    assert Inbound.model_validate(inbound.model_dump()) == inbound
    inbound.model_dump_json(exclude={"attachments": {"__all__": {"content"}}}).encode()
    for text in (inbound.text, inbound.title or "", inbound.requester.email or "", inbound.requester.name or ""):
        text.encode()
        assert "\0" not in text
    assert len(inbound.text) <= TEXT_MAX + SUBJECT_MAX
    assert inbound.text.strip() or inbound.attachments or inbound.set_aside
    assert not {"\r", "\n"} & set(inbound.title or "")
    assert len(inbound.title or "") <= SUBJECT_MAX
    assert re.fullmatch(r"[0-9a-f]{64}", inbound.digest)
    assert len(inbound.threads) < 40
    assert len(set(inbound.threads)) == len(inbound.threads)
    assert all(map(KEY.fullmatch, inbound.threads)), inbound.threads
    assert all(map(SENDER.fullmatch, inbound.senders)), inbound.senders
    assert len(inbound.senders) <= 1
    assert len(inbound.attachments) <= 2_000
    assert all(one.name and not {"\r", "\n", "\0"} & set(one.name) for one in inbound.attachments)
    assert all(CODE.fullmatch(note.code) and note.detail for note in inbound.notes)
    if inbound.set_aside is not None:
        assert CODE.fullmatch(inbound.set_aside.code)
        assert inbound.set_aside.detail


def _write_seeds(folder: Path) -> None:
    ours = f"<{message_id(NUMBER, 'receipt', 'hotline.example', b'fuzzing').strip('<>')}>"
    filled = {
        b"@SIGNED@": reply_address("hotline@hotline.example", NUMBER, b"fuzzing").encode(),
        b"@OURS@": ours.encode(),
        b"@FOREIGN@": b"<1@citizen.example>",
        b"@NUMBER@": NUMBER.encode(),
    }
    for at, seed in enumerate(SEEDS):
        mail = seed
        for place, value in filled.items():
            mail = mail.replace(place, value)
        (folder / f"seed-{at:02}").write_bytes(mail)
        (folder / f"seed-{at:02}-crlf").write_bytes(mail.replace(b"\n", b"\r\n"))


def _write_tokens(file: Path) -> None:
    """A dictionary of the engine: one quoted token a line."""
    lines = ['"' + "".join(f"\\x{byte:02x}" for byte in token) + '"' for token in TOKENS]
    file.write_text("\n".join(lines) + "\n", "ascii")


def main() -> None:
    """`python -m tests.fuzz.mail [-max_total_time=SECONDS] [FILE...]`: without a file, until a law breaks."""
    files = [Path(given) for given in sys.argv[1:] if not given.startswith("-")]
    if files:
        for file in files:
            hold(file.read_bytes())
        print(f"{len(files)} files keep the laws")
        return
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        seeds, tokens = Path(made) / "seeds", Path(made) / "tokens"
        seeds.mkdir()
        _write_seeds(seeds)
        _write_tokens(tokens)
        given = [str(folder) for folder in (seeds, *SEEDED) if folder.is_dir()]
        limits = [f"-max_len={SIZE_MAX}", "-timeout=30", "-rss_limit_mb=2048", "-print_final_stats=1"]
        options = [*limits, f"-dict={tokens}", f"-artifact_prefix={KEPT.parent}/", *sys.argv[1:]]
        atheris.Setup([sys.argv[0], *options, str(KEPT), *given], hold)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
