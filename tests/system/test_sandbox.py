"""`jiesu up --sandbox`: a newcomer writes on a simulated platform and is answered there, without any account."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.ports import free_port
from tests.simulators.server import Remote
from tests.system.conftest import ENVIRONMENT
from tests.waiting import HANGS, wait_until
from workers.valkey import EmbeddedValkey

pytestmark = pytest.mark.system
WORDS = "朝阳区望京街道路灯坏了三天，晚上看不见路"


class Playing:
    """A running `jiesu up --sandbox`, and its platforms."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "var"
        self.log = directory / "up.log"
        command = [
            sys.executable, "-m", "gateway", "up", "--sandbox", "--data-dir", str(self.directory),
            "--http", f"127.0.0.1:{free_port()}",
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env=os.environ | ENVIRONMENT
            )
        wait_until(lambda: len(self._said()) == 3, "the banner")
        self.on = {name: Remote(url) for name, url in self._said().items()}

    def _said(self) -> dict[str, str]:
        assert self.process.poll() is None, self.log.read_text()
        return dict(re.findall(r"^simulated (\w+): (http://[\d.:]+)/$", self.log.read_text(), re.M))

    def simulators(self) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if any("tests.simulators." in word for word in child.cmdline())]


@pytest.fixture
def playing(tmp_path: Path) -> Iterator[Playing]:
    line = Playing(tmp_path)
    yield line
    line.process.send_signal(signal.SIGINT)
    line.process.wait(HANGS)
    if valkey := EmbeddedValkey(line.directory).pid:  # of a line that was killed
        psutil.Process(valkey).kill()


def test_who_writes_is_answered_there(playing: Playing) -> None:
    weibo, wechat, x = (playing.on[name] for name in ("weibo", "wechat", "x"))
    assert weibo.verify_callback() is wechat.verify_callback() is True
    assert wechat.say(author="王女士", text=WORDS) is True, wechat.stats()["pushes"]
    mention = x.post(author="wang", text=f"@{x.account()['username']} {WORDS}")
    post = weibo.post(author="李先生", text=f"@{weibo.account()['name']} {WORDS}")
    assert "编号" in wechat.answers()[0]["text"]
    wait_until(lambda: x.posts_by_us(), "the answer on X")
    assert x.posts_by_us()[0]["replied_to"] == mention
    wait_until(lambda: weibo.comments_by_us(), "the comment on Weibo")
    assert weibo.comments_by_us()[0]["post"] == post
    wait_until(lambda: wechat.sent(), "what became of it, on WeChat")


def test_simulators_end_with_a_line_that_is_killed(playing: Playing) -> None:
    simulators = playing.simulators()
    assert len(simulators) == 3
    playing.process.kill()
    assert psutil.wait_procs(simulators, HANGS)[1] == []


def refused(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", "up", "--sandbox", "--data-dir", str(directory), *words]
    address = ["--http", f"127.0.0.1:{free_port()}"]
    return subprocess.run([*command, *address], capture_output=True, text=True, timeout=HANGS, check=False)


def test_it_does_not_take_the_place_of_a_real_account(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("channels:\n  wechat: {}\n")
    answer = refused(tmp_path / "var", "--config", str(config))
    assert answer.returncode == 78
    assert "channels.wechat names an account" in answer.stderr
    assert not (tmp_path / "var" / "sandbox").exists()
