"""An IMAP server that fails as real ones do and Dovecot cannot be made to: by a script, over a real socket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final

SILENT: Final = object()
"""The answer that never comes."""
GONE: Final = object()
"""The connection ends instead."""


class BadImap:
    """One folder with `mails` (UID -> bytes). `spoil(command)` decides first: bytes are sent as they are (TAG is the
    command's; after a BYE it hangs up), SILENT, GONE; None: it answers well. `log`: every command, without its tag."""

    def __init__(self, mails: dict[int, bytes], spoil: Callable[[str], Any] = lambda _command: None) -> None:
        self.mails = mails
        self.spoil = spoil
        self.marked: dict[int, str] = {}
        self.log: list[str] = []
        self.connections = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.greeting: bytes | None = b"* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n"
        self.port = 0

    async def __aenter__(self) -> BadImap:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for writer in self.open:
            writer.close()
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        idling = ""
        try:
            if self.greeting is not None:
                writer.write(self.greeting)
            while line := (await reader.readline()).decode().rstrip("\r\n"):
                tag, _, command = line.partition(" ")
                if command == "IDLE":
                    idling = tag
                if tag == "DONE":
                    tag, command = idling, "DONE"
                self.log.append(command)
                spoiled = self.spoil(command)
                if isinstance(spoiled, bytes):
                    writer.write(spoiled.replace(b"TAG", tag.encode()))
                    spoiled = GONE if spoiled.startswith(b"* BYE") else SILENT
                if spoiled is GONE:
                    return
                if spoiled is not SILENT:
                    await self._answer(writer, tag, command)
            await reader.read()
        except ConnectionError:
            pass
        finally:
            self.open.discard(writer)
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, tag: str, command: str) -> None:
        name = re.sub(r"^UID ", "", command).split(" ")[0]
        answers: dict[str, Callable[[str], bytes]] = {
            "CAPABILITY": lambda _: b"* CAPABILITY IMAP4rev1 IDLE\r\n",
            "SELECT": self._select,
            "SEARCH": self._search,
            "FETCH": self._fetch,
            "STORE": self._store,
        }
        if name == "IDLE":
            writer.write(b"+ idling\r\n")
            return
        if name in answers:
            writer.write(answers[name](command))
        writer.write(f"{tag} OK done\r\n".encode())
        await writer.drain()

    def _select(self, _command: str) -> bytes:
        lines = [
            f"* {len(self.mails)} EXISTS",
            "* OK [PERMANENTFLAGS (\\Seen \\*)] all",
            "* OK [UIDVALIDITY 7] ids",
            "* OK [READ-WRITE] selected",
        ]
        return "".join(line + "\r\n" for line in lines).encode()

    def _search(self, _command: str) -> bytes:
        uids = " ".join(str(uid) for uid in sorted(self.mails) if uid not in self.marked)
        return f"* SEARCH {uids}".rstrip().encode() + b"\r\n"

    def _fetch(self, command: str) -> bytes:
        answer = b""
        for uid in _uids(command):
            mail = self.mails[uid]
            if "RFC822.SIZE" in command:
                answer += b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % (uid, uid, len(mail))
            else:
                answer += b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)\r\n" % (uid, uid, len(mail), mail)
        return answer

    def _store(self, command: str) -> bytes:
        for uid in _uids(command):
            self.marked[uid] = command.split("(")[1].rstrip(")")
        return b""

    def block(self, folder: Any, **more: Any) -> dict[str, Any]:
        """`channels.email.imap` for it; `folder`: where the password file is written."""
        (folder / "password").write_text("secret\n")
        block = {"host": "127.0.0.1", "port": self.port, "tls": "none", "user": "hotline"}
        return {**block, "password_file": str(folder / "password"), **more}


def _uids(command: str) -> list[int]:
    return [int(uid) for uid in command.split(" ")[2].split(",")]
