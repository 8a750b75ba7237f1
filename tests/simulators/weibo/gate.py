"""What stands before Weibo's endpoints: the limits, then the token. Everything that came is counted, by Weibo's clock.

May not know what an endpoint does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from tests.simulators.clocks import DAY, HOUR, Clock, Limit, Meter
from tests.simulators.weibo.errors import Refused
from tests.simulators.weibo.world import World

TOKEN_LIFE: Final = 30 * DAY


@dataclass(frozen=True)
class Limits:
    """wiki, "Rate-limiting". No limit of one endpoint is published for ordinary apps: none, unless a test says so."""

    user: Limit = field(default=Limit(100, DAY))
    address: Limit = field(default=Limit(15_000, HOUR))
    posting: Limit = field(default=Limit(30, HOUR))
    endpoints: dict[str, Limit] = field(default_factory=dict)


class Gate:
    """Counts and refuses. The day's limit is of the user, whatever token he gave and however often it was renewed."""

    def __init__(self, world: World, clock: Clock, limits: Limits) -> None:
        self._world = world
        self._clock = clock
        self._limits = limits
        self.user = Meter(clock, limits.user)
        self.address = Meter(clock, limits.address)
        self._endpoints: dict[str, Meter] = {}

    def set_user_limit(self, limit: Limit) -> None:
        """Another limit; counting starts anew."""
        self.user = Meter(self._clock, limit)

    def pass_api(self, path: str, token: str | None) -> None:
        """Raises Refused."""
        self._address()
        self._token(token)
        within = self.user.take()
        endpoint = self._endpoint(path)
        if not endpoint.take():
            raise Refused(10024, path)
        if not within:
            raise Refused(10023)

    def pass_oauth(self, token: str | None) -> dict[str, Any]:
        """oauth2/get_token_info; it is no call of the user's. Raises Refused."""
        self._address()
        self._token(token)
        world = self._world
        left = TOKEN_LIFE if world.token_until is None else world.token_until - self._clock.now()
        return {"uid": 1902538057, "appkey": "1234567890", "scope": None, "create_at": 0, "expire_in": int(left)}

    def counts(self) -> dict[str, Any]:
        return {
            "user": self.user.counts(),
            "address": self.address.counts(),
            "endpoints": {path: meter.counts() for path, meter in self._endpoints.items()},
        }

    def _address(self) -> None:
        if not self.address.take():
            raise Refused(10022)

    def _token(self, token: str | None) -> None:
        world = self._world
        if not token:
            raise Refused(10006)
        until = world.token_until
        if token in world.tokens_expired or (token == world.token and until is not None and until <= self._clock.now()):
            raise Refused(21327)
        if token != world.token:
            raise Refused(21332)

    def _endpoint(self, path: str) -> Meter:
        if path not in self._endpoints:
            unlimited = Limit(10**9, self._limits.user.seconds)
            self._endpoints[path] = Meter(self._clock, self._limits.endpoints.get(path, unlimited))
        return self._endpoints[path]
