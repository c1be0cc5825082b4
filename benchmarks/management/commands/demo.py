"""`manage.py demo`: a made-up fleet with half a year of results. `manage.py demo --remove` takes exactly that away."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from pymongo.errors import PyMongoError

from benchmarks.demo.add import Asked, add
from benchmarks.demo.remove import remove
from obt_site import actor
from obt_site.errors import Refusal

AWAY = "The database does not answer. Run `make up` first, or set OBT_MONGODB_URI."
TOLD_EVERY = 500  # results


class Command(BaseCommand):
    help = "Add a made-up fleet with models, sessions and results, all marked as simulated; --remove takes it away."

    def add_arguments(self, parser: ArgumentParser) -> None:
        usual = Asked()
        parser.add_argument("--remove", action="store_true", help="take away what the demo made, and nothing else")
        parser.add_argument("--machines", type=int, default=usual.machines, help="default %(default)s")
        parser.add_argument("--models", type=int, default=usual.models, help="default %(default)s")
        parser.add_argument("--results", type=int, default=usual.results, help="default %(default)s")
        parser.add_argument("--seed", type=int, default=usual.seed, help="another number, other numbers: %(default)s")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with actor.acting(actor.command("demo")):
                self._remove() if options["remove"] else self._add(options)
        except PyMongoError:
            raise CommandError(AWAY) from None
        except Refusal as refusal:
            raise CommandError(refusal.detail) from None

    def _add(self, options: dict[str, Any]) -> None:
        names = ("machines", "models", "results", "seed")
        if any(options[name] < 0 for name in names[:3]):
            raise CommandError("Counts are 0 or more.")
        told = 0

        def tell(done: int, wanted: int) -> None:
            nonlocal told
            if done >= told + TOLD_EVERY:
                told = done
                self.stderr.write(f"{done} of {wanted} results")

        made = add(Asked(**{name: options[name] for name in names}), tell)
        self.stdout.write(
            f"Made up: {made.machines} machines, {made.models} models, {made.sessions} sessions,"
            f" {made.results} results. All of it is marked as simulated. Take it away with: manage.py demo --remove"
        )

    def _remove(self) -> None:
        gone = remove()
        if not any(gone.values()):
            self.stdout.write("There is nothing of the demo here.")
            return
        said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in gone.items() if count)
        self.stdout.write(f"Removed: {said}.")
