"""/settings, "Signed in": a person's browsers, listed and signed out."""

from datetime import timedelta

import pytest
from django.test import Client

from obt_site import clock
from obt_site.access import Role
from obt_site.accounts import browsers
from obt_site.accounts.sessions import BrowserSession
from obt_site.audit import AuditEntry
from obt_site.tests.people import PASSWORD, person, signed_in, tags, words

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"


@pytest.fixture
def jo(database):
    return person("jo", Role.VIEWER)


def browser(user, agent=FIREFOX, address="192.0.2.7"):
    """A browser of theirs, signed in by the form."""
    made = Client(headers={"User-Agent": agent}, REMOTE_ADDR=address)
    assert made.post("/sign-in", {"username": user.username, "password": PASSWORD}).status_code == 302
    return made


def handles(page):
    return [tag["value"] for tag in tags(page, "input") if tag.get("name") == "session"]


def test_it_names_browser_address_and_last_use_and_marks_this_one(jo):
    here = browser(jo)
    browser(jo, SAFARI, "203.0.113.9")

    shown = words(here.get("/settings"))

    assert "Signed in 2 browsers" in shown
    assert "Firefox on Linux this browser 192.0.2.7" in shown
    assert "Safari on iPhone 203.0.113.9" in shown


def test_another_browser_is_signed_out_and_this_one_stays(jo):
    here, there = browser(jo), browser(jo, SAFARI)

    (handle,) = handles(here.get("/settings"))
    assert here.post("/settings/sessions/end", {"session": handle}).url == "/settings"

    assert there.get("/fleet").status_code == 302
    assert here.get("/fleet").status_code == 200
    entry = AuditEntry.objects.get(action="person.sign_out")
    assert (entry.actor_name, entry.words) == ("jo", "Signed out a browser of jo: Safari on iPhone")


def test_all_others_are_signed_out_at_once(jo):
    here, there, third = browser(jo), browser(jo, SAFARI), browser(jo)

    here.post("/settings/sessions/end")

    assert [each.get("/fleet").status_code for each in (here, there, third)] == [200, 302, 302]


def test_nobody_ends_a_browser_of_somebody_else(jo):
    eves = browser(person("eve", Role.VIEWER))
    here = browser(jo)
    (theirs,) = browsers.of(type(jo).objects.get(username="eve"))

    here.post("/settings/sessions/end", {"session": theirs.handle})

    assert eves.get("/fleet").status_code == 200
    assert "no longer signed in" in words(here.get("/settings"))


def test_no_page_shows_what_would_let_somebody_in(jo):
    here, there = browser(jo), browser(jo)

    page = here.get("/settings").content.decode()

    assert here.session.session_key not in page
    assert there.session.session_key not in page


def test_a_changed_password_signs_the_others_out_and_takes_them_from_the_list(jo):
    here, there = browser(jo), browser(jo, SAFARI)

    new = {"old_password": PASSWORD, "new_password1": "another good 10", "new_password2": "another good 10"}
    assert here.post("/settings", new).status_code == 302

    assert there.get("/fleet").status_code == 302
    assert "Signed in 1 browser " in words(here.get("/settings"))
    assert AuditEntry.objects.get(action="person.password").actor_name == "jo"


def test_signing_out_takes_it_from_the_list(jo):
    here, there = browser(jo), browser(jo, SAFARI)

    there.post("/sign-out")

    assert "Signed in 1 browser " in words(here.get("/settings"))


def test_reading_pages_writes_at_most_once_a_minute(jo, monkeypatch):
    here = browser(jo)
    moment = [clock.now()]
    monkeypatch.setattr(browsers, "now", lambda: moment[0])
    saved = []
    save = BrowserSession.save
    monkeypatch.setattr(BrowserSession, "save", lambda *args, **named: (saved.append(1), save(*args, **named))[1])

    for _ in range(5):
        here.get("/fleet")
    assert saved == []

    moment[0] += timedelta(seconds=61)
    for _ in range(5):
        here.get("/fleet")
    assert saved == [1]


def test_the_address_is_the_one_it_was_used_from_last(jo, monkeypatch):
    here = browser(jo)
    monkeypatch.setattr(browsers, "now", lambda: clock.now() + timedelta(minutes=2))

    here.get("/fleet", REMOTE_ADDR="198.51.100.4")

    assert "198.51.100.4" in words(here.get("/settings"))


def test_scripts_with_a_token_are_no_browsers(database):
    from obt_site.tokens import create_token

    headers = {"Authorization": f"Bearer {create_token('script', Role.VIEWER)}"}
    Client().get("/api/v1/clients", headers=headers)

    assert not BrowserSession.objects.exists()


def test_sessions_that_have_run_out_are_cleared_when_somebody_signs_in(jo):
    old = signed_in(name="old")
    BrowserSession.objects.update(expire_date=clock.now() - timedelta(days=1))

    browser(jo)

    assert not BrowserSession.objects.filter(session_key=old.session.session_key).exists()


def test_guessing_the_old_password_is_slowed_down(jo):
    here = signed_in(name="bo")
    wrong = {"old_password": "wrong", "new_password1": "another good 10", "new_password2": "another good 10"}

    answers = [here.post("/settings", wrong).status_code for _ in range(6)]

    assert answers == [422] * 5 + [429]


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        (FIREFOX, "Firefox on Linux"),
        (SAFARI, "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/128.0 Safari/537.36 Edg/128.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/128.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.5.0", "curl"),
        ("", "A browser without a name"),
    ],
)
def test_a_browser_is_named_in_words(agent, said):
    assert browsers.words_of(agent) == said


def test_a_browser_that_calls_itself_something_wild_does_no_harm(jo):
    here = browser(jo, "<script>alert(1)</script>\x1b[31m" + "x" * 5000)

    page = here.get("/settings").content.decode()

    assert "<script>alert(1)" not in page
    assert "\x1b" not in page
