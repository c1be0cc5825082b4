from __future__ import annotations

import errno
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.obt_agent.contract import Event
from agent.obt_agent.errors import AgentError
from agent.obt_agent.spool import ACCEPTED, FINISHED, RUNNING, SEQ_BLOCK, Spool
from agent.tests.agent_world import offer, sample

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    one = Spool(tmp_path, reserve_bytes=0)
    yield one
    one.close()


def event(seq: int, kind: str = "sample") -> Event:
    return Event(seq=seq, kind=kind, elapsed_s=float(seq))  # type: ignore[arg-type]


def test_an_offer_is_taken_once(spool: Spool) -> None:
    assert spool.take(offer())
    assert not spool.take(offer())
    assert spool.take(offer(attempt=2))
    assert [held.offer for held in spool.jobs(ACCEPTED)] == [offer(), offer(attempt=2)]


def test_it_holds_a_job_from_the_offer_to_the_acknowledged_result(spool: Spool) -> None:
    spool.take(offer())
    assert spool.holding()[0].lease == "lease-of-job-1"
    spool.set_running("job-1", 1)
    assert len(spool.holding()) == 1
    spool.finish("job-1", 1, b"{}")
    assert len(spool.holding()) == 1
    spool.forget("job-1", 1)
    assert spool.holding() == []


def test_a_rejected_result_is_kept_but_not_held_or_sent(spool: Spool) -> None:
    spool.take(offer())
    spool.finish("job-1", 1, b"body")
    spool.reject("job-1", 1, "too large")
    assert spool.holding() == []
    assert spool.due() == []
    ((body, why),) = sqlite3.connect(spool.path).execute("SELECT result, refusal FROM jobs").fetchall()
    assert (body, why) == (b"body", "too large")


def test_samples_come_back_in_order_after_a_restart(tmp_path: Path) -> None:
    first = Spool(tmp_path, 0)
    first.take(offer())
    kept = [sample(2), sample(0), sample(1, start_s=1.5)]
    for one in kept:
        first.store(offer()).keep(one)
    first.close()
    assert Spool(tmp_path, 0).store(offer()).samples() == kept


def test_samples_of_another_attempt_are_not_mixed_in(spool: Spool) -> None:
    spool.take(offer())
    spool.take(offer(attempt=2))
    spool.store(offer()).keep(sample(0))
    assert spool.store(offer(attempt=2)).samples() == []


def test_results_are_due_until_forgotten_oldest_first(spool: Spool) -> None:
    for job in ("a", "b"):
        spool.take(offer(job))
    spool.finish("b", 1, b"2")
    spool.finish("a", 1, b"1")
    assert [(due.job, due.body) for due in spool.due()] == [("a", b"1"), ("b", b"2")]
    spool.forget("a", 1)
    assert [due.job for due in spool.due()] == ["b"]


def test_events_come_in_order_and_go_when_acknowledged(spool: Spool) -> None:
    spool.take(offer())
    for seq in (3, 1, 2):
        spool.add_event("job-1", 1, event(seq))
    spool.drop_events("job-1", 1, up_to_seq=2)
    assert [one.seq for one in spool.events("job-1", 1)] == [3]


def test_an_events_number_is_never_used_twice_across_restarts(tmp_path: Path) -> None:
    first = Spool(tmp_path, 0)
    first.take(offer())
    start = first.reserve_seqs("job-1", 1)
    first.close()
    assert Spool(tmp_path, 0).reserve_seqs("job-1", 1) >= start + SEQ_BLOCK


def test_how_long_a_job_ran_survives_a_restart(tmp_path: Path) -> None:
    first = Spool(tmp_path, 0)
    first.take(offer())
    first.add_event("job-1", 1, event(7))
    first.close()
    assert Spool(tmp_path, 0).jobs(ACCEPTED)[0].elapsed_s == 7.0


def test_its_files_are_for_their_owner_only(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 0)
    spool.take(offer())
    files = list(tmp_path.glob("spool.db*"))
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_damaged_file_is_put_aside_and_the_agent_goes_on(tmp_path: Path) -> None:
    (tmp_path / "spool.db").write_bytes(b"this is no database, but it is long enough to look at" * 50)
    spool = Spool(tmp_path, 0)
    assert spool.take(offer())
    assert len(list(tmp_path.glob("spool.db.broken-*"))) == 1


def test_a_file_of_a_newer_agent_is_left_alone(tmp_path: Path) -> None:
    Spool(tmp_path, 0).close()
    db = sqlite3.connect(tmp_path / "spool.db")
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(AgentError, match="newer agent"):
        Spool(tmp_path, 0)


def test_a_job_written_in_a_form_no_longer_known_is_forgotten(spool: Spool) -> None:
    spool.take(offer())
    db = sqlite3.connect(spool.path)
    db.execute("UPDATE jobs SET offer=?", (b'{"job": "job-1", "of_the_past": 1}',))
    db.commit()
    assert spool.jobs(ACCEPTED) == []
    assert spool.holding() == []


def test_threads_may_write_at_the_same_time(spool: Spool) -> None:
    jobs = [offer(f"job-{n}") for n in range(4)]
    for job in jobs:
        spool.take(job)

    def work(job: object) -> None:
        store = spool.store(job)  # type: ignore[arg-type]
        for index in range(20):
            store.keep(sample(index))

    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [len(spool.store(job).samples()) for job in jobs] == [20] * 4


# -- kill -9 -----------------------------------------------------------------------------------------------------

KEEPER = """
import sys
from pathlib import Path
from agent.obt_agent.spool import Spool
from agent.tests.agent_world import offer, sample

spool = Spool(Path(sys.argv[1]), 0)
spool.take(offer())
spool.set_running("job-1", 1)
store = spool.store(offer())
for index in range(100_000):
    store.keep(sample(index))
    print(index, flush=True)
"""


def test_every_sample_reported_kept_survives_kill_9(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    last = -1
    for line in process.stdout:
        last = int(line)
        if last >= 30:
            os.kill(process.pid, signal.SIGKILL)
            break
    last = max([last, *(int(line) for line in process.stdout.read().split("\n") if line.strip().isdigit())])
    process.wait(5)
    spool = Spool(tmp_path, 0)
    assert spool.jobs(RUNNING)[0].offer == offer()
    kept = [one.index for one in spool.store(offer()).samples()]
    assert kept == list(range(len(kept)))
    assert len(kept) >= last + 1


# -- a full disk -------------------------------------------------------------------------------------------------


def fill(spool: Spool, pages: int = 30) -> None:
    """Let the database grow by no more than these pages: what SQLite then says is what it says on a full disk."""
    ((used,),) = spool._file.rows("PRAGMA page_count")
    spool._file.rows(f"PRAGMA max_page_count={used + pages}")


def test_on_a_full_disk_progress_makes_room_for_the_result(spool: Spool) -> None:
    spool.take(offer())
    fill(spool)
    for seq in range(1, 2000):
        spool.add_event("job-1", 1, event(seq))
    assert spool.finish("job-1", 1, b"x" * 60_000)
    assert spool.events("job-1", 1) == []
    assert spool.due()[0].body == b"x" * 60_000


def test_a_result_that_fits_nowhere_is_kept_in_memory_and_saved_later(spool: Spool) -> None:
    spool.take(offer())
    fill(spool)
    body = b"x" * 1_000_000
    assert not spool.finish("job-1", 1, body)
    assert [due.body for due in spool.due()] == [body]
    assert len(spool.holding()) == 1
    spool._file.rows("PRAGMA max_page_count=1000000")
    spool.save_again()
    assert spool.state_of("job-1", 1) == FINISHED
    assert [due.body for due in spool.due()] == [body]


def test_a_sample_that_fits_nowhere_is_still_part_of_the_job(spool: Spool) -> None:
    spool.take(offer())
    fill(spool, pages=0)
    store = spool.store(offer())
    for index in range(300):
        store.keep(sample(index))
    assert [one.index for one in store.samples()] == list(range(300))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB of its own, in memory; needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_up(path: Path) -> None:
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def test_on_a_disk_that_is_really_full_the_result_gets_the_reserve(small_disk: Path) -> None:
    (small_disk / "spool.reserve").write_bytes(os.urandom(2_000_000))
    spool = Spool(small_disk)
    spool.take(offer())
    fill_up(small_disk / "somebody-elses")
    for seq in range(1, 300):
        spool.add_event("job-1", 1, event(seq))
    assert spool.finish("job-1", 1, b"r" * 500_000)
    assert not (small_disk / "spool.reserve").exists()
    spool.close()
    again = Spool(small_disk)
    assert again.due()[0].body == b"r" * 500_000
    again.close()


def test_the_reserve_is_made_where_there_is_room(tmp_path: Path) -> None:
    Spool(tmp_path, reserve_bytes=256 * 1024).close()
    assert (tmp_path / "spool.reserve").stat().st_size == 256 * 1024
