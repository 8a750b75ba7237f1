"""From a request to a message that is proved to be WeChat's: signature, freshness, seal, account.

May not accept or answer: what is wrong is raised, with the HTTP status that says it.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from channels.social.signed import Freshness
from channels.wechat.config import WechatConfig
from channels.wechat.keys import Keys, token_of
from channels.wechat.message import Message, message_of
from channels.wechat.passive import Seal
from channels.wechat.sealed import key_of, opened
from channels.wechat.signature import Signature
from channels.wechat.xml import fields_of
from normalizer.errors import Rejected


class RefusedError(Exception):
    """HTTP's own refusal, before anything is parsed or accepted."""

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Proved:
    """A message of WeChat: its XML in the clear, its fields, and how to seal the answer (None: not at all)."""

    body: bytes
    message: Message
    seal: Seal | None

    @property
    def how(self) -> str:
        """Which signature proved it: the plain one does not cover the message."""
        return "signature" if self.seal is None else "sealed_signature"


class Verifier:
    """Knows the account's secrets, and what came lately."""

    def __init__(self, config: WechatConfig, freshness: Freshness | None = None) -> None:
        if config.token_file is None:
            raise ValueError("channels.wechat has no token_file")
        self._config = config
        self._tokens = Keys(config.token_file, token_of)
        self._aes = Keys(config.aes_key_file, key_of) if config.aes_key_file is not None else None
        self._freshness = freshness or Freshness(config.tolerance)

    def echo(self, query: dict[str, str]) -> str:
        """What WeChat wants to see again when the address is saved. Raises RefusedError, TryAgain."""
        signature = self._signature(query)
        if not signature.covers_token(self._tokens.read()):
            raise _wrong()
        word = query.get("echostr", "")
        if not word or len(word) > 128 or not (word.isascii() and word.isprintable()):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "echostr_invalid", "There is no echostr to repeat.")
        return word

    def admit(self, query: dict[str, str]) -> Signature:
        """The signature, as far as it can be checked before the body is read. Raises RefusedError, TryAgain."""
        signature = self._signature(query)
        if self._is_sealed(signature):
            if not signature.sealed:
                raise _wrong()
        elif self._config.takes == "aes":
            raise RefusedError(HTTPStatus.FORBIDDEN, "not_sealed", "This account takes sealed messages only.")
        elif not signature.covers_token(self._tokens.read()):
            raise _wrong()
        return signature

    def prove(self, signature: Signature, body: bytes) -> Proved:
        """The message in the body.

        Raises:
            RefusedError: the signature is wrong or used up; the message is to another account.
            Rejected: it is no message.
            TryAgain: a secret cannot be read.
        """
        fields = fields_of(body)
        seal = None
        if self._is_sealed(signature):
            body, seal = self._open(signature, fields)
            fields = fields_of(body)
        message = message_of(fields)
        if self._config.account is not None and message.account != self._config.account:
            raise RefusedError(HTTPStatus.FORBIDDEN, "other_account", "The message is to another account.")
        if self._freshness.replayed(signature.timestamp, signature.nonce, f"{message.source_id}:{message.digest}"):
            raise RefusedError(HTTPStatus.FORBIDDEN, "signature_replayed", "This signature came with another message.")
        return Proved(body, message, seal)

    def _signature(self, query: dict[str, str]) -> Signature:
        signature = Signature.of(query)
        if signature is None:
            raise _wrong()
        if self._freshness.stale(int(signature.timestamp)):
            raise RefusedError(HTTPStatus.FORBIDDEN, "signature_stale", "The signature is too old, or of the future.")
        return signature

    def _is_sealed(self, signature: Signature) -> bool:
        """Without a key the plain half of a message is read (兼容模式)."""
        return signature.aes and self._aes is not None and self._config.takes != "plain"

    def _open(self, signature: Signature, fields: dict[str, str]) -> tuple[bytes, Seal]:
        encrypted, app_id = fields.get("Encrypt", "").strip(), self._config.app_id
        assert self._aes is not None
        assert app_id is not None
        tokens = self._tokens.read()
        token = next((one for one in tokens if signature.covers_message((one,), encrypted)), None)
        if not encrypted or token is None:
            raise _wrong()
        refused: Rejected | None = None
        for key in self._aes.read():
            try:
                return opened(encrypted, key, app_id), Seal(key, token, app_id)
            except Rejected as error:
                refused = error
        assert refused is not None
        raise refused


def _wrong() -> RefusedError:
    return RefusedError(
        HTTPStatus.UNAUTHORIZED, "signature_invalid", "The request is not signed by this account's token."
    )
