"""Reading a page's query string: what is understood, what is named and left out, and addresses built from it."""

import pytest
from django.http import QueryDict

from obt_site.asked import LONGEST, MOST_VALUES, Asked

ID = "65a1b2c3d4e5f60718293a4b"


def asked(text: str) -> Asked:
    return Asked(QueryDict(text))


def test_a_text_is_trimmed_and_an_empty_one_is_absent():
    query = asked("q=++llama++&family=+")
    assert (query.text("q"), query.text("family"), query.ignored) == ("llama", None, [])


def test_a_choice_outside_its_list_is_named_with_the_list():
    query = asked("sort=price")
    assert query.choice("sort", {"name": 1, "size": 2}, 1) == 1
    assert query.ignored == ["“sort”: “price” is none of name, size."]


@pytest.mark.parametrize("value", ["-1", "1.5", "0", "11", "٣", "9" * 30, "1e3"])
def test_a_number_outside_its_range_is_named_with_the_range(value):
    query = asked(f"page={value}")
    assert query.number("page", 1, 10) is None
    assert query.ignored == [f"“page”: “{value}” is no whole number from 1 to 10."]


def test_a_number_inside_is_taken():
    assert asked("page=10").number("page", 1, 10) == 10


def test_an_id_that_is_none_is_named_and_the_others_stay():
    query = asked(f"machine={ID}&machine=7")
    assert query.object_ids("machine") == [ID]
    assert query.ignored == ["“machine”: “7” is no id."]
    assert query.url() == f"?machine={ID}"
    assert asked("machine=x").object_id("machine") is None


def test_a_name_this_page_does_not_know_is_said():
    query = asked("q=a&color=red")
    query.text("q")
    assert query.ignored == ["“color”: this page has no such filter."]


def test_a_value_too_long_or_with_nul_is_left_out():
    query = asked(f"q={'a' * (LONGEST + 1)}&family=%00")
    assert query.text("q") is None
    assert query.text("family") is None
    assert len(query.ignored) == 2


def test_more_values_than_a_page_can_use_are_cut_and_said():
    query = asked("&".join(f"model=m{i}" for i in range(MOST_VALUES + 1)))
    assert len(query.texts("model")) == MOST_VALUES
    assert query.ignored == [f"“model”: only {MOST_VALUES} of {MOST_VALUES + 1} values are used."]


def test_an_address_keeps_what_was_understood_and_takes_changes():
    query = asked("q=llama&sort=nonsense&tag=a&tag=b")
    query.text("q"), query.choice("sort", {"name": "name"}, "name"), query.texts("tag")
    assert query.url() == "?q=llama&tag=a&tag=b"
    assert query.url(q=None, sort="name") == "?tag=a&tag=b&sort=name"
    assert query.without("tag", "a") == "?q=llama&tag=b"


def test_a_flag_is_one_or_nothing():
    assert (asked("all=1").flag("all"), asked("").flag("all")) == (True, False)
    query = asked("all=yes")
    assert query.flag("all") is False
    assert query.ignored == ["“all”: “yes” is none of 1, 0."]


def test_what_only_the_page_can_know_is_dropped_with_its_reason():
    query = asked("cell=tg9")
    query.text("cell")
    query.drop("cell", "is no cell of these results")
    assert query.ignored == ["“cell”: “tg9” is no cell of these results."]
    assert query.url() == "?"


def test_a_direction_mark_does_not_turn_the_sentence():
    query = asked("sort=%E2%80%AEevil")
    query.choice("sort", {"name": 1}, 1)
    assert query.ignored == ["“sort”: “evil” is none of name."]
