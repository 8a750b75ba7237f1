"""X's rules about posts and calls: weighted length, whom an app may answer, and the windows of 15 minutes.

May not know HTTP.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Final

from tests.simulators.clocks import DAY, Clock, Limit

LONGEST: Final = 280
LINK: Final = 23
QUARTER: Final = 900.0
LIMITS: Final = {
    ("GET mentions", "app"): Limit(450, QUARTER),
    ("GET mentions", "user"): Limit(300, QUARTER),
    ("GET posts", "app"): Limit(10_000, QUARTER),
    ("GET posts", "user"): Limit(900, QUARTER),
    ("GET me", "user"): Limit(75, QUARTER),
    ("GET tweet", "app"): Limit(450, QUARTER),
    ("GET tweet", "user"): Limit(900, QUARTER),
    ("POST tweets", "user"): Limit(100, QUARTER),
    ("POST tweets", "all"): Limit(10_000, DAY),
}
_URL: Final = re.compile(r"https?://[^\s\u3000-\uffef]+")
_LIGHT: Final = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))


def weight(text: str) -> int:
    """Of twitter-text's configuration v3: a link counts 23, Latin and the like 1, everything else 2, an emoji 2."""
    text = unicodedata.normalize("NFC", text)
    links = len(_URL.findall(text))
    text = re.sub(r"[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]|\u200d.", "", _URL.sub("", text))
    return links * LINK + sum(1 if any(low <= ord(c) <= high for low, high in _LIGHT) else 2 for c in text)


@dataclass
class Window:
    """One limit of X: it opens with the first call, and at its end all is forgotten."""

    clock: Clock
    limit: Limit
    used: int = 0
    until: float = 0.0
    asked: int = 0
    refused: int = 0

    def take(self) -> bool:
        if self.clock.now() >= self.until:
            self.used, self.until = 0, self.clock.now() + self.limit.seconds
        self.asked += 1
        if self.used >= self.limit.calls:
            self.refused += 1
            return False
        self.used += 1
        return True

    @property
    def headers(self) -> dict[str, str]:
        return {
            "x-rate-limit-limit": str(self.limit.calls),
            "x-rate-limit-remaining": str(self.limit.calls - self.used),
            "x-rate-limit-reset": str(int(self.until) + 1),
        }


@dataclass
class Windows:
    """All of them, by endpoint and context."""

    clock: Clock
    limits: dict[tuple[str, str], Limit] = field(default_factory=lambda: dict(LIMITS))
    open: dict[tuple[str, str], Window] = field(default_factory=dict)

    def of(self, endpoint: str, context: str) -> Window:
        key = (endpoint, context)
        if key not in self.open:
            self.open[key] = Window(self.clock, self.limits.get(key, Limit(10**6, QUARTER)))
        return self.open[key]
