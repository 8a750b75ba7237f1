"""A follow-up as a Raw, for whoever takes one in by another way than the API: the gateway's progress page.

May not check anything: `Web.parse` refuses what is wrong, the queue decides whose ticket it is.
"""

from __future__ import annotations

import json
from datetime import datetime

from channels.web.bodies import JSON
from normalizer.ticket import Raw

CHANNEL = "web"


def follow_up_raw(*, number: str, code: str, text: str, submission_id: str, received_at: datetime) -> Raw:
    """A message that adds `text` to the ticket `number`; `code` is the receipt's.

    `submission_id` is the page's hidden field, a UUID, so that a double click is one message. Call
    `Web.parse` on the result before accepting it, and put `Inbound.digest` into its `meta["digest"]`.
    """
    # Half of a surrogate pair cannot be typed; a form decodes to one only from broken bytes.
    clean = text.encode("utf-8", "replace").decode().replace("\r\n", "\n")
    return Raw(
        channel=CHANNEL,
        source_id=f"form:{submission_id}",
        received_at=received_at,
        body=json.dumps({"text": clean, "code": code.strip()}, ensure_ascii=False).encode("utf-8", "replace"),
        content_type=JSON,
        meta={"follows": number},
    )
