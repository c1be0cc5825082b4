"""For tests of who may do what: docs/access.md as data, and a small world with somebody of each role in it."""

import re

from django.test import Client

from agents import enrolment
from benchmarks import saved_views
from benchmarks.tests import world
from obt_site import env
from obt_site.access import Role
from obt_site.accounts import people
from obt_site.tests.people import person
from obt_site.tokens import create_token

WEBSOCKET, ANY = "WS", "any"
COLUMNS = ("Signed out", "Viewer", "Operator", "Admin", "Agent", "Public read")
ROLES = {"Viewer": Role.VIEWER, "Operator": Role.OPERATOR, "Admin": Role.ADMIN}
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")


def table() -> dict[tuple[str, str], dict[str, str]]:
    """The document's lines: (route, method) → what it says for each column."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for line in (env.ROOT / "docs/access.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            route, method, *words = cells
            assert (route, method) not in found, line
            found[route.strip("`"), method] = dict(zip(COLUMNS, words, strict=True))
    return found


TABLE = table()


def plain(pattern: str) -> str:
    """`x/<name>` of `x/<str:name>` and of `^x/(?P<name>[0-9a-f]+)$`."""
    return PARAMETER.sub(lambda found: f"<{found[1] or found[2]}>", pattern).removeprefix("^").removesuffix("$")


OWN_TOKENS = ("/api/v1/tokens/<token_id>", "/settings/tokens/<token_id>/revoke")


class World:
    """A small world, somebody of each role in it, and the parts of addresses."""

    def __init__(self) -> None:
        self.agent, credential = world.register("other")
        self.authorization = f"Bearer {credential}"
        forge = world.machine("forge")
        result = world.result(forge)
        offer = world.running(forge, world.MODELS[1])
        token, _ = enrolment.create_token("third", by="admin")
        self.people = {word: person(word.lower(), None) for word in ROLES}
        for word, role in ROLES.items():
            people.set_role(self.people[word], role)
        view = saved_views.save(str(self.people["Admin"].pk), "mine", "model=x")
        self.parts = {
            "client_id": str(forge.id),
            "session_id": str(result.session),
            "job_id": offer.job,
            "result_id": result.id,
            "view_id": str(view.id),
            "token_id": enrolment.token_id(token),
            "person_id": str(person("eve", Role.VIEWER).pk),
            "name": "css/base.css",
            "object_id": "1",
            "app_label": "auth",
            "content_type_id": "1",
            "url": "nothing",
            "number": "1",
            "id": "0" * 24,
        }
        made = {word: create_token(f"of {word}", role, self.people[word]) for word, role in ROLES.items()}
        self.tokens = {word: text.split("_")[1] for word, text in made.items()}

    def path(self, route: str, column: str = "Viewer") -> str:
        """The address of something that is there; of an API token, one that is this column's own."""
        parts = self.parts
        if route.endswith(OWN_TOKENS):
            parts = {**parts, "token_id": self.tokens.get(column, self.tokens["Viewer"])}
        return re.sub(r"<(\w+)>", lambda found: parts.get(found[1], "nothing"), route)

    def browser(self, column: str) -> Client:
        """Who asks: the cookie of somebody with that role, an agent's credential, or nothing at all."""
        browser = Client(raise_request_exception=False)
        if column in ROLES:
            browser.force_login(self.people[column])
        if column == "Agent":
            browser.defaults["HTTP_AUTHORIZATION"] = self.authorization
        return browser

    def script(self, column: str) -> Client:
        """The same role as a user API token."""
        browser = Client(raise_request_exception=False)
        browser.defaults["HTTP_AUTHORIZATION"] = f"Bearer {create_token(column, ROLES[column], self.people[column])}"
        return browser
