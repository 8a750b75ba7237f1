"""`jiesu normalize` of files as platforms answer: a list is one line for each of its posts, whatever kind of file."""

from __future__ import annotations

import json
from pathlib import Path

from channels.weibo import Weibo
from channels.weibo.config import WeiboConfig
from gateway.cli import bodies
from tests.gateway.test_cli import jiesu, lines

FOLDER = Path(__file__).parents[1] / "corpus/weibo"
POSTS = json.loads((FOLDER / "a-list.json").read_text("utf-8"))["statuses"]


def test_every_post_of_a_list_is_a_line_with_its_own_name(tmp_path: Path) -> None:
    several = tmp_path / "several.jsonl"
    several.write_text(
        "\n".join(json.dumps(one) for one in (POSTS[0], {"statuses": POSTS}, {"error_code": 1})), "utf-8"
    )
    files = [FOLDER / "a-list.json", several, FOLDER / "not-json.json", FOLDER / "push-text.json"]
    found = lines(jiesu("normalize", "weibo", *files, "--data-dir", tmp_path / "data"))
    assert [Path(one["file"]).name for one in found] == ["a-list.json"] * 2 + ["several.jsonl"] * 4 + [
        "not-json.json",
        "push-text.json",
    ]
    assert [one["error"]["code"] if "error" in one else one["text"] for one in found[:7]] == [
        "一", "二", "一", "一", "二", "api_error", "not_json",
    ]  # fmt: skip
    assert found[0]["source"]["id"] == found[2]["source"]["id"] != found[1]["source"]["id"]
    assert found[0]["source"]["id"].startswith("status:5234567890123456.")
    assert found[7]["source"]["id"].startswith("push:")


def test_a_list_without_posts_is_refused_and_not_silent(tmp_path: Path) -> None:
    empty = tmp_path / "empty.json"
    empty.write_text('{"statuses": []}', "utf-8")
    assert bodies.listed(Weibo(WeiboConfig()), empty) == [b'{"statuses": []}']
