"""Weibo's error answers (wiki, "Error code"): {request, error_code, error}, the code now a number, now a string.

May not decide when one is due.
"""

from __future__ import annotations

import itertools
import json
from typing import Final

from aiohttp import web

_ERRORS: Final = {
    10001: (503, "System error"),
    10006: (403, "Source paramter (appkey) is missing"),
    10009: (503, "Too many pending tasks, system is busy"),
    10014: (403, "Insufficient app permissions"),
    10016: (400, "Miss required parameter ({}) , see doc for more info"),
    10017: (400, "Parameter ({})'s value invalid, see doc for more info"),
    10020: (404, "Request api not found"),
    10021: (405, "HTTP method is not suported for this request"),
    10022: (403, "IP requests out of rate limit"),
    10023: (403, "User requests out of rate limit"),
    10024: (403, "User requests for ({}) out of rate limit"),
    20008: (400, "Content is null"),
    20012: (400, "Text too long, please input text less than {} characters"),
    20016: (400, "Out of limit"),
    20017: (400, "Repeat content similar to an earlier one"),
    20019: (400, "Repeat content"),
    20101: (400, "Target weibo does not exist"),
    20201: (400, "Target weibo comment does not exist"),
    20301: (400, "Can't send direct message to user who is not your follower"),
    21327: (403, "expired_token"),
    21332: (401, "invalid_access_token"),
}
"""The wording of 20012 and 20017, and that 20301 answers for a closed window too, no page of Weibo's says."""

_turn = itertools.count()


class Refused(Exception):
    """A request that Weibo answers with an error."""

    def __init__(self, code: int, about: object = "") -> None:
        super().__init__(code)
        self.code = code
        self.about = about

    def answer(self, path: str) -> web.Response:
        status, text = _ERRORS[self.code]
        body = {
            "request": path,
            "error_code": self.code if next(_turn) % 2 else str(self.code),
            "error": text.format(self.about),
        }
        return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json")
