"""Free ports for servers that are told their port before they start, or keep it over a restart."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import Final

LOWEST: Final = 10_000
_dice = random.SystemRandom()  # not the module's own: test frameworks seed it, and every worker would draw the same


def free_port() -> int:
    """On 127.0.0.1. Never one that the kernel gives to whoever asks for any port: it would hand it to a test that runs
    beside this one, between our look and the server's start."""
    while True:
        port = _dice.randrange(LOWEST, _first_given_by_the_kernel())
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _first_given_by_the_kernel() -> int:
    try:
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        lowest = 32_768  # the default of Linux; elsewhere it is higher
    return max(lowest, LOWEST + 10_000)
