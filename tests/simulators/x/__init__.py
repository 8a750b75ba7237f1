"""X's API v2 on loopback (STANDARDS 5.2): mentions, single posts, posting; limits, partial errors, pictures.

tweepy 4.17.0 writes `https://api.twitter.com` as a literal inside `AsyncBaseClient.request`. Two ways lead it here
without touching its internals: its public attribute `session` may be a ClientSession with a middleware (`towards(url)`
below makes one), and `request(method, route, params, json, user_auth)` may be overridden as a whole, which also ends
tweepy's two defects. OAuth 1.0a signatures are checked, over X's own address or this one: tweepy signs the literal.

    async with X() as x:
        x.post_mentions(10); x.posts_by_us()

`python -m tests.simulators.x --port N --state FILE`; its controls over HTTP: tests/simulators/server.py `Remote`.
"""

from tests.simulators.x.platform import X
from tests.simulators.x.towards import towards

__all__ = ["X", "towards"]
