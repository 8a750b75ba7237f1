"""What was large and is gone no longer counts: measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

GROWTH = """
import psutil
from gateway import memory

def resident():
    return psutil.Process().memory_info().rss

memory.give_back_large_blocks()
before = resident()
first = b"x" * 25_000_000
del first  # from here on glibc would take blocks of this size from the heap
second = b"x" * 20_000_000
behind = [b"y" * 1000 for _ in range(1000)]  # in the heap, so that its end cannot sink below
del second
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_a_large_block_that_was_freed_is_given_back_though_smaller_ones_came_after_it():
    done = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) < 6_000_000
