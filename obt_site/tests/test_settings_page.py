"""/settings: theme, density, password; what the server was told is for administrators, without a secret."""

import re

import pytest
from django.test import Client

from obt_site import env
from obt_site.access import Role
from obt_site.accounts import settings_page
from obt_site.tests.people import PASSWORD, signed_in, tags, words

pytestmark = pytest.mark.django_db
NEW = "another good horse 10"


@pytest.fixture(autouse=True)
def _database(database):
    """Every page asks the database what runs."""


def change(browser, old=PASSWORD, new=NEW, again=NEW):
    return browser.post("/settings", {"old_password": old, "new_password1": new, "new_password2": again})


@pytest.mark.parametrize("role", list(Role))
def test_it_names_the_role_and_what_it_may(role):
    page = words(signed_in(role).get("/settings"))

    assert role.word in page
    assert settings_page.ROLE_WORDS[role] in page


def test_theme_and_density_are_chosen_here():
    chosen = [tag["value"] for tag in tags(signed_in().get("/settings"), "input") if "data-choose" in tag]

    assert chosen == ["dark", "light", "system", "comfortable", "compact"]


def test_the_password_is_changed_and_the_browser_stays_signed_in():
    browser = signed_in()

    assert change(browser).url == "/settings"

    assert browser.get("/settings").status_code == 200
    assert Client().post("/sign-in", {"username": "jo", "password": NEW}).status_code == 302


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"old": "wrong"}, "old password was entered incorrectly"),
        ({"again": "different horse 11"}, "didn’t match"),
        ({"new": "12345678", "again": "12345678"}, "too common"),
    ],
)
def test_a_wrong_change_is_said_beside_the_field_and_changes_nothing(sent, said):
    page = change(signed_in(), **sent)

    assert page.status_code == 422
    assert said in words(page)
    assert Client().post("/sign-in", {"username": "jo", "password": PASSWORD}).status_code == 302


def test_only_administrators_see_what_the_server_was_told():
    admin = words(signed_in(Role.ADMIN, "ann").get("/settings"))
    operator = words(signed_in(Role.OPERATOR).get("/settings"))

    assert all(variable.name in admin for variable in env.VARIABLES if not variable.name.endswith("_FILE"))
    assert "Limits in force" in admin
    assert "OBT_HOST" not in operator


def test_no_secret_and_no_password_in_an_address_is_shown(settings, monkeypatch):
    given = {
        "OBT_SECRET_KEY": "s3cr3t-key",
        "OBT_MONGODB_URI": "mongodb://me:pa55@db.test:27017/obt?authSource=x",
        "DATABASE_URL": "postgres://me:pa55@sql.test/obt",
        "OBT_ADMIN_USERNAME": "root",
        "OBT_ADMIN_PASSWORD": "pa55word",
    }
    settings.ENVIRONMENT = env.read(given)

    shown = {each.name: each.value for each in settings_page.told()}

    assert not re.search("s3cr3t|pa55|root|authSource", " ".join(shown.values()))
    assert shown["OBT_MONGODB_URI"] == "mongodb://db.test:27017/obt"
    assert shown["OBT_SECRET_KEY"] == "set, not shown"


def test_a_default_is_told_from_what_was_changed(settings):
    settings.ENVIRONMENT = env.read({"OBT_PORT": "9000"})

    changed = {each.name for each in settings_page.told() if not each.is_default}

    assert changed == {"OBT_PORT"}


def test_a_stranger_is_sent_to_sign_in():
    assert Client().get("/settings").url == "/sign-in?next=/settings"
