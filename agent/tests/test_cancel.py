from __future__ import annotations

import threading
import time

from agent.obt_agent.cancel import Cancel


def test_it_is_not_set_at_first() -> None:
    cancel = Cancel()
    assert not cancel.is_set()
    assert cancel.reason is None
    assert not cancel.finishing
    assert cancel.wait(0) is False


def test_the_first_reason_stays() -> None:
    cancel = Cancel()
    cancel.set("cancelled")
    cancel.set("stale")
    assert cancel.reason == "cancelled"


def test_a_waiting_thread_goes_on_at_once_when_it_is_set() -> None:
    cancel = Cancel()
    waited: list[float] = []

    def wait() -> None:
        begun = time.monotonic()
        assert cancel.wait(10)
        waited.append(time.monotonic() - begun)

    thread = threading.Thread(target=wait)
    thread.start()
    cancel.set("abort")
    thread.join(5)
    assert waited[0] < 2


def test_callbacks_are_called_once() -> None:
    cancel, calls = Cancel(), []
    cancel.on_set(lambda: calls.append(1))
    cancel.set("cancelled")
    cancel.set("abort")
    assert calls == [1]


def test_a_callback_registered_too_late_is_called_at_once() -> None:
    cancel, calls = Cancel(), []
    cancel.set("cancelled")
    cancel.on_set(lambda: calls.append(1))
    assert calls == [1]


def test_a_callback_taken_back_is_not_called() -> None:
    cancel, calls = Cancel(), []
    take_back = cancel.on_set(lambda: calls.append("first"))
    cancel.on_set(lambda: calls.append("second"))
    take_back()
    take_back()
    cancel.set("cancelled")
    assert calls == ["second"]


def test_a_callback_may_use_the_cancel_it_is_called_by() -> None:
    cancel, seen = Cancel(), []
    cancel.on_set(lambda: seen.append((cancel.is_set(), cancel.reason)))
    cancel.on_set(lambda: cancel.on_set(lambda: seen.append((True, "nested"))))
    cancel.set("stale")
    assert seen == [(True, "stale"), (True, "nested")]


def test_finishing_soon_is_not_being_set() -> None:
    cancel = Cancel()
    cancel.finish_soon()
    assert cancel.finishing
    assert not cancel.is_set()


def test_no_callback_is_lost_between_two_threads() -> None:
    for _ in range(200):
        cancel, called = Cancel(), threading.Event()
        setter = threading.Thread(target=cancel.set, args=("cancelled",))
        setter.start()
        cancel.on_set(called.set)
        setter.join(5)
        assert called.is_set()
