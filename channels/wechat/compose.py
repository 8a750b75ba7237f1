"""What is sent, in the measures of WeChat: a text of 2,048 bytes, the fields of a template by their kinds.

Pure. May not leave out the number, nor add a word that the catalogue does not have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from channels.contract import Reply
from channels.wechat.config import PLACE, Template
from channels.wechat.words import tagged

TEXT_MAX: Final = 2048
"""Bytes of a text message."""
_LAST_LINE_MAX: Final = 400
# Characters that a field of a kind holds (模板消息参数规则); older templates' fields (keyword1) hold what they get.
_KINDS: Final[Mapping[str, int]] = {
    "thing": 20,
    "character_string": 32,
    "phrase": 5,
    "const": 20,
    "name": 20,
    "number": 32,
    "letter": 32,
    "symbol": 5,
}
_OTHER: Final = 200
_KIND: Final = re.compile(r"([a-z_]+?)_?[0-9]*")


def custom_of(openid: str, message: Reply) -> dict[str, object]:
    """A customer-service message for WeChat."""
    return {"touser": openid, "msgtype": "text", "text": {"content": fitted(message)}}


def fitted(message: Reply) -> str:
    """The whole text when it fits; else its beginning, a word that there is more, and its last line: the link."""
    text = message.text.strip()
    if len(text.encode("utf-8", "replace")) <= TEXT_MAX:
        return text
    last = text.rsplit("\n", 1)[-1]
    tail = f"…\n{tagged(message.language).left_out}"
    if len(last.encode("utf-8", "replace")) <= _LAST_LINE_MAX and last != text:
        tail = f"{tail}\n{last}"
    return cut(text, TEXT_MAX - len(tail.encode())) + tail


def cut(text: str, size: int) -> str:
    """The beginning of `text` of at most `size` bytes of UTF-8."""
    return text.encode("utf-8", "replace")[: max(size, 0)].decode("utf-8", "ignore")


def template_of(
    template: Template, openid: str, message: Reply, id_: str, now: datetime, timezone: str
) -> dict[str, object]:
    """The document for WeChat. `id_`: the same once more is not sent again, for ten minutes."""
    values = {
        "number": message.number,
        "purpose": tagged(message.language).purposes[message.purpose],
        "text": " ".join((message.short or message.text).split()),
        "time": f"{now.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}",
    }
    data = {name: {"value": _field(name, _filled(said, values))} for name, said in template.fields.items()}
    document: dict[str, object] = {
        "touser": openid,
        "template_id": template.id,
        "client_msg_id": id_,
        "data": data,
    }
    if template.url is not None:
        document["url"] = template.url.replace("{number}", message.number)
    return document


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Every place at once, so that what one is filled with is not filled in again."""
    return PLACE.sub(lambda place: values.get(place[1], place[0]), template)


def _field(name: str, text: str) -> str:
    kind = _KIND.fullmatch(name)
    limit = _KINDS.get(kind[1], _OTHER) if kind is not None else _OTHER
    return text if len(text) <= limit else text[: limit - 1] + "…"
