"""Machines, their hardware and their models in the admin."""

from collections.abc import Mapping, Sequence

from django.urls import reverse

from agents import hardware, merging, presence, verbs
from agents.documents import Client, HardwareConfig, ModelInstallation
from benchmarks import deleting
from obt_site.admin.documents import (
    Action,
    Asked,
    Column,
    DocumentAdmin,
    Filter,
    Input,
    Page,
    by_id,
    deleted,
    has,
    whole,
)
from obt_site.errors import Invalid, NotFound

STATES = [(state.value, state.value.capitalize()) for state in presence.Presence]
YES_NO = [("yes", "Yes"), ("no", "No")]


def machine_choices() -> list[tuple[str, str]]:
    """Every machine by name, for a filter."""
    found = [(str(client.id), client.name) for client in Client.objects.only("name")]
    return sorted(found, key=lambda each: each[1].casefold())


class Machines(DocumentAdmin[Client]):
    """Name and labels may be corrected; two records of one machine merged; a machine deleted with all it measured."""

    document, slug, name, plural = Client, "machines", "machine", "Machines"
    about = "Machines with an agent. Removing one on its own page keeps its results; deleting one here does not."
    search_help = "name, host name or label"
    may_be_corrected = True
    hidden = frozenset({"history", "loaded", "reading"})

    def columns(self) -> Sequence[Column[Client]]:
        return (
            Column("Name", lambda one: one.name),
            Column("State", lambda one: presence.of(one).state.value),
            Column("Host name", lambda one: one.hostname),
            Column("Labels", lambda one: ", ".join(one.labels)),
            Column("Paused", lambda one: one.paused),
            Column("Agent", lambda one: one.agent_version),
            Column("Last seen", lambda one: one.last_seen_at),
            Column("Added", lambda one: one.created_at),
        )

    def filters(self) -> Sequence[Filter]:
        return (Filter("state", "State", lambda: STATES), Filter("paused", "Paused", lambda: YES_NO))

    def page(self, asked: Asked) -> Page[Client]:
        state, paused = asked.value("state"), asked.value("paused")

        def keep(one: Client) -> bool:
            if state and presence.of(one).state.value != state:
                return False
            if paused and one.paused != (paused == "yes"):
                return False
            return has(asked.search, one.name, one.hostname, *one.labels)

        return whole(Client, asked, keep, lambda one: one.name.casefold())

    def find(self, identity: str) -> Client:
        return verbs.find(identity)

    def url(self, document: Client) -> str | None:
        return reverse("machine", args=[document.id])

    def inputs(self, document: Client) -> Sequence[Input]:
        return (
            Input("name", "Name", longest=verbs.NAME_LENGTH),
            Input("labels", "Labels", "Separated by commas.", longest=2000),
        )

    def values(self, document: Client) -> Mapping[str, str]:
        return {"name": document.name, "labels": ", ".join(document.labels)}

    def correct(self, document: Client, values: Mapping[str, str]) -> None:
        labels = verbs.check_labels(values["labels"].split(","))  # first, so that nothing is stored by half
        if values["name"].strip() != document.name:
            document = verbs.rename(document, values["name"])
        if labels != list(document.labels):
            verbs.set_labels(document, labels)

    def actions(self) -> Sequence[Action[Client]]:
        return (
            Action(
                "merge", "Merge into another…",
                "For a machine that was enrolled twice. All that this record did and measured moves to the one you "
                "choose, which keeps its name and its credential; this record is removed. Choose the one that the "
                "machine's agent reports to now. This cannot be undone.",
                self._merge, merging.counts, self._others, destroys=True, leaves=True,
            ),
            Action(
                "delete", "Delete…",
                "The machine goes with all its jobs and results, and so do sessions that nothing is left of. Its agent "
                "is refused from then on. Events and the audit stay. This cannot be undone.",
                lambda one, typed: deleted(deleting.carry_out(deleting.of_machine(one))),
                lambda one: deleting.of_machine(one).counts, destroys=True, leaves=True,
            ),
        )  # fmt: skip

    def _others(self, document: Client) -> Sequence[Input]:
        others = [each for each in machine_choices() if each[0] != str(document.id)]
        return (Input("into", "The record that is kept", choices=others),)

    def _merge(self, document: Client, typed: Mapping[str, str]) -> str:
        if not typed["into"]:
            raise Invalid("Choose the record that is kept.")
        kept = merging.merge(verbs.find(typed["into"]), document)
        return f"{document.name} was merged into {kept.name}."


class HardwareConfigs(DocumentAdmin[HardwareConfig]):
    """Named by the hash of their content: read only."""

    document, slug, name, plural = HardwareConfig, "hardware", "hardware config", "Hardware configs"
    about = "What machines consisted of. Each is named by its content, so nothing of it can be corrected."
    search_help = "GPU, CPU or operating system"

    def columns(self) -> Sequence[Column[HardwareConfig]]:
        return (
            Column("Hardware", lambda one: hardware.summary(dict(one.content)) or "no GPU, CPU not known"),
            Column("Operating system", lambda one: (one.content.get("os") or {}).get("name")),
            Column("First seen", lambda one: one.first_seen_at),
            Column("Config", lambda one: one.id[:12]),
        )

    def page(self, asked: Asked) -> Page[HardwareConfig]:
        return whole(HardwareConfig, asked, lambda one: has(asked.search, one.content), lambda one: self.title(one))

    def find(self, identity: str) -> HardwareConfig:
        found: HardwareConfig | None = HardwareConfig.objects(id=identity).first()
        if found is None:
            raise NotFound("There is no such hardware config.")
        return found


class Installations(DocumentAdmin[ModelInstallation]):
    """A machine's own list of its models: read only, as its agent would write it again."""

    document, slug, name, plural = ModelInstallation, "models", "model on a machine", "Models on machines"
    about = "Each machine's own list; its agent sends it, so a correction here would not last."
    search_help = "model, family or digest"

    def columns(self) -> Sequence[Column[ModelInstallation]]:
        names = dict(machine_choices())
        return (
            Column("Model", lambda one: one.name),
            Column("Machine", lambda one: names.get(str(one.client), "removed machine")),
            Column("Family", lambda one: one.family),
            Column("Quantisation", lambda one: one.quantization),
            Column("Size, bytes", lambda one: one.size_bytes),
            Column("Digest", lambda one: one.digest[:12]),
            Column("Seen", lambda one: one.seen_at),
        )

    def filters(self) -> Sequence[Filter]:
        return (Filter("machine", "Machine", machine_choices),)

    def page(self, asked: Asked) -> Page[ModelInstallation]:
        machine = asked.value("machine")

        def keep(one: ModelInstallation) -> bool:
            is_there = machine is None or str(one.client) == machine
            return is_there and has(asked.search, one.name, one.family, one.digest)

        return whole(ModelInstallation, asked, keep, lambda one: one.name.casefold())

    def find(self, identity: str) -> ModelInstallation:
        return by_id(ModelInstallation, identity, "model")
