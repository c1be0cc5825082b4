"""The places of the site: those of the bar, and those that are needed rarely and stand in the person's menu.

Bar, menu, palette and the list of keys all read this one table. A place for a role is shown to those who have it.
"""

from dataclasses import dataclass

from django.urls import reverse

from obt_site.access import Role


@dataclass(frozen=True)
class Place:
    """`name` is the address's name; `key` goes there after `g`; `also` are other words that people look for.

    `is_public`: open to strangers, too, where OBT_PUBLIC_READ is on.
    """

    word: str
    name: str
    icon: str
    key: str = ""
    also: str = ""
    role: Role = Role.VIEWER
    is_public: bool = False

    @property
    def url(self) -> str:
        return reverse(self.name)


BAR = (
    Place("Home", "home", "home", "d", "dashboard start overview"),
    Place("Fleet", "fleet", "fleet", "f", "machines agents clients", is_public=True),
    Place("Models", "models", "models", "m", "matrix", is_public=True),
    Place("Sessions", "sessions", "sessions", "s", "runs benchmarks"),
    Place("Results", "results", "results", "r", "numbers explorer", is_public=True),
)
MORE = (
    Place("Job queue", "queue", "clock", "q", "jobs waiting running"),
    Place("Events", "events", "sessions", "e", "log history what happened"),
    Place("Compare", "compare", "results", also="difference faster slower", is_public=True),
    Place("History", "history", "clock", also="over time drift", is_public=True),
    Place("Audit", "audit", "search", also="who changed what log undo", role=Role.ADMIN),
    Place("Settings", "settings", "settings", also="theme density password limits"),
    Place("People", "people", "person", also="users accounts roles passwords sign-in", role=Role.ADMIN),
    Place("API", "api:docs", "terminal", also="scripts tokens openapi"),
    Place("Style guide", "styleguide", "edit", also="components look"),
    Place("About", "about", "info", also="versions licences help"),
)
ACTIONS = (
    Place("Start a session: choose models", "models", "plus", also="new run benchmark", role=Role.OPERATOR),
    Place("Add a machine", "machine_add", "plus", also="new enrol install agent", role=Role.ADMIN),
    Place("Change the theme", "settings", "theme", also="dark light system"),
    Place("Change your password", "settings", "key"),
    Place("Your API tokens", "tokens", "key", also="scripts bearer secret"),
    Place("Add a person", "people", "person", also="user account invite", role=Role.ADMIN),
)


def open_to(places: tuple[Place, ...], role: Role) -> list[Place]:
    """The places that someone of this role may go to."""
    return [place for place in places if role >= place.role]


def open_to_strangers() -> list[Place]:
    """The places that somebody unknown may read, where that is allowed."""
    return [place for place in (*BAR, *MORE) if place.is_public]
