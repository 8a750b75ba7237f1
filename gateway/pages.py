"""The templates of the gateway's own pages, before the web channel's, whose base.html they extend.

May not decide anything about a request.
"""

from __future__ import annotations

from functools import lru_cache

from jinja2 import ChoiceLoader, Environment, PackageLoader

from channels.web import pages


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The web channel's environment, its base.html included, and this package's templates before it."""
    base = pages.environment()
    assert base.loader is not None
    return base.overlay(loader=ChoiceLoader([PackageLoader("gateway"), base.loader]))
