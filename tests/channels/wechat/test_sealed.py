"""Sealed messages: the platform's own example, another library's, and everything that can be wrong with one."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.social.signed import signed
from channels.wechat.sealed import closed, key_of, opened
from channels.wechat.xml import fields_of
from normalizer.errors import Rejected
from tests.channels.wechat.wechats import APP_ID, KEY
from tests.social_samples.tally import DATA

SAMPLES = DATA / "wechat_xml/wechatpy"
RANDOM = b"1234567890123456"
# Of wechatpy's public tests (an enterprise account: its seal is the same).
TOKEN, CORP_ID = "123456", "wx49f0ab532d5d035a"
CORP_KEY = key_of("kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR")
# Of the platform's own example programs (WXBizMsgCrypt), as many repositories carry them.
EXAMPLE = (
    "hyzAe4OzmOMbd6TvGdIOO6uBmdJoD0Fk53REIHvxYtJlE2B655HuD0m8KUePWB3+LrPXo87wzQ1QLvbeUgmBM4x6F8PGHQHFVAFmOD2LdJF9FrXpbUAh0B"
    "5GIItb52sn896wVsMSHGuPE328HnRGBcrS7C41IzDWyWNlZkyyXwon8T332jisa+h6tEDYsVticbSnyU8dKOIbgU6ux5VTjg3yt+WGzjlpKn6NPhRjpA912"
    "xMezR4kw6KWwMrCVKSVCZciVGCgavjIQ6X8tCOp3yZbGpy0VxpAe+77TszTfRd5RJSVO/HTnifJpXgCSUdUue1v6h0EIBYYI1BD1DlD+C0CR8e6OewpusjZ"
    "4uBl9FyJvnhvQl+q5rv1ixrcpCumEPo5MJSgM9ehVsNPfUM669WuMyVWQLCzpu9GhglF2PE="
)
samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared objects of platforms are not beside the project")


def test_the_example_of_the_platform_opens() -> None:
    signature = signed("spamtest", "1409735669", "1320562132", EXAMPLE)
    assert signature == "5d197aaffba7e9b25a30732f161a50dee96bd5fa"
    fields = fields_of(opened(EXAMPLE, key_of("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"), "wx2c2769f8efd9abc2"))
    assert (fields["FromUserName"], fields["Content"]) == ("oyORnuP8q7ou2gfYjqLzSIWZf0rs", "abcdteT")


@samples
def test_what_another_library_sealed_opens() -> None:
    encrypted = fields_of((SAMPLES / "test_crypto_002.xml").read_bytes())["Encrypt"]
    assert signed(TOKEN, "1411525903", "461056294", encrypted) == "74d92dfeb87ba7c714f89d98870ae5eb62dff26d"
    fields = fields_of(opened(encrypted, CORP_KEY, CORP_ID))
    assert (fields["FromUserName"], fields["Content"]) == ("messense", "test")


@samples
def test_what_we_seal_is_byte_for_byte_what_another_library_seals() -> None:
    plain = (SAMPLES / "test_crypto_000.xml").read_bytes().strip()
    expected = fields_of((SAMPLES / "test_crypto_001.xml").read_bytes())
    encrypted = closed(plain, CORP_KEY, CORP_ID, RANDOM)
    assert encrypted == expected["Encrypt"]
    assert signed(TOKEN, expected["TimeStamp"], expected["Nonce"], encrypted) == expected["MsgSignature"]


@given(st.binary(max_size=300), st.binary(min_size=16, max_size=16))
def test_what_is_sealed_opens_again_whatever_its_length(xml: bytes, random: bytes) -> None:
    assert opened(closed(xml, KEY, APP_ID, random), KEY, APP_ID) == xml


@given(st.binary(max_size=200))
def test_anything_else_is_refused_with_a_code(damaged: bytes) -> None:
    with pytest.raises(Rejected) as refused:
        opened(b64encode(damaged).decode(), KEY, APP_ID)
    assert refused.value.code in ("sealed_unreadable", "sealed_for_another")


@pytest.mark.parametrize("encrypted", ["", "=", "é", "a b", "AAAA", "A" * 23, "\ud800"], ids=repr)
def test_what_is_no_base64_of_whole_blocks_is_refused(encrypted: str) -> None:
    with pytest.raises(Rejected) as refused:
        opened(encrypted, KEY, APP_ID)
    assert refused.value.code == "sealed_unreadable"


def test_a_message_for_another_account_or_with_another_key_is_refused() -> None:
    sealed = closed(b"<xml/>", KEY, APP_ID, RANDOM)
    with pytest.raises(Rejected) as another:
        opened(sealed, KEY, APP_ID + "0")
    assert another.value.code == "sealed_for_another"
    with pytest.raises(Rejected):
        opened(sealed, bytes(32), APP_ID)


def test_a_length_that_reaches_beyond_the_message_is_refused() -> None:
    import struct

    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    plain = RANDOM + struct.pack(">I", 2**32 - 1) + b"<xml/>" + APP_ID.encode()
    pad = 32 - len(plain) % 32
    encryptor = Cipher(algorithms.AES256(KEY), modes.CBC(KEY[:16])).encryptor()
    sealed = b64encode(encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()).decode()
    with pytest.raises(Rejected) as refused:
        opened(sealed, KEY, APP_ID)
    assert refused.value.code == "sealed_unreadable"


def test_padding_reaches_up_to_32_bytes() -> None:
    """PKCS#7 with a block of 32: AES's own 16 would refuse half of WeChat's messages."""
    for length in range(64):
        sealed = closed(b"x" * length, KEY, APP_ID, RANDOM)
        assert len(b64decode(sealed)) % 32 == 0
        assert opened(sealed, KEY, APP_ID) == b"x" * length


@pytest.mark.parametrize("text", ["", "a" * 42, "a" * 44, "a" * 42 + "=", "a" * 42 + "-"], ids=repr)
def test_what_is_no_encoding_aes_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        key_of(text)
