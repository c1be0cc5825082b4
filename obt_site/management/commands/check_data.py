"""`manage.py check_data`: what is wrong with what is stored, and what to do. `--fix` mends what loses nothing.

Ends with 1 when something is wrong (after `--fix`: still wrong), with 0 otherwise.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from pymongo.errors import OperationFailure, PyMongoError

from obt_site import actor, data_checks
from obt_site.data_checks import Finding

AWAY = "The database does not answer. Run `make up` first, or set OBT_MONGODB_URI."


class Command(BaseCommand):
    help = "Look for orphans, impossible states and missing indexes in what is stored, and say what to do about them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fix", action="store_true", help="mend what can be mended without losing anything")
        parser.add_argument("--yes", action="store_true", help="with --fix: do not ask first")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with actor.acting(actor.command("check_data")):
                left = self._checked(options["fix"], options["yes"])
        except PyMongoError:
            raise CommandError(AWAY) from None
        if left:
            sys.exit(1)

    def _checked(self, fix: bool, yes: bool) -> Sequence[Finding]:
        """What is still wrong at the end."""
        found = data_checks.check()
        for each in found:
            self.stdout.write(f"✗ {each.words}\n    {each.advice}")
        if not found:
            self.stdout.write("Nothing is wrong: no orphans, no impossible states, every index is there.")
        mendable = [each for each in found if each.mend is not None]
        if not fix or not mendable:
            return found
        if not yes and not self._agreed(len(mendable)):
            self.stdout.write("Nothing was changed.")
            return found
        for each in mendable:
            try:
                data_checks.mend(each)
                self.stdout.write(f"✓ mended: {each.what}")
            except OperationFailure as error:  # as an index that should be unique and cannot be yet
                reason = str(error).partition(", full error")[0]
                self.stdout.write(f"✗ not mended: {each.what}: the database says: {reason}")
        return data_checks.check()

    def _agreed(self, count: int) -> bool:
        self.stdout.write(f"Mend {count} of these now? Nothing is lost by it. [y/N] ", ending="")
        self.stdout.flush()
        try:
            return input().strip().casefold() in ("y", "yes")
        except EOFError:
            return False
