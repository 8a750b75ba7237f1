"""Numbers in the shared real texts that are nobody's data: how many stand there, and how many are taken for such."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Final

from normalizer.personal import find
from normalizer.steps.cleaning import clean

SETS: Final = (
    ("haikou12345", ("诉求内容",)),
    ("fuzhou12345", ("标题", "投诉件内容")),
    ("petitions_messages", ("留言主题", "留言详情")),
    ("petitions_replies", ("留言主题", "留言详情", "答复意见")),
)
KINDS: Final = {
    "ticket numbers": re.compile(r"工单(?:编号|号)?[：: ]?(\d{14})"),
    "amounts": re.compile(r"(\d+(?:\.\d+)?)[ ]?(?:元|万|亿)"),
    "dates": re.compile(r"((?:19|20)\d\d[-/.年]\d{1,2}[-/.月]\d{1,2})"),
    "law articles and document numbers": re.compile(
        r"(第[\d一二三四五六七八九十百]+[条款])|([〔（(\[]\d{4}[〕）)\]]\d+号)"
    ),
}


def counted(folder: Path) -> tuple[Counter[str], Counter[str]]:
    """By kind: how many stand in the texts, and how many of them a datum was found in."""
    stand, hit = Counter[str](), Counter[str]()
    for name, columns in SETS:
        for line in (folder / f"{name}.jsonl").read_text("utf-8").splitlines():
            row = json.loads(line)
            for text in (clean(row.get(column) or "") for column in columns):
                data = find(text)
                for kind, pattern in KINDS.items():
                    for match in pattern.finditer(text):
                        stand[kind] += 1
                        hit[kind] += any(one.start < match.end() and match.start() < one.end for one in data)
    return stand, hit
