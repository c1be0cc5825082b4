"""/sign-in, when it is tried too often: per account and per address, and never against the account's own browsers."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.test import Client

from obt_site import clock
from obt_site.access import Role
from obt_site.accounts import throttle
from obt_site.accounts.throttle import Count, SignInTries, admit, delay, succeeded
from obt_site.errors import TooMany
from obt_site.tests.people import PASSWORD, by_id, person, words

pytestmark = pytest.mark.django_db
ONE = Count("account:x", 3, timedelta(minutes=5))


@pytest.fixture(autouse=True)
def _person(database):
    person("jo", Role.VIEWER)


@pytest.fixture
def later(monkeypatch):
    """The throttle's clock stands still, and moves on by what a test says."""
    moment = [clock.now()]
    monkeypatch.setattr(throttle, "now", lambda: moment[0])

    def move(**by):
        moment[0] += timedelta(**by)

    return move


def try_it(browser=None, password="wrong", name="jo", address="192.0.2.7"):
    browser = browser or Client()
    return browser.post("/sign-in", {"username": name, "password": password}, REMOTE_ADDR=address)


def use_up(name="jo", address="192.0.2.7", tries=throttle.PER_ACCOUNT):
    for _ in range(tries):
        assert try_it(name=name, address=address).status_code == 422


def test_after_a_few_wrong_passwords_one_has_to_wait_and_is_told_how_long(later):
    use_up()

    page = try_it()

    assert page.status_code == 429
    assert int(page["Retry-After"]) >= 1
    assert re.search(r"Wait \d+ s, then try again", words(page))
    assert by_id(page, "username")["value"] == "jo"


def test_while_one_waits_the_right_password_is_not_looked_at_either(later):
    use_up()

    assert try_it(password=PASSWORD).status_code == 429
    later(seconds=2)
    assert try_it(password=PASSWORD).status_code == 302


def test_from_another_address_the_account_waits_as_well(later):
    use_up()

    assert try_it(address="203.0.113.9").status_code == 429


@pytest.mark.parametrize("spelling", ["JO", " jo ", "\uff4a\uff4f"])
def test_another_spelling_of_the_name_is_the_same_account(later, spelling):
    use_up()

    assert try_it(name=spelling).status_code == 429


def test_a_name_that_nobody_has_is_slowed_down_like_one_that_somebody_has(later):
    use_up(name="nobody")

    assert try_it(name="nobody").status_code == 429


def test_many_names_from_one_address_are_slowed_down_and_other_addresses_are_not(later):
    for number in range(throttle.PER_ADDRESS):
        assert try_it(name=f"guess{number}").status_code == 422

    assert try_it(name="another").status_code == 429
    assert try_it(name="another", address="203.0.113.9").status_code == 422


def test_a_household_with_a_network_of_addresses_counts_as_one(later):
    for number in range(throttle.PER_ADDRESS):
        try_it(name=f"guess{number}", address=f"2001:db8::{number:x}")

    assert try_it(name="another", address="2001:db8::ffff").status_code == 429
    assert try_it(name="another", address="2001:db8:0:1::1").status_code == 422


def test_the_delays_grow_and_have_an_end():
    waits = [delay(tries, ONE).total_seconds() for tries in range(1, 20)]

    assert waits[:6] == [0, 0, 1, 2, 4, 8]
    assert max(waits) == ONE.longest.total_seconds()
    assert waits == sorted(waits)


def test_a_good_sign_in_starts_the_account_anew(later):
    use_up(tries=throttle.PER_ACCOUNT - 1)
    assert try_it(password=PASSWORD).status_code == 302

    use_up(tries=throttle.PER_ACCOUNT - 1)


def test_a_good_sign_in_does_not_clear_the_way_for_guessing_others(later):
    person("eve", Role.VIEWER)
    for number in range(throttle.PER_ADDRESS - 1):
        try_it(name=f"guess{number}")
    assert try_it(name="eve", password=PASSWORD).status_code == 302
    later(seconds=2)

    assert try_it(name="more").status_code == 422

    assert try_it(name="even more").status_code == 429


def test_a_browser_that_has_signed_in_before_is_not_kept_out_by_others(later):
    mine = Client()
    assert try_it(mine, PASSWORD).status_code == 302
    mine.post("/sign-out")
    use_up(address="203.0.113.9")
    assert try_it(address="203.0.113.10").status_code == 429

    assert try_it(mine, PASSWORD).status_code == 302


def test_such_a_browser_is_slowed_down_by_its_own_tries(later):
    mine = Client()
    try_it(mine, PASSWORD)
    mine.post("/sign-out")
    for _ in range(throttle.PER_ACCOUNT):
        assert try_it(mine).status_code == 422

    assert try_it(mine, PASSWORD).status_code == 429


def test_being_familiar_with_one_account_helps_with_no_other(later):
    person("eve", Role.VIEWER)
    mine = Client()
    try_it(mine, PASSWORD, name="eve")
    use_up(address="203.0.113.9")

    assert try_it(mine).status_code == 429


def test_a_forged_cookie_is_no_familiar_browser(later):
    use_up()
    browser = Client()
    browser.cookies[throttle.FAMILIAR_COOKIE] = "eyJuYW1lIjoiam8ifQ:1abcde:forged"

    assert try_it(browser).status_code == 429


def test_nobody_is_locked_out_for_ever(later):
    use_up()
    for _ in range(20):
        later(seconds=throttle.LONGEST_FOR_ACCOUNT.total_seconds())
        assert try_it(address="203.0.113.9").status_code == 422

    later(seconds=throttle.LONGEST_FOR_ADDRESS.total_seconds())

    assert try_it(password=PASSWORD).status_code == 302


def test_after_a_quiet_hour_everything_is_forgotten(later):
    use_up()
    later(hours=1, seconds=1)

    use_up(tries=throttle.PER_ACCOUNT)


def test_what_is_long_over_is_not_kept(later):
    use_up(name="nobody")
    later(hours=2)

    try_it(name="somebody else", address="203.0.113.9")

    assert SignInTries.objects.count() == 2


def test_no_name_that_was_typed_can_be_read_from_what_is_kept(later):
    try_it(name="my-secret-password")

    assert "my-secret-password" not in " ".join(each.id for each in SignInTries.objects)


def test_of_tries_at_the_same_moment_no_more_get_through_than_of_others(database):
    def attempt(_):
        try:
            admit([ONE])
        except TooMany:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        passed = list(pool.map(attempt, range(24)))

    assert 1 <= sum(passed) <= ONE.free


def test_a_try_that_was_good_is_given_back(database):
    for _ in range(10):
        admit([ONE])
        succeeded([ONE])
