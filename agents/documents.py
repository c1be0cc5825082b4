"""What the server keeps of machines: clients, their hardware, the models they have, and enrolment tokens.

Every document carries `schema`, the version of its shape (`obt_site/schema.py` brings old ones forward). Indexes are
declared in `obt_site/indexes.py`, not here.
"""

from typing import Any

from mongoengine import (
    BinaryField,
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    IntField,
    ListField,
    LongField,
    ObjectIdField,
    StringField,
)

from agents import recent
from obt_site.clock import now


class HardwareConfig(Document):
    """A machine's hardware, named by the hash of its content, so that equal hardware is one record.

    `content` is the wire type `Hardware` as a dict.
    """

    meta = {"collection": "hardware_configs", "auto_create_index": False}
    id = StringField(primary_key=True)  # sha256 of the canonical JSON, hex
    schema = IntField(default=1)
    content = DictField(required=True)
    first_seen_at = DateTimeField(default=now)


class Client(Document):
    """A machine with an agent.

    `state` is what the sweeper and the last sync found (`agents/presence.py`); `reason` is its sentence and
    `state_since` the server time it began. `ollama`, `reading` and `loaded` are wire types as dicts.
    """

    meta = {"collection": "clients", "auto_create_index": False}
    schema = IntField(default=1)
    name = StringField(required=True, max_length=100)
    hostname = StringField()
    labels = ListField(StringField(max_length=60))
    created_at = DateTimeField(default=now)

    credential_id = StringField(required=True)
    credential_hash = StringField(required=True)
    credential_at = DateTimeField()  # when it was made; None in old documents: when the machine was
    credential_revoked_at = DateTimeField()
    # A renewed credential, until its first use puts it in the place of the one above.
    next_credential_id = StringField()
    next_credential_hash = StringField()
    next_credential_at = DateTimeField()

    agent_version = StringField()
    protocol = IntField()
    boot_id = StringField()
    # The last starts of its agent, newest last: {id, hostname, address, at}. See `agents/doubles.py`.
    boots = ListField(DictField())
    boot_returns = ListField(DateTimeField())  # when an earlier start spoke again
    doubled_at = DateTimeField()  # when two agents last were seen with this one credential
    paused = BooleanField(default=False)
    has_agent = BooleanField(default=True)  # False: made up by the demo, and nobody reports for it

    state = StringField(default="offline")
    state_since = DateTimeField(default=now)
    reason = StringField()
    last_seen_at = DateTimeField()
    refusal = StringField()

    ollama = DictField(default=None, null=True)
    ollama_since = DateTimeField()  # when its reachability last changed
    ollama_version = StringField()  # the last one it said, also while it is away
    loaded = ListField(DictField())
    reading = DictField(default=None, null=True)
    recent = BinaryField()  # its last readings, packed: `history`
    hardware_config = StringField()
    hardware_history = ListField(DictField())  # {config, at} of each change, oldest first
    models_hash = StringField()
    models_count = IntField()
    models_at = DateTimeField()  # when its whole list last came

    @property
    def history(self) -> list[dict[str, Any]]:
        """Its last readings, oldest first: {at, cpu, memory, gpu, gpu_memory, power_w, temperature_c}."""
        return recent.unpack(self.recent)


class ModelInstallation(Document):
    """One model on one machine, as its last list said. A model that is gone from the machine is gone from here."""

    meta = {"collection": "model_installations", "auto_create_index": False}
    schema = IntField(default=1)
    client = ObjectIdField(required=True)
    name = StringField(required=True)
    digest = StringField(required=True)
    size_bytes = LongField()
    format = StringField()
    family = StringField()
    parameter_size = StringField()
    quantization = StringField()
    capabilities = ListField(StringField())
    context_length = LongField()
    remote = BooleanField(default=False)
    modified_at = StringField()
    seen_at = DateTimeField(default=now)


class EnrolmentToken(Document):
    """A one-use token that makes a machine a client, or an agent the agent of `for_client`. Only its hash is kept."""

    meta = {"collection": "enrolment_tokens", "auto_create_index": False}
    id = StringField(primary_key=True)  # sha256 of the token, hex
    schema = IntField(default=1)
    name = StringField()  # the name its machine will have; None: its host name
    labels = ListField(StringField(max_length=60))  # the labels it will have
    created_by = StringField()
    created_at = DateTimeField(default=now)
    expires_at = DateTimeField(required=True)
    used_at = DateTimeField()
    client = ObjectIdField()  # the machine that used it
    for_client = ObjectIdField()  # the only machine that may use it; None: a new one
    revoked_at = DateTimeField()


class Event(Document):
    """Something that happened, in a sentence that stands without what it is about: that may be gone by now.

    Written by `agents/events.py` only. `kind` is one of its kinds; `data` is what the sentence was made of.
    """

    meta = {"collection": "events", "auto_create_index": False}
    schema = IntField(default=1)
    number = IntField(required=True)
    at = DateTimeField(default=now)
    kind = StringField(required=True)
    words = StringField(required=True)
    client = ObjectIdField()
    client_name = StringField()
    session = ObjectIdField()
    job = ObjectIdField()
    result = StringField()
    data = DictField()
