"""Simulated Weibo, WeChat and X beside the line (`jiesu up --sandbox`), so that they can be tried without an account.

The simulators are tools of the test suite, in a source checkout only: without one that is said. May not run beside the
blocks of real accounts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from channels.wechat.callback import PATH as WECHAT_CALLBACK
from channels.weibo.callback import PATH as WEIBO_CALLBACK
from gateway.config import Config, ConfigError

SOURCE: Final = Path(__file__).parents[1]
_LOOPBACK: Final = ["127.0.0.0/8"]

_CALLS: Final = {"calls": 100_000, "seconds": 86_400}
"""A day's, so that a newcomer sees his post taken in seconds and not in half an hour."""
_OURS: Final = "203.0.113.1"
"""An address for examples (RFC 5737), given as the writer's."""

_PAUSE: Final = 2.0
"""Seconds from one try of a push to the next: a line that has just started may not take the first."""

Account = Mapping[str, str]
File = Callable[[str], str]
"""Name of a secret of the account → the file that it was written to."""


def _weibo(url: str, account: Account, file: File) -> dict[str, Any]:
    return {
        "uid": account["uid"],
        "names": [account["name"]],
        "token_file": file("token"),
        "app_secret_file": file("app_secret"),
        "api": url,
        "message_api": url,
        "poll": 3,
        "budget": _CALLS,
        "rip": _OURS,
        "picture_hosts": [url.removeprefix("http://")],
        "allow_private": _LOOPBACK,
    }


def _wechat(url: str, account: Account, file: File) -> dict[str, Any]:
    return {
        "app_id": account["app_id"],
        "account": account["account"],
        "token_file": file("token"),
        "aes_key_file": file("aes_key"),
        "app_secret_file": file("secret"),
        "template": {
            "id": account["template"],
            "fields": {"character_string1": "{number}", "thing2": "{purpose}"},
        },
        "api": url,
        "picture_hosts": [url.removeprefix("http://")],
        "allow_private": _LOOPBACK,
    }


def _x(url: str, account: Account, file: File) -> dict[str, Any]:
    keys = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    return {
        "user_id": account["user_id"],
        "username": account["username"],
        "bearer_token_file": file("bearer"),
        "keys": {f"{key}_file": file(key) for key in keys},
        "api": url,
        "interval": 5,
        "picture_hosts": [url.removeprefix("http://")],
        "allow_private": _LOOPBACK,
    }


_BLOCKS: Final = {"weibo": _weibo, "wechat": _wechat, "x": _x}


class Sandbox:
    """The three processes and what the line must know of them. They end with us, however we end: their standard input
    closes."""

    def __init__(self, config: Config, base: str) -> None:
        """Starts them. `base`: where the gateway listens. Raises ConfigError."""
        _refuse(config)
        self._directory = (config.data_dir / "sandbox").absolute()
        self._base = base
        self._processes: list[subprocess.Popen[str]] = []
        self.pages: dict[str, str] = {}
        """Platform → address of its page for people."""
        self.config = self._start(config)
        """The line's, with the simulated accounts in it."""

    @property
    def banner(self) -> str:
        """Where people can write as citizens and read our answers."""
        return "".join(f"\nsimulated {name}: {url}/" for name, url in self.pages.items())

    def _start(self, config: Config) -> Config:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings: dict[str, dict[str, Any]] = {
            "weibo": {
                "callback": self._base + WEIBO_CALLBACK,
                "limits": {"user": _CALLS},
                "may_answer_mentions": True,
                "pause": _PAUSE,
            },
            "wechat": {"callback": self._base + WECHAT_CALLBACK, "pause": _PAUSE},
            "x": {},
        }
        for name, told in settings.items():
            self._processes.append(self._process(name, told))
        blocks = {name: self._block(name, one) for name, one in zip(settings, self._processes, strict=True)}
        return config.model_copy(update={"channels": {**config.channels, **blocks}})

    def stop(self) -> None:
        """They save what was said, so that it is there at the next start."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def _process(self, name: str, settings: Mapping[str, Any]) -> subprocess.Popen[str]:
        state = self._directory / f"{name}.json"
        return subprocess.Popen(
            [
                sys.executable, "-m", f"tests.simulators.{name}", "--attached", "--state", str(state),
                "--settings", json.dumps(settings),
            ],
            cwd=SOURCE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True,  # Ctrl-C is ours: we end them when the line has ended
        )  # fmt: skip

    def _block(self, name: str, process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said:
            self.stop()
            raise ConfigError([f"--sandbox: the simulated {name} did not start (exit code {process.wait()})"])
        told = json.loads(said)
        self.pages[name] = told["url"]

        def file(secret: str) -> str:
            path = self._directory / f"{name}-{secret}"
            path.unlink(missing_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
                written.write(told["account"][secret])
            return str(path)

        return _BLOCKS[name](told["url"], told["account"], file)


def _refuse(config: Config) -> None:
    """Raises ConfigError: no simulators here, or real accounts."""
    if not (SOURCE / "tests" / "simulators").is_dir():
        raise ConfigError(["--sandbox: the simulators are in a source checkout only (tests/simulators)"])
    if real := [name for name in _BLOCKS if name in config.channels]:
        taken = ", ".join(f"channels.{name}" for name in real)
        raise ConfigError([f"--sandbox: {taken} names an account; try it with another configuration and --data-dir"])
