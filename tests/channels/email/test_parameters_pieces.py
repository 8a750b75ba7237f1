"""Names of files in pieces and with a charset (RFC 2231): which piece counts, in which order, and read how."""

from __future__ import annotations

import pytest

from channels.email import parameters


def name(written: str, hint: str | None = None) -> str:
    return parameters.read(f"attachment; {written}", hint).parameters["filename"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        # Of several ways to say it: pieces, then the one with a charset, then the plain one; of two alike the first.
        ("filename*=utf-8''one; filename*0=tw; filename*1=o", "two"),
        ("filename*=utf-8''one; filename*=utf-8''two", "one"),
        ("filename=one; filename=two", "one"),
        # Pieces by their number, not by their place, beyond nine and beyond ninety-nine.
        (";".join(f"filename*{at}={at % 10}" for at in range(12, -1, -1)), "0123456789012"),
        ("filename*100=b; filename*99=a", "ab"),
        # A piece without a star holds no escapes, one with a star does.
        ("filename*0*=utf-8''%E6%8A%A5; filename*1=100%25.txt", "报100%25.txt"),
        ("filename*0*=utf-8''a%20; filename*1*=b%20c", "a b c"),
        ("filename=a%20b.txt", "a%20b.txt"),
        # charset'language'value; quotes beyond the second belong to the name, one alone is part of it.
        ("filename*=utf-8'zh'it's.txt", "it's.txt"),
        ("filename*=it's.txt", "it's.txt"),
        ("filename*=''plain.txt", "plain.txt"),
        ("filename*0=a'b'c; filename*1*=d", "a'b'cd"),
        # The charset is believed: the same bytes in another are another name.
        ("filename*=big5''%A4%A4%A4%E5.txt", "中文.txt"),
        ("filename*=gb18030''%D6%D0%CE%C4.txt", "中文.txt"),
        ("filename*=cp1251''%CF%F0%E8%E2%E5%F2.txt", "Привет.txt"),
        # Encoded words inside, which the RFC forbids and programs write all the same.
        ("filename*=utf-8''=%3Futf-8%3FQ%3F=E6=8A=A5%3F=.txt", "报.txt"),
        ("FileName*=utf-8''a.txt", "a.txt"),
        ("filename=a.txt (as sent)", "a.txt"),
        ("filename=a (1)", "a"),
        ('filename="a (1)"', "a (1)"),
        ('filename="a\r\n\tb.txt"', "a b.txt"),
        (f'filename="{"n" * 300};.txt"', "n" * 300 + ";.txt"),
    ],
)
def test_a_name_as_its_sender_meant_it(written: str, read: str) -> None:
    assert name(written) == read


def test_without_a_charset_the_one_of_the_text_is_tried() -> None:
    assert name("filename*=''%E4.txt", "cp1251") == "д.txt"
    assert name("filename*=''%E4.txt") == "ä.txt"
    assert name("filename*=big5''%A4%A4%A4%E5.txt", "cp1251") == "中文.txt"


def test_only_so_many_pieces_and_so_long_a_field_are_read() -> None:
    pieces = ";".join(f"a{at}=x" for at in range(parameters.PIECES_MAX + 50))
    assert len(parameters.read(f"attachment; {pieces}").parameters) == parameters.PIECES_MAX
    far = "attachment; " + " " * parameters.FIELD_MAX + "; filename=a"
    assert dict(parameters.read(far).parameters) == {}
