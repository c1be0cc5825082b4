"""The lifecycle table, row by row, and as a machine that nothing can push off its rails."""

import itertools

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from benchmarks import lifecycle
from benchmarks.documents import Job
from benchmarks.lifecycle import TABLE, TERMINAL, Actor, IllegalTransition, Overtaken, State, allowed, move

# design.md's table, and the rows docs/decisions.md adds to it, written again by hand: a change must be made twice.
ROWS = {
    ("queued", "offered"): {"server"},
    ("queued", "cancelled"): {"operator"},
    ("queued", "failed"): {"sweeper"},
    ("offered", "running"): {"agent"},
    ("offered", "queued"): {"sweeper", "agent"},
    ("offered", "failed"): {"sweeper"},
    ("offered", "cancelled"): {"operator"},
    ("running", "lost"): {"sweeper"},
    ("running", "succeeded"): {"agent"},
    ("running", "failed"): {"agent", "server"},
    ("running", "timed_out"): {"agent"},
    ("running", "cancelling"): {"operator"},
    ("running", "cancelled"): {"agent"},
    ("running", "queued"): {"agent"},
    ("cancelling", "cancelled"): {"agent", "server", "sweeper"},
    ("lost", "running"): {"agent"},
    ("lost", "failed"): {"sweeper", "server"},
    ("lost", "cancelled"): {"operator"},
    ("failed", "queued"): {"operator", "sweeper"},
    ("timed_out", "queued"): {"operator"},
    ("cancelled", "queued"): {"operator"},
}


def job_in(state: State, **fields: object) -> Job:
    job = Job(
        session=ObjectId(), client=ObjectId(), model="m", digest="d", state=state.value, attempt=1, lease="l", **fields
    )
    return job.save()


def test_the_table_is_the_one_that_was_agreed():
    assert {(row.source.value, row.target.value): {by.value for by in row.by} for row in TABLE} == ROWS


@pytest.mark.parametrize(("source", "target"), list(itertools.product(State, State)))
@pytest.mark.parametrize("by", list(Actor))
def test_every_pair_of_states_is_allowed_exactly_to_those_in_the_table(source, target, by):
    assert allowed(source, target, by) == (by.value in ROWS.get((source.value, target.value), set()))


@pytest.mark.parametrize(("source", "target", "by"), [(*row, by) for row, who in ROWS.items() for by in sorted(who)])
def test_a_row_of_the_table_is_carried_out_and_stored(database, source, target, by):
    job = job_in(State(source))

    moved = move(job, State(target), Actor(by))

    stored = Job.objects.get(id=job.id)
    assert moved.state == stored.state == target
    assert stored.state_since >= job.state_since
    if target == "offered":
        assert (stored.attempt, stored.deliveries) == (2, 1)
        assert len(stored.lease) == 32
        assert stored.lease != "l"
    else:
        assert stored.attempt == 1
    if target == "queued":
        assert stored.lease is None
    assert (stored.finished_at is not None) == (State(target) in TERMINAL)


def test_what_is_not_in_the_table_is_refused_and_nothing_is_written(database):
    job = job_in(State.SUCCEEDED)

    with pytest.raises(IllegalTransition):
        move(job, State.QUEUED, Actor.OPERATOR)

    assert Job.objects.get(id=job.id).state == "succeeded"


@pytest.mark.parametrize("field", ["state", "attempt", "lease"])
def test_a_job_that_moved_on_meanwhile_is_not_moved_again(database, field):
    job = job_in(State.RUNNING)
    Job.objects(id=job.id).update_one(**{f"set__{field}": {"state": "lost", "attempt": 2, "lease": "other"}[field]})

    with pytest.raises(Overtaken):
        move(job, State.SUCCEEDED, Actor.AGENT)

    assert Job.objects.get(id=job.id).state != "succeeded"


class JobMachine(RuleBasedStateMachine):
    """Anyone may try anything, also with a reading of the job that is out of date."""

    def __init__(self) -> None:
        super().__init__()
        self.job = Job(session=ObjectId(), client=ObjectId(), model="m", digest="d").save()
        self.old_readings = [self.job]
        self.attempts = 0

    def current(self) -> Job:
        return Job.objects.get(id=self.job.id)

    @rule(target_state=st.sampled_from(State), by=st.sampled_from(Actor))
    def someone_moves_the_job_as_it_is(self, target_state: State, by: Actor) -> None:
        before = self.current()
        if allowed(State(before.state), target_state, by):
            after = move(before, target_state, by)
            assert after.state == target_state
            self.old_readings.append(before)
        else:
            with pytest.raises(IllegalTransition):
                move(before, target_state, by)
            assert self.current().state == before.state

    @precondition(lambda self: len(self.old_readings) > 1)
    @rule(data=st.data())
    def someone_moves_an_old_reading_of_it(self, data: st.DataObject) -> None:
        old = data.draw(st.sampled_from(self.old_readings))
        now_ = self.current()
        same = (old.state, old.attempt, old.lease) == (now_.state, now_.attempt, now_.lease)
        for row in TABLE:
            if row.source == old.state and not same:
                with pytest.raises(Overtaken):
                    move(old, row.target, next(iter(row.by)))
        assert self.current().state == now_.state

    @invariant()
    def attempts_only_grow_and_each_offer_has_a_lease(self) -> None:
        job = self.current()
        assert job.attempt >= self.attempts
        self.attempts = job.attempt
        assert bool(job.lease) or job.state not in {state.value for state in lifecycle.WITH_AGENT}


def test_no_sequence_of_attempts_by_anyone_leaves_the_rails(database):
    run_state_machine_as_test(
        JobMachine,
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
