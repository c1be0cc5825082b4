"""`manage.py up` goes to `obt_site/up/supervisor.py` before Django loads; this is its entry for Django's own tools."""

import subprocess
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from obt_site import env


class Command(BaseCommand):
    """Starts OBT in a process of its own: settings are already loaded here, and `up` decides what they are."""

    help = "Start OBT: database, server and the agent of this machine."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-agent", action="store_true", help="leave the agent of this machine out")

    def handle(self, *args: Any, **options: Any) -> None:
        command = [sys.executable, str(env.ROOT / "manage.py"), "up"]
        code = subprocess.call([*command, "--no-agent"] if options["no_agent"] else command)
        if code:
            raise CommandError("OBT did not start.", returncode=code)
