"""What the server keeps of measuring: sessions, jobs, results, and the bulky parts beside them.

Lists read Session, Job and Result only; samples, telemetry and live tails are documents of their own. Every document
carries `schema`. Indexes are declared in `obt_site/indexes.py`.
"""

from mongoengine import (
    BinaryField,
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    FloatField,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
)

from obt_site.clock import now


class Session(Document):
    """What a person asked for: models × clients × suite. State and counts are recomputed from its jobs.

    `cells` are wire `CellSpec`s as dicts, those of fixed prompts without the text: a sweep has one several times. It is
    in `prompts`: [{cell, text}], by the cell's name without its brackets. `options` go with every request. `version`
    grows by one with every recomputation that changed something.
    """

    meta = {"collection": "sessions", "auto_create_index": False}
    schema = IntField(default=1)
    number = IntField(required=True)
    name = StringField(required=True, max_length=120)
    note = StringField(max_length=2000)
    suite = StringField(required=True)
    suite_version = StringField()
    budget = StringField(required=True)
    cells = ListField(DictField())
    prompts = ListField(DictField())
    options = DictField()
    created_by = StringField()
    created_at = DateTimeField(default=now)
    started_at = DateTimeField()
    finished_at = DateTimeField()
    state = StringField(default="queued")
    counts = DictField()
    version = IntField(default=0)
    paused = BooleanField(default=False)  # its queued jobs are not handed out; `state` stays what its jobs make it
    paused_at = DateTimeField()
    paused_by = StringField()


class Job(Document):
    """One model on one client in a session. Only `benchmarks/lifecycle.py` changes `state`, `attempt` and `lease`."""

    meta = {"collection": "jobs", "auto_create_index": False}
    schema = IntField(default=1)
    session = ObjectIdField(required=True)
    client = ObjectIdField(required=True)
    client_name = StringField()
    model = StringField(required=True)
    digest = StringField(required=True)
    position = IntField(default=0)  # order within the session
    expected_s = FloatField()  # by earlier results, when it was asked for; None: nothing was known
    expected_from = StringField()  # in words: "from its result of 2026-11-20"
    created_at = DateTimeField(default=now)

    state = StringField(default="queued")
    state_since = DateTimeField(default=now)
    attempt = IntField(default=0)
    lease = StringField()
    deliveries = IntField(default=0)  # offers in a row that were not acknowledged
    retries = IntField(default=0)  # automatic ones so far
    not_before = DateTimeField()  # a failed job with this set is queued again then
    started_at = DateTimeField()  # of this attempt
    finished_at = DateTimeField()
    last_seen_at = DateTimeField()  # last sync or progress that named the current lease

    error = DictField(default=None, null=True)  # {kind, message}
    progress = DictField(default=None, null=True)  # see benchmarks/progress.py
    progress_seq = IntField(default=0)
    result = StringField()
    took_s = FloatField()  # of the attempt that delivered last, by its agent's clock


class JobLive(Document):
    """The tail of a running job: what a page opened late needs to show the same as one open all along."""

    meta = {"collection": "job_live", "auto_create_index": False}
    id = ObjectIdField(primary_key=True)  # the job
    schema = IntField(default=1)
    attempt = IntField()
    points = ListField(DictField())  # 1 Hz, the last LIVE_POINTS
    samples = ListField(DictField())  # every sample so far: {cell, index, warmup, valid, value, unit, flags}
    notes = ListField(DictField())
    updated_at = DateTimeField(default=now)


class Result(Document):
    """A job's outcome in numbers: the summary that lists read. Its numbers never change but by deriving them anew.

    `cells`: [{cell, kind, n, metrics: {name: {median, low, high, …, unit}}, valid, flags, skipped, stopped, order,
    expected_s, took_s, conditions, comparison_key}], see benchmarks/derive.py. `conditions` and keys: see
    benchmarks/conditions.py; None in a cell that was not run.
    `excluded` and `marked_invalid` are {reason, by, at} where a person has done so (benchmarks/fixes.py).
    """

    meta = {"collection": "results", "auto_create_index": False}
    id = StringField(primary_key=True)  # "<job>-<attempt>"
    schema = IntField(default=3)
    number = IntField(required=True)  # grows with every result; lists are ordered and paged by it
    session = ObjectIdField(required=True)
    session_number = IntField()
    job = ObjectIdField(required=True)
    attempt = IntField(required=True)
    body_hash = StringField(required=True)
    client = ObjectIdField(required=True)
    client_name = StringField()
    model = StringField(required=True)
    digest = StringField()
    family = StringField()
    quantization = StringField()
    parameter_size = StringField()
    suite = StringField()
    suite_version = StringField()
    outcome = StringField(required=True)
    error = DictField(default=None, null=True)
    simulated = BooleanField(default=False)
    valid = BooleanField(default=False)  # every cell that ran has its headline number
    ollama_version = StringField()
    hardware_config = StringField()
    environment = DictField(default=None, null=True)
    placement = DictField(default=None, null=True)
    conditions = DictField(default=None, null=True)
    comparison_key = StringField()
    duration_s = FloatField()
    created_at = DateTimeField(default=now)
    cells = ListField(DictField())
    excluded = DictField(default=None, null=True)
    marked_invalid = DictField(default=None, null=True)


class SampleBlock(Document):
    """The raw samples of one cell of one result, as the agent sent them."""

    meta = {"collection": "sample_blocks", "auto_create_index": False}
    id = StringField(primary_key=True)  # "<result>:<position>"
    schema = IntField(default=1)
    result = StringField(required=True)
    position = IntField(required=True)
    cell = StringField(required=True)
    spec = DictField()
    samples = ListField(DictField())


class TelemetrySeries(Document):
    """The telemetry of one result: the wire type `Telemetry` as a dict, a long one downsampled.

    `raw` is then the whole of it: the wire type as JSON, compressed by zlib. None when `content` is the whole.
    """

    meta = {"collection": "telemetry", "auto_create_index": False}
    id = StringField(primary_key=True)  # the result
    schema = IntField(default=1)
    content = DictField()
    raw = BinaryField()


class LateResult(Document):
    """A result that came with a lease that was no longer current: kept, shown to administrators, never counted."""

    meta = {"collection": "late_results", "auto_create_index": False}
    id = StringField(primary_key=True)  # "<job>-<attempt>-<body hash>"
    schema = IntField(default=1)
    job = ObjectIdField(required=True)
    attempt = IntField()
    client = ObjectIdField()
    received_at = DateTimeField(default=now)
    reason = StringField()
    body = BinaryField()  # the JSON as it came, zlib-compressed


class Counter(Document):
    """Numbers that only grow: `sessions`, `results`."""

    meta = {"collection": "counters", "auto_create_index": False}
    id = StringField(primary_key=True)
    schema = IntField(default=1)
    value = IntField(default=0)
    epoch = StringField()
