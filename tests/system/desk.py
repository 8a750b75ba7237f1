"""The seats of a hotline: a running line that takes calls from its folder, and by its API with their token."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any

import aiohttp
import psutil

from gateway.auth import new_token
from tests.waiting import HANGS, wait_until

TOKENS = "seats.jsonl"
ENVIRONMENT = {
    "JIESU_AUTH__TOKENS_FILE": TOKENS,
    "JIESU_CHANNELS__PHONE__INBOX": "calls",
    "JIESU_CHANNELS__PHONE__SETTLE": "0.2",
    "JIESU_CHANNELS__PHONE__POLL": "0.1",
    "JIESU_CHANNELS__PHONE__PATIENCE": "1",
}


def call(call_id: str, *said: str, **more: Any) -> dict[str, Any]:
    return {"call_id": call_id, "turns": [{"speaker": "citizen", "text": text} for text in said], **more}


def encoded(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


class Desk:
    """Of one line that was started with ENVIRONMENT."""

    def __init__(self, up: Any) -> None:
        self.up = up
        self.url = f"{up.base}/api/v1/calls"
        self.inbox = up.directory / "calls"
        self.token = new_token(up.directory / TOKENS, ["submit:phone"])
        self.headers = {"Authorization": f"Bearer {self.token}"}
        wait_until(lambda: (self.inbox / "failed").exists(), "the folder is watched")

    def post(self, body: object) -> tuple[int, dict[str, Any]]:
        content = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.url, content, self.headers), timeout=HANGS
            ) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers=self.headers, timeout=aiohttp.ClientTimeout(total=HANGS))

    def drop(self, name: str, content: bytes) -> None:
        part = self.inbox / f"{name}.part"
        part.write_bytes(content)
        part.rename(self.inbox / name)

    def names(self, folder: str) -> list[str]:
        return sorted(os.listdir(self.inbox / folder))

    def emptied(self) -> bool:
        return self.names("") == ["done", "failed"]

    def ticket(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """Once everything has come to its end."""
        wait_until(self.up.settled, "settled")
        return dict(self.up.tickets()[receipt["ticket_id"]])

    def gateway_bytes(self) -> int:
        """Resident memory."""
        return int(psutil.Process(self.up.pids()["gateway"]).memory_info().rss)
