"""What a gateway and its pump child share: JSON lines over a socket, and the slot that shows the row being tried.

May not know what the messages mean.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any, Final

Message = Mapping[str, Any]
_SLOT: Final = struct.Struct("<QQ")
_SEQ: Final = struct.Struct("<Q")


class Closed(Exception):
    """The other side is gone."""


class Slot:
    """Shared memory: the row being tried now and since when, so that a hanging child needs no say to be found out."""

    def __init__(self, descriptor: int) -> None:
        self._map = mmap.mmap(descriptor, _SLOT.size)

    @staticmethod
    def create() -> int:
        """A descriptor of zeroed memory to be inherited by the child."""
        descriptor = os.memfd_create("jiesu-slot")
        os.ftruncate(descriptor, _SLOT.size)
        return descriptor

    def enter(self, seq: int) -> None:
        """Row `seq` is tried from now on. 0: none. The row comes last: seen with the time of the one before, it would
        look late."""
        _SLOT.pack_into(self._map, 0, 0, time.monotonic_ns())
        _SEQ.pack_into(self._map, 0, seq)

    def current(self) -> tuple[int, float]:
        """The row being tried (0: none), and for how many seconds."""
        seq, since = _SLOT.unpack_from(self._map)
        return seq, (time.monotonic_ns() - since) / 1e9

    def close(self) -> None:
        """Unmap."""
        self._map.close()


class ChildLink:
    """The child's end: blocking, one question at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._file = connection.makefile("rb")

    def tell(self, **message: Any) -> None:
        """Send without waiting. Raises Closed."""
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise Closed from error

    def ask(self, **message: Any) -> Message:
        """Send, and wait for the answer; bells that ring meanwhile are dropped. Raises Closed."""
        self.tell(**message)
        while True:
            answer = self.receive()
            if "bell" not in answer:
                return answer

    def receive(self) -> Message:
        """The next message. Raises Closed."""
        line = self._file.readline()
        if not line:
            raise Closed
        message: Message = json.loads(line)
        return message

    def wait(self, seconds: float) -> None:
        """Sleep until something arrives or the time is over; what arrived is a bell or the end. Raises Closed."""
        if select.select([self._socket], [], [], seconds)[0]:
            self.receive()
