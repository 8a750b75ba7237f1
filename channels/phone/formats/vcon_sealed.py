"""Whether a document is a signed or an encrypted vCon, by its shape alone: no cryptography is loaded for the look.

May not verify or decrypt (vcon_signed.py verifies).
"""

from __future__ import annotations

from channels.phone.formats.members import as_record


def is_signed(document: object) -> bool:
    """Whether it has the shape of the general or the flattened serialization."""
    record = as_record(document)
    return isinstance(record.get("payload"), str) and bool(record.keys() & {"signatures", "signature"})


def is_encrypted(document: object) -> bool:
    """Whether it has the shape of a JWE (RFC 7516 section 7.2)."""
    record = as_record(document)
    return "ciphertext" in record and bool(record.keys() & {"recipients", "protected", "encrypted_key"})
