"""`python -m tests.simulators.weibo`."""

from tests.simulators.server import run
from tests.simulators.weibo import Weibo

run(Weibo)
