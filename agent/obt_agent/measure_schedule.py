"""In which order the rounds of a job's cells are taken, and which of them there is time for.

Cells of one setting (context, layers, threads, batches: a change of any reloads the model) run together. Within it come
the load cells, each to its end, since each of their rounds loads the model. The rounds of all others are interleaved,
which is free there: first every cell's warm-ups, then one round of each in turn, forward and backward by turns
(A B C, C B A, …), so that a machine that slowly warms up slows all of them alike. The samples' `start_s` record it.

Before every round the budget is looked at again, with the times seen until then. Three things a round can be:
- needed: its cell has fewer than it must have. When all that is needed no longer fits, it is shed (`measure_plan`);
- wanted: a cell that was cut goes on to its repetitions, an adaptive one until its interval is narrow enough, each only
  in time that nothing needed will take, with a margin, since what was not measured yet may be slower than predicted;
- neither: the cell ends.

Nothing here knows Ollama: cells and host are what the protocols say, and may keep a time of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Optional, Protocol, TypeVar

from .cells import reloads
from .contract import CellSpec
from .measure_plan import Expected, obligatory, shed, total_s
from .measure_setting import Setting

# What is kept free for needed rounds before a wanted one is taken, as a multiple of their expected time.
RESERVE_TIMES_EXPECTED = 1.2


class Cell(Protocol):
    """One cell of a job. `open`: it may take more rounds; `begun`: its warm-ups are made. Times in seconds."""

    spec: CellSpec
    setting: Setting
    expected_s: Optional[float]
    open: bool
    begun: bool

    @property
    def needed(self) -> int: ...  # rounds that must still count

    @property
    def wants_more(self) -> bool: ...  # beyond those, when there is time

    def expected(self) -> Expected: ...

    def next_s(self) -> Optional[float]: ...  # the next round, and the warm-ups before it if they are still to be made

    def predict(self) -> None: ...  # note `expected_s`

    def cut(self) -> None: ...  # need no more than a short budget leaves

    def drop(self, reason: str) -> None: ...  # end: there is no time for what it needs

    def give_up_wishes(self) -> None: ...  # end: there is no time for more than it needs

    def look(self) -> None: ...  # end, if it is complete or hopeless

    def begin(self) -> None: ...  # make the warm-ups, if they are still to be made

    def take_round(self) -> None: ...


C = TypeVar("C", bound=Cell)


class Host(Protocol[C]):
    """The job around the cells. Times in seconds."""

    def left_s(self) -> float: ...  # of the budget

    def load_s(self) -> float: ...  # what another setting costs

    def enter(self, setting: Setting, before: Optional[Setting]) -> None: ...  # load the model with it

    def stand_in(self, cell: C) -> Optional[C]: ...  # what is measured instead of this one

    def planned(self) -> None: ...  # what is needed has changed


class Schedule(Generic[C]):
    """Runs all cells to their ends. `cells` is as planned, with stand-ins beside what they stand for."""

    def __init__(self, cells: Sequence[C], host: Host[C]) -> None:
        self.cells = list(cells)
        self.able = [cell for cell in cells if cell.open]  # what can be measured, whatever becomes of it
        self.host = host
        self.loaded: Optional[Setting] = None

    def run(self) -> None:
        """Every setting's cells. Raises what the cells and the host raise."""
        for setting in dict.fromkeys(cell.setting for cell in self.cells):
            if self.loaded is not None:
                self.fit()
            if any(cell.needed or cell.wants_more for cell in self.of(setting)):
                self.enter(setting)
                self.run_block(setting)
            for cell in self.of(setting):
                cell.look()

    def of(self, setting: Setting) -> list[C]:
        """The open cells of a setting."""
        return [cell for cell in self.cells if cell.open and cell.setting == setting]

    def enter(self, setting: Setting) -> None:
        """Load the model; then say what the cells are expected to take, and shed what does not fit."""
        self.host.enter(setting, self.loaded)
        self.loaded = setting
        self.swap(setting)
        new = [cell for cell in self.cells if cell.open and cell.expected_s is None]
        for cell in new:
            cell.predict()
        self.fit()
        for cell in new:
            if cell.open:
                cell.predict()  # again: it may have been cut
        self.host.planned()

    def swap(self, setting: Setting) -> None:
        """Put in the stand-ins, each once; what they stand for ends."""
        for cell in self.of(setting):
            stand_in = self.host.stand_in(cell)
            if stand_in is None:
                continue
            self.able.remove(cell)
            if all(one.spec.name != stand_in.spec.name for one in self.cells):
                self.cells.insert(self.cells.index(cell) + 1, stand_in)
                self.able.append(stand_in)

    def run_block(self, setting: Setting) -> None:
        """The cells of the loaded setting, to their ends."""
        cells = self.of(setting)
        for cell in cells:
            while cell.open and reloads(cell.spec):
                self.turn(cell)
        for cell in cells:
            self.fit()
            if cell.open and cell.needed:
                cell.begin()
        forward = True
        while going := [cell for cell in cells if cell.open]:
            for cell in going if forward else reversed(going):
                self.turn(cell)
            forward = not forward

    def turn(self, cell: C) -> None:
        """One round of a cell, its warm-ups if they are still to be made, or its end."""
        self.fit()
        if cell.open:
            cell.look()
        if not cell.open:
            return
        if not cell.needed and not self.has_time_for(cell):
            cell.give_up_wishes()
        elif cell.begun:
            cell.take_round()
        else:
            cell.begin()

    def fit(self) -> None:
        """Shed what is needed and no longer fits, by the fixed order."""
        going = [cell for cell in self.cells if cell.open and cell.needed]
        keep = obligatory([cell.spec for cell in self.able])
        expected = [cell.expected() for cell in going]
        shedding = shed(expected, self.host.left_s(), self.host.load_s(), keep, self.loaded)
        if not shedding.cut:
            return
        for cell in self.cells:
            cell.cut()
        for cell in going:
            if cell.spec.name in shedding.dropped:
                cell.drop(shedding.dropped[cell.spec.name])
        self.host.planned()

    def has_time_for(self, cell: C) -> bool:
        """Whether a wanted round fits beside all that is needed. One that cannot be predicted does not."""
        next_s = cell.next_s()
        needed = [one.expected() for one in self.cells if one.open and one.needed and one is not cell]
        reserved_s = RESERVE_TIMES_EXPECTED * total_s(needed, self.host.load_s(), self.loaded)
        return next_s is not None and next_s <= self.host.left_s() - reserved_s
