"""An answer of X is taken apart into posts, each with what was included for it and nothing of others."""

from __future__ import annotations

import json

import pytest

from channels.x.documents import submissions

LIST = {
    "data": [
        {"id": "1", "text": "甲", "author_id": "11", "attachments": {"media_keys": ["3_1"]}, "geo": {"place_id": "p"}},
        {"id": "2", "text": "乙", "author_id": "12", "referenced_tweets": [{"type": "quoted", "id": "9"}]},
    ],
    "includes": {
        "users": [{"id": "11", "name": "甲"}, {"id": "12", "name": "乙"}, {"id": "13", "name": "丙"}],
        "tweets": [{"id": "9", "text": "原文", "author_id": "13"}],
        "media": [{"media_key": "3_1", "url": "https://pbs.twimg.com/a.jpg"}],
        "places": [{"id": "p", "full_name": "北京"}],
    },
    "errors": [{"resource_id": "9", "title": "Not Found Error"}, {"value": "3_1"}],
    "meta": {"result_count": 2},
}


def taken(document: object) -> list[object]:
    return [json.loads(body) for body in submissions(json.dumps(document).encode())]


def test_each_post_has_what_concerns_it() -> None:
    first, second = taken(LIST)
    assert first == {
        "data": LIST["data"][0],
        "includes": {
            "users": [{"id": "11", "name": "甲"}],
            "media": [{"media_key": "3_1", "url": "https://pbs.twimg.com/a.jpg"}],
            "places": [{"id": "p", "full_name": "北京"}],
        },
        "errors": [{"value": "3_1"}],
    }
    assert second == {
        "data": LIST["data"][1],
        "includes": {
            "users": [{"id": "12", "name": "乙"}, {"id": "13", "name": "丙"}],
            "tweets": [{"id": "9", "text": "原文", "author_id": "13"}],
        },
        "errors": [{"resource_id": "9", "title": "Not Found Error"}],
    }


@pytest.mark.parametrize("document", [[{"id_str": "1"}, 2], {"statuses": [{"id_str": "1"}, 2]}])
def test_lists_of_the_older_interface(document: object) -> None:
    assert taken(document) == [{"id_str": "1"}, 2]


@pytest.mark.parametrize("body", [b"<html>", b'{"data": {"id": "1", "text": "a"}}', b"7", b"\xff", b"[" * 100_000])
def test_what_is_no_list_stays_as_it_came(body: bytes) -> None:
    assert list(submissions(body)) == [body]


def test_nothing_is_found_in_an_empty_list() -> None:
    assert list(submissions(b'{"data": [], "meta": {}}')) == []


@pytest.mark.parametrize("strange", [[], {}, 7, None, [["x"]], {"id": {}}])
@pytest.mark.parametrize("place", ["id", "author_id", "referenced_tweets", "attachments", "geo"])
def test_members_of_another_type_are_left_alone(place: str, strange: object) -> None:
    document = json.loads(json.dumps(LIST))
    document["data"][0][place] = strange
    document["includes"]["users"][0]["id"] = strange
    assert taken(document)[0]["data"][place] == strange  # type: ignore[index]
