"""What a supervised process becomes: gateway, dispatcher or RQ worker. Light: imports only what its role needs.

May not be called by people: `jiesu up`, `jiesu gateway` and `jiesu work` start it.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence

from gateway import logs
from gateway.config import Config
from gateway.pump_link import ChildLink, Closed


class Parent:
    """The child's end of the link to its supervisor."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._link = ChildLink(self._socket)
        self.config = Config.model_validate(self._link.receive())

    def ready(self) -> None:
        """Tell the supervisor that the role works."""
        self._socket.sendall(b"r")

    def watch(self, gone: Callable[[], None]) -> None:
        """Call `gone` from a thread when the supervisor is gone, however it went."""

        def wait() -> None:
            try:
                self._link.receive()
            except (Closed, OSError):
                gone()

        threading.Thread(target=wait, name="parent-watch", daemon=True).start()


def main(arguments: Sequence[str]) -> int:
    """`python -m gateway.roles LINK_FD gateway HTTP_FD | dispatcher | worker QUEUE`."""
    link, role, *rest = arguments
    parent = Parent(int(link))
    logs.setup(parent.config.log)
    parent.watch(lambda: os.kill(os.getpid(), signal.SIGTERM))
    match role, rest:
        case "gateway", [descriptor]:
            from gateway.node import run_node

            return run_node(parent.config, [socket.socket(fileno=int(descriptor))], parent.ready)
        case "dispatcher", []:
            from gateway.far_side import run_dispatcher

            return run_dispatcher(parent.config, parent.ready)
        case "worker", [queue]:
            from gateway.far_side import run_worker

            return run_worker(parent.config, queue, parent.ready)
        case _:
            raise SystemExit(f"no such role: {role}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
