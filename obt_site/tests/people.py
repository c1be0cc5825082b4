"""For tests of pages: people of each role, signed in, and what they read of a page."""

import re
from html.parser import HTMLParser
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.http import HttpResponse
from django.test import Client

from obt_site.access import Role

PASSWORD = "correct horse 9"


def person(name: str, role: Role | None) -> Any:
    """An account; a role of None is someone who has signed up and was given nothing."""
    user = get_user_model().objects.create_user(username=name, password=PASSWORD)
    if role is not None:
        user.groups.add(Group.objects.get_or_create(name=role.word)[0])
    return user


def signed_in(role: Role | None = Role.OPERATOR, name: str = "jo") -> Client:
    """A browser of a signed-in person. Every post is checked for its CSRF token only where a test asks for it."""
    browser = Client()
    browser.force_login(person(name, role))
    return browser


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._silent += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(data)


def _read(response: HttpResponse | str) -> _Reader:
    reader = _Reader()
    reader.feed(response if isinstance(response, str) else response.content.decode())
    return reader


def words(response: HttpResponse | str) -> str:
    """What a person reads of the page, spaces between the pieces made single."""
    return re.sub(r"\s+", " ", " ".join(_read(response).words)).strip()


def tags(response: HttpResponse | str, name: str) -> list[dict[str, str]]:
    """The attributes of every tag of this name, in order."""
    return [attributes for tag, attributes in _read(response).tags if tag == name]


def all_tags(response: HttpResponse | str) -> list[tuple[str, dict[str, str]]]:
    return _read(response).tags


def links(response: HttpResponse | str) -> list[str]:
    """Where the page leads, without duplicates."""
    return list(dict.fromkeys(tag["href"] for tag in tags(response, "a") if tag.get("href")))


def by_id(response: HttpResponse | str, identity: str) -> dict[str, str] | None:
    """The attributes of the element with this id; None when there is none."""
    return next((attributes for _, attributes in all_tags(response) if attributes.get("id") == identity), None)
