"""Signed and encrypted vCons: believed when a configured key verifies them, otherwise refused with the reason."""

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry, serialize_json

from channels.phone.formats import vcon
from channels.phone.formats.vcon_signed import ALGORITHMS, load_keys
from normalizer.ticket import Speaker
from tests.channels.phone.vcons import (
    a_vcon,
    refusal,
    said,
    transcript,
)

MAKERS: dict[str, Callable[[], Key]] = {
    "RS256": lambda: RSAKey.generate_key(2048),
    "PS256": lambda: RSAKey.generate_key(2048),
    "ES256": lambda: ECKey.generate_key("P-256"),
    "EdDSA": lambda: OKPKey.generate_key("Ed25519"),
}


def signed(document: object, key: Key, algorithm: str) -> dict[str, Any]:
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.get_alg = lambda name: JWSRegistry.algorithms[name]  # type: ignore[method-assign]
    members: Any = [{"protected": {"alg": algorithm}}]
    return dict(serialize_json(members, json.dumps(document), key, registry=registry))


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def public(key: Key) -> tuple[Key, ...]:
    return load_keys(json.dumps(key.as_dict(private=False)).encode())


@pytest.mark.parametrize("algorithm", MAKERS)
def test_a_signed_one_is_read_when_a_configured_key_verifies_it(algorithm: str) -> None:
    key, stranger = MAKERS[algorithm](), ECKey.generate_key("P-384")
    document = signed(transcript([{"party": 0, "text": "My lamp is out."}]), key, algorithm)
    assert vcon.recognise(document)
    call = vcon.read(document, keys=(*public(stranger), *public(key)))
    assert said(call) == [(Speaker.CITIZEN, "My lamp is out.")]
    assert [(check.method, check.result) for check in call.verified] == [("jws", "pass")]


def test_a_large_one_with_a_long_header_is_verified() -> None:
    """joserfc's own limits (512 bytes of header, 128 KB of payload) would refuse a real one."""
    key = ECKey.generate_key("P-256")
    members: Any = [{"protected": {"alg": "ES256", "x5c": ["A" * 9000]}}]
    registry = JWSRegistry(strict_check_header=False)
    payload = json.dumps(transcript([{"party": 0, "text": "x" * 1_000_000}]))
    document = serialize_json(members, payload, key, registry=registry)
    assert len(vcon.read(document, keys=public(key)).utterances[0].text) == 1_000_000


def test_the_flattened_serialization_is_verified_too() -> None:
    key = ECKey.generate_key("P-256")
    document = signed(a_vcon(), key, "ES256")
    flattened = {"payload": document["payload"], **document["signatures"][0]}
    assert vcon.read(flattened, keys=public(key)).call_id == "u-1"


def test_without_a_fitting_key_it_is_refused() -> None:
    key = ECKey.generate_key("P-256")
    document = signed(a_vcon(), key, "ES256")
    assert refusal(document).code == "signature_unverified"
    assert refusal(document, keys=public(ECKey.generate_key("P-256"))).code == "signature_unverified"


def test_a_changed_payload_is_refused() -> None:
    key = ECKey.generate_key("P-256")
    document = signed(a_vcon(), key, "ES256")
    document["payload"] = base64url(json.dumps(a_vcon(uuid="u-2")).encode())
    assert refusal(document, keys=public(key)).code == "signature_unverified"


def test_a_public_key_is_never_taken_for_a_secret_and_none_never_verifies() -> None:
    key = RSAKey.generate_key(2048)
    payload = base64url(json.dumps(a_vcon()).encode())
    for algorithm in ("HS256", "none"):
        head = base64url(json.dumps({"alg": algorithm}).encode())
        mac = hmac.digest(key.as_pem(private=False), f"{head}.{payload}".encode(), "sha256")
        signature = base64url(mac) if algorithm == "HS256" else ""
        forged = {"payload": payload, "signatures": [{"protected": head, "signature": signature}]}
        assert refusal(forged, keys=public(key)).code == "signature_unverified"
    assert not any(name.startswith("HS") or name == "none" for name in ALGORITHMS)


def test_faults_inside_a_signed_one_are_named() -> None:
    key = ECKey.generate_key("P-256")
    error = refusal(signed(a_vcon(uuid=""), key, "ES256"), keys=public(key))
    assert (error.code, [fault.pointer for fault in error.faults]) == ("vcon_invalid", ["/uuid"])
    assert refusal(signed([1], key, "ES256"), keys=public(key)).code == "vcon_invalid"


@pytest.mark.parametrize(
    "broken", [{"signatures": 3}, {"signatures": [{"protected": 1}]}, {"signatures": [{}] * 9}, {"signatures": None}]
)
def test_a_broken_jws_is_refused(broken: dict[str, Any]) -> None:
    assert refusal({"payload": "e30"} | broken).code == "vcon_invalid"


def test_an_encrypted_one_is_refused() -> None:
    document = {"protected": "e30", "recipients": [], "ciphertext": "x", "iv": "", "tag": ""}
    assert vcon.recognise(document)
    assert refusal(document).code == "encrypted"


def test_key_files_hold_public_keys_as_jwk_jwks_or_pem() -> None:
    keys = [maker() for maker in MAKERS.values()]
    jwks = json.dumps({"keys": [key.as_dict(private=False) for key in keys]})
    pem = "\n".join(key.as_pem(private=False).decode() for key in keys)
    assert len(load_keys(jwks.encode())) == len(load_keys(pem.encode())) == len(keys)


@pytest.mark.parametrize(
    "secret", [ECKey.generate_key("P-256"), OctKey.generate_key(256)], ids=["private", "symmetric"]
)
def test_a_key_file_with_a_secret_is_refused(secret: Key) -> None:
    with pytest.raises(ValueError, match="secret"):
        load_keys(json.dumps(secret.as_dict(private=True)).encode())


def test_a_pem_file_with_a_private_key_is_refused() -> None:
    with pytest.raises(ValueError, match="secret"):
        load_keys(ECKey.generate_key("P-256").as_pem(private=True))


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"{", b'{"keys":3}', b"\xff\xfe", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"],
)
def test_a_key_file_without_keys_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="key"):
        load_keys(data)
