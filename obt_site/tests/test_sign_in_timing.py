"""/sign-in takes as long for a name that nobody has: counted in what takes the time, the hashing of a password."""

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.test import Client

from obt_site.access import Role
from obt_site.tests.people import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def hashed(monkeypatch, settings):
    """The rounds of each hash that is computed, by the hasher that is used outside of tests."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    rounds = []
    encode = PBKDF2PasswordHasher.encode

    def counted(self, password, salt, iterations=None):
        rounds.append(iterations or self.iterations)
        return encode(self, password, salt, iterations)

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", counted)
    return rounds


@pytest.mark.parametrize("name", ["jo", "nobody", "out", "invited"])
def test_every_try_hashes_one_password_whoever_is_asked_for(hashed, database, name):
    person("jo", Role.VIEWER)
    gone = person("out", Role.VIEWER)
    gone.is_active = False
    gone.save()
    invited = person("invited", Role.VIEWER)
    invited.set_unusable_password()
    invited.save()
    hashed.clear()

    answer = Client().post("/sign-in", {"username": name, "password": "wrong"})

    assert answer.status_code == 422
    assert hashed == [PBKDF2PasswordHasher.iterations]
