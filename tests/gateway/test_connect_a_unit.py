"""The commands of docs/how-to/connect-a-unit.md work as they stand there."""

from __future__ import annotations

import asyncio
import io
import os
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.gateway.people import PAPER, PHOTO, Api, api

__all__ = ["api"]

PAGE = Path(__file__).parents[2] / "docs/how-to/connect-a-unit.md"


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="the page's commands need curl and jq")
async def test_a_unit_goes_from_its_list_to_the_answer(api: Api, tmp_path: Path) -> None:
    ticket = await api.ticket("dispatched")
    (script,) = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "unit-token").write_text(api.bearers["lead+"].removeprefix("Bearer "))
    photo = io.BytesIO()
    Image.new("RGB", (8, 8), "white").save(photo, "JPEG")
    (tmp_path / "after.jpg").write_bytes(photo.getvalue())
    environment = os.environ | {"GATEWAY": str(api.client._base_url).rstrip("/"), "NO_PROXY": "*"}
    shell = await asyncio.create_subprocess_exec(
        "sh", "-eu", "-c", script, cwd=tmp_path, env=environment, stdout=-1, stderr=-1
    )
    out, err = await asyncio.wait_for(shell.communicate(), 60)
    assert shell.returncode == 0, out.decode() + err.decode()
    saved = {file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    assert {PHOTO.content, PAPER.content} <= saved
    record = await api.far_side.store.find(ticket.number)
    assert record is not None
    assert [event["type"].split(".")[3] for event in record.events()] == [
        "dispatched",
        "signed",
        "contacted",
        "replied",
    ]
    assert record.events()[-1]["data"]["attachments"][0]["public_blob"] is not None
