"""PGP in a text: the frame of what was signed goes, what is sealed becomes a file, what is no whole frame stays."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.pgp import Unframed, unframe

SEALED = "-----BEGIN PGP MESSAGE-----\n\nhQEM\n=aaaa\n-----END PGP MESSAGE-----"
SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n\niHUE\n-----END PGP SIGNATURE-----"


def test_a_sealed_message_is_taken_out_and_the_words_around_it_stay() -> None:
    found = unframe(f"您好\n{SEALED}\n谢谢\n{SEALED}\n")
    assert found == Unframed("您好\n谢谢\n", (SEALED + "\n", SEALED + "\n"), encrypted=True)


def test_of_a_signed_text_the_words_are_read_with_their_own_dashes() -> None:
    text = f"a\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\nHash: SHA512\n\nb\n- -- \nc\n{SIGNATURE}\nd"
    assert unframe(text) == Unframed("a\nb\n-- \nc\nd", signed=True)


def test_a_field_among_the_signed_words_is_a_word() -> None:
    text = f"-----BEGIN PGP SIGNED MESSAGE-----\n\nHash: none\n\nb\n{SIGNATURE}"
    assert unframe(text).text == "Hash: none\n\nb"


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PGP MESSAGE-----\n\nhQEM",
        "-----END PGP MESSAGE-----",
        f"{SIGNATURE}",
        "-----BEGIN PGP SIGNED MESSAGE-----\n\nwords\n-----END PGP SIGNATURE-----",
        f"{SIGNATURE}\n-----BEGIN PGP SIGNED MESSAGE-----\n-----END PGP SIGNATURE-----",
        "> " + SEALED.replace("\n", "\n> "),
        "see -----BEGIN PGP MESSAGE----- there",
    ],
)
def test_what_is_no_whole_frame_stays_as_it_is(text: str) -> None:
    found = unframe(text)
    assert (found.text, found.sealed) == (text, ())


def test_the_last_beginning_counts() -> None:
    assert unframe(f"-----BEGIN PGP MESSAGE-----\nwords\n{SEALED}").text == "-----BEGIN PGP MESSAGE-----\nwords"


LINES = [
    line
    for text in (SEALED, SIGNATURE, "-----BEGIN PGP SIGNED MESSAGE-----\nHash: x\n\n- a")
    for line in text.split("\n")
]


@given(st.lists(st.sampled_from(LINES), max_size=30))
def test_no_line_is_made_up_and_a_second_look_finds_what_the_first_left(lines: list[str]) -> None:
    found = unframe("\n".join(lines))
    assert set(found.text.split("\n")) <= {line.removeprefix("- ") for line in lines} | set(lines) | {""}
    assert all(
        one.startswith("-----BEGIN PGP MESSAGE") and one.endswith("END PGP MESSAGE-----\n") for one in found.sealed
    )


def test_many_frames_take_no_time() -> None:
    began = time.process_time()
    unframe("-----BEGIN PGP MESSAGE-----\n" * 100_000)
    unframe(f"{SEALED}\n" * 50_000)
    unframe("-----BEGIN PGP SIGNED MESSAGE-----\n" * 50_000 + f"{SIGNATURE}\n" * 50_000)
    assert time.process_time() - began < 5
