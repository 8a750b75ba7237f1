"""`python -m tests.simulators.x`."""

from tests.simulators.server import run
from tests.simulators.x import X

run(X)
