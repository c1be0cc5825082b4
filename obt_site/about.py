"""`/about`: which versions run, whose work is in it, and under which licences."""

import platform
from dataclasses import dataclass
from importlib import metadata

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from agent import obt_agent
from agent.obt_agent import contract
from obt_site import env, mongo
from obt_site.access import Role, requires
from obt_site.management.commands.vendor import read_pins

REQUIREMENTS = env.ROOT / "requirements.in"
FONTS = (("IBM Plex Sans", "OFL-1.1"), ("IBM Plex Mono", "OFL-1.1"))
NOT_STATED = "not stated"
LONGEST_LICENCE_NAME = 60  # characters


@dataclass(frozen=True)
class Part:
    """A piece of software or a font; `version` None where it is not installed here."""

    name: str
    version: str | None
    licence: str


def packages() -> list[Part]:
    """The Python packages that OBT asks for by name, as they are installed."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    names = [line.split(";")[0].split("[")[0] for line in lines if line.strip() and not line.startswith("#")]
    return [_package(_name_only(name)) for name in names]


def _name_only(requirement: str) -> str:
    for sign in "<>=!~ ":
        requirement = requirement.split(sign)[0]
    return requirement.strip()


def _package(name: str) -> Part:
    try:
        found = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return Part(name, None, NOT_STATED)
    return Part(name, found["Version"], _licence(found))


def _licence(found: metadata.PackageMetadata) -> str:
    """The licence's name: stated as such, or by the classifiers; whole licence texts are not names."""
    for stated in (*(found.get_all("License-Expression") or ()), *(found.get_all("License") or ())):
        if stated and "\n" not in stated and len(stated) < LONGEST_LICENCE_NAME:
            return str(stated)
    classified = [line for line in found.get_all("Classifier") or () if line.startswith("License ::")]
    return classified[0].rpartition(" :: ")[2] if classified else NOT_STATED


def vendored() -> list[Part]:
    """Scripts that are served from here, at the version they are pinned to."""
    return [Part(pin["package"], pin["version"], pin["licence"]) for pin in read_pins().values()]


@require_safe
@requires(Role.VIEWER)
def about(request: HttpRequest) -> HttpResponse:
    """The page; reads files and installed packages only."""
    context = {
        "place": "about",
        "version": obt_agent.__version__,
        "protocol": contract.PROTOCOL,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "embedded": mongo.uri() == mongo.embedded_uri(settings.DATA_DIR),
        "packages": packages(),
        "vendored": vendored(),
        "fonts": FONTS,
    }
    return render(request, "about.html", context)
