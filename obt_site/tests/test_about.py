"""/about: versions and licences of everything that is in it."""

import pytest

from agent import obt_agent
from obt_site import about
from obt_site.access import Role
from obt_site.tests.people import signed_in, words

pytestmark = pytest.mark.django_db


def test_it_names_versions_packages_vendored_scripts_and_fonts(database):
    page = words(signed_in(Role.VIEWER).get("/about"))

    for name in (obt_agent.__version__, "django", "mongoengine", "htmx.org", "IBM Plex Sans", "OFL-1.1", "SecantusDB"):
        assert name in page


def test_every_required_package_is_there_with_version_and_licence():
    parts = {part.name: part for part in about.packages()}

    assert {"django", "daphne", "channels", "pymongo", "scipy", "requests"} <= set(parts)
    assert parts["django"].version
    assert parts["django"].licence != about.NOT_STATED
    assert not [name for name in parts if set(name) & set("<>=[; ")]


def test_a_package_that_is_not_installed_is_said_and_not_hidden():
    part = about._package("there-is-no-such-package")

    assert (part.version, part.licence) == (None, about.NOT_STATED)
