"""All indexes of the database, each with the query it serves. Documents declare none of their own.

Lists read inside a narrow indexed range (a window of growing numbers) and never count a large collection. A test runs
every list query and fails when one is not served by an index from here.
"""

from dataclasses import dataclass

from pymongo import ASCENDING, DESCENDING, IndexModel

from obt_site import mongo


@dataclass(frozen=True)
class Index:
    """One index: its collection, its keys, whether it is unique, and what asks by it."""

    collection: str
    keys: tuple[tuple[str, int], ...]
    serves: str
    unique: bool = False

    @property
    def name(self) -> str:
        return "_".join(f"{key}_{'asc' if way == ASCENDING else 'desc'}" for key, way in self.keys)


def _by(collection: str, keys: str, serves: str, unique: bool = False) -> Index:
    """`keys` as words, `-` before a descending one."""
    parsed = tuple((key.lstrip("-"), DESCENDING if key.startswith("-") else ASCENDING) for key in keys.split())
    return Index(collection, parsed, serves, unique)


INDEXES: tuple[Index, ...] = (
    _by("clients", "name", "the fleet by name; two machines never share one", unique=True),
    _by("clients", "credential_id", "every call of an agent", unique=True),
    _by("clients", "next_credential_id", "the first call with a renewed credential"),
    _by("clients", "state", "the sweeper's search for machines that are gone"),
    _by("model_installations", "client name", "a machine's models; a chosen model on a machine", unique=True),
    _by("model_installations", "name", "the models page: one model on every machine"),
    _by("enrolment_tokens", "expires_at", "the tokens that are still known; forgetting old ones"),
    _by("sessions", "number", "the list of sessions, newest first, in windows", unique=True),
    _by("sessions", "state", "what runs; mending at start-up"),
    _by("sessions", "paused", "whose queued jobs are held back, at every offer"),
    _by("jobs", "client state", "a machine's next job and what it holds"),
    _by("jobs", "session", "a session's jobs"),
    _by("jobs", "state", "the sweeper; counts of what runs and waits"),
    _by("results", "number", "the list of results, newest first, in windows", unique=True),
    _by("results", "client number", "results of one machine"),
    _by("results", "model number", "results of one model"),
    _by("results", "session number", "results of one session"),
    _by("results", "digest number", "results of one model's exact content"),
    _by("results", "family number", "results of one family of models"),
    _by("results", "quantization number", "results of one quantization"),
    _by("results", "job", "results of one job, and whether an attempt has one"),
    _by("results", "simulated number", "real results; whether any exists"),
    _by("sample_blocks", "result", "the raw samples of a result"),
    _by("late_results", "job", "late results of a job"),
    _by("events", "number", "the list of events, newest first, in windows; trimming", unique=True),
    _by("events", "client number", "events of one machine"),
    _by("events", "kind number", "events of one kind"),
    _by("audit", "number", "the audit, newest first, in windows", unique=True),
    _by("audit", "actor_name number", "what one person, token or machine did"),
    _by("audit", "action number", "changes of one kind"),
    _by("audit", "about_id number", "what was done to one thing"),
    _by("idempotent_calls", "at", "forgetting keys of calls that are older than a day"),
    _by("api_tokens", "user_id", "a person's tokens"),
    _by("api_tokens", "made_by", "the tokens that a token made"),
    _by("api_tokens", "created_at", "all tokens, for administrators"),
    _by("sign_in_tries", "last_at", "tries to sign in that are long over"),
    _by("saved_views", "owner", "a person's saved views of the results"),
    _by("saved_views", "owner name", "two views of a person never share a name", unique=True),
)


def ensure() -> None:
    """Create what is missing; existing ones stay as they are."""
    database = mongo.database()
    for collection in dict.fromkeys(index.collection for index in INDEXES):
        models = [IndexModel(list(i.keys), name=i.name, unique=i.unique) for i in INDEXES if i.collection == collection]
        database[collection].create_indexes(models)
