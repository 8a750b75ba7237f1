"""The page of real objects says what the code does today. Skips where the shared objects are not there."""

import pytest

from tests.social_samples import page, weibo, x
from tests.social_samples.tally import DATA

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the shared objects of platforms are not beside the project")


def test_the_page_is_what_the_code_does() -> None:
    assert page.text() == page.TARGET.read_text("utf-8"), "run: python -m tests.social_samples.page"


def test_every_ticket_of_weibo_has_a_time_and_nothing_that_is_no_post_has_become_one() -> None:
    found = weibo.tallies()
    for tally in found.values():
        assert tally.with_time == tally.tickets == tally.author
        assert tally.tickets + tally.refused.total() == tally.objects
    assert found["weibo_timelines"].tickets == found["weibo_timelines"].objects
    assert set(found["weibo_push"].refused) <= {"not_json", "event", "api_error"}
    assert set(found["weibo_open_api"].refused) <= {"user", "no_post", "list"}


def test_every_post_of_x_is_a_ticket_and_nothing_else_is() -> None:
    found = x.tallies()
    for tally in found.values():
        assert tally.tickets + tally.refused.total() == tally.objects
    assert found["x_v2"].tickets == 71
    assert set(found["x_recorded"].refused) == {"direct_message", "user", "not_json", "empty_list", "list"}
