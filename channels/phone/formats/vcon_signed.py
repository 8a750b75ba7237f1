"""The signed form of a vCon (JWS JSON serialization, RFC 7515 section 7.2) and the keys that may have signed it.

May not trust a key that the document brings along (x5c, jwk, jku): only those that the operator configured.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import ECKey, Key, KeySet, OctKey, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry, deserialize_json
from pydantic import BaseModel, ConfigDict, ValidationError

from channels.phone.document import json_value, refused
from channels.phone.formats.members import as_record
from channels.phone.formats.nested import as_json
from normalizer.errors import Fault, Rejected

Keys = tuple[Key, ...]

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"),
)
"""Public-key signatures only: `none` proves nothing, and an HMAC would take a public key for a secret."""
SIGNATURES_MAX: Final = 8
# joserfc allows headers of 512 bytes; a certificate chain in x5c takes some 7 KB.
HEADER_MAX_BYTES: Final = 64 * 1024
SIGNATURE_MAX_BYTES: Final = 4 * 1024

_PEM: Final = re.compile(r"-----BEGIN ([A-Z ]{1,40})-----[^-]*-----END \1-----")
_PEM_KINDS: Final = {"CERTIFICATE", "PUBLIC KEY"}


class _SecretFound(ValueError):
    def __init__(self) -> None:
        super().__init__("the key file holds a secret or an unknown PEM block; only public keys belong there")


class _Signature(BaseModel):
    """`header`, the unprotected one, is left unread: anybody could have written it."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    protected: str
    signature: str


class _Signed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    payload: str
    signatures: tuple[_Signature, ...]


class _Registry(JWSRegistry):
    """joserfc's own warns at every `EdDSA`, which RFC 9864 deprecates for not naming the curve: our keys name it."""

    def get_alg(self, name: str) -> JWSAlgModel:
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


def load_keys(data: bytes) -> Keys:
    """The public keys of a file: a JWK, a JWK Set, or PEM blocks of certificates and public keys.

    A certificate counts for its key alone: who configures it has decided to trust it, whatever its dates and issuer.

    Raises:
        ValueError: the file holds no key, a private or symmetric one, or something else.
    """
    try:
        text = data.decode("utf-8")
        keys = tuple(_of_jwks(text) if text.lstrip().startswith("{") else _of_pem(text))
    except _SecretFound:
        raise
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("the key file holds something that is no key") from error
    if not keys:
        raise ValueError("the key file holds no key")
    for key in keys:
        if isinstance(key, OctKey) or key.is_private:
            raise _SecretFound
    return keys


def verified_payload(document: object, keys: Keys) -> object:
    """The JSON value that one of `keys` has signed. One good signature is enough: a relay may have added its own.

    Raises:
        Rejected: `signature_unverified` (no keys, or none fits), `json_invalid` (what was signed is no JSON),
            `vcon_invalid` (no JWS).
    """
    signed = _signed(document)
    if not keys:
        raise _unverified("This vCon is signed, and no keys are configured to verify it (channels.phone.vcon_keys).")
    payload = next((found for found in _attempts(signed, keys) if found is not None), None)
    if payload is None:
        raise _unverified("This vCon is signed, and none of the configured keys verifies a signature of it.")
    try:
        return json_value(payload.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise refused("json_invalid", "What was signed is not text in UTF-8.") from error


def _signed(document: object) -> _Signed:
    record = as_record(document)
    general = record if "signatures" in record else {"payload": record.get("payload"), "signatures": [record]}
    try:
        signed = _Signed.model_validate(general)
    except ValidationError as error:
        pointers = {"/" + "/".join(map(str, entry["loc"])) for entry in error.errors(include_input=False)}
        faults = [Fault(pointer, "jws", "must be text in base64url") for pointer in sorted(pointers)[:SIGNATURES_MAX]]
        raise Rejected("vcon_invalid", "This vCon looks signed, but is no JWS JSON serialization.", faults) from error
    if len(signed.signatures) > SIGNATURES_MAX:
        fault = Fault("/signatures", "too_many", f"must be at most {SIGNATURES_MAX}")
        raise Rejected("vcon_invalid", "This vCon has too many signatures.", [fault])
    return signed


def _attempts(signed: _Signed, keys: Keys) -> Iterator[bytes | None]:
    registry = _Registry(algorithms=ALGORITHMS, strict_check_header=False)
    registry.max_header_length = HEADER_MAX_BYTES
    registry.max_signature_length = SIGNATURE_MAX_BYTES
    registry.max_payload_length = len(signed.payload)  # the whole submission was measured when it came in
    for signature in signed.signatures:
        for key in keys:
            yield _attempt(signed.payload, signature, key, registry)


def _attempt(payload: str, signature: _Signature, key: Key, registry: JWSRegistry) -> bytes | None:
    """None when the signature is not by this key. A hostile header fails in many ways; none of them verifies."""
    try:
        checked = deserialize_json(
            {
                "payload": payload,
                "signatures": [{"protected": signature.protected, "signature": signature.signature}],
            },
            key,
            registry=registry,
        )
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return checked.payload


def _of_jwks(text: str) -> Iterator[Key]:
    value: Any = as_json(text)
    yield from KeySet.import_key_set(value).keys if "keys" in value else [import_key(value)]


def _of_pem(text: str) -> Iterator[Key]:
    for block in _PEM.finditer(text):
        if block[1] not in _PEM_KINDS:
            raise _SecretFound
        yield _of_block(block[0])


def _of_block(pem: str) -> Key:
    """PEM does not say which kind of key it holds outside its encoding."""
    for kind in (RSAKey, ECKey, OKPKey):
        try:
            return kind.import_key(pem)
        except JoseError:
            continue
    raise ValueError("the key file holds a key of an unknown kind")


def _unverified(detail: str) -> Rejected:
    return Rejected("signature_unverified", detail, [Fault("/signatures", "signature_unverified", detail)])
