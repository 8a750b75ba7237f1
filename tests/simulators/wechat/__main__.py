"""`python -m tests.simulators.wechat`."""

from tests.simulators.server import run
from tests.simulators.wechat import WeChat

run(WeChat)
