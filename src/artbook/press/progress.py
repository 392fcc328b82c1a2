"""The progress display: one row a chapter, redrawn in a terminal, printed line by line elsewhere."""

import time
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from artbook.press.book import Record
from artbook.press.run import Job, Outcome

_STYLES = {"waiting": "dim", "unchanged": "dim", "running": "cyan", "done": "green", "failed": "bold red"}
_STYLES["claim broken"] = "bold red"


@dataclass
class _Row:
    state: str = "waiting"
    start: float = 0.0
    seconds: float | None = None
    result: str = ""


def _row_of(record: Record, state: str) -> _Row:
    """The row of a finished run: its last headline, which is its main result, or the claims that it does not keep."""
    if record.broken_claims:
        return _Row("claim broken", seconds=record.seconds, result="; ".join(h.title for h in record.broken_claims))
    result = "".join(f"{headline.value:.4g} {headline.unit} — {headline.title}" for headline in record.headlines[-1:])
    return _Row(state, seconds=record.seconds, result=result)


class Progress:
    """What happens to a number of jobs, shown while it happens. Use it in a ``with`` statement."""

    def __init__(self, jobs: list[Job], console: Console) -> None:
        sweep = len({(job.profile, job.seed) for job in jobs}) > 1
        self._names = {id(j): f"{j.chapter}, {j.profile}, seed {j.seed}" if sweep else j.chapter for j in jobs}
        self._rows = {id(job): _Row() for job in jobs}
        self._console = console
        self._live = Live(get_renderable=self._table, console=console, refresh_per_second=4)

    def __enter__(self) -> "Progress":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def unchanged(self, job: Job, record: Record) -> None:
        """The job need not run: its last run, of which ``record`` is kept, still counts."""
        self._show(job, _row_of(record, "unchanged"))

    def watch(self, job: Job, outcome: Outcome | None) -> None:
        """The job has started (no outcome yet) or ended."""
        if outcome is None:
            self._show(job, _Row("running", start=time.perf_counter()))
        elif outcome.record is None:
            seconds = time.perf_counter() - self._rows[id(job)].start
            self._show(job, _Row("failed", seconds=seconds, result=outcome.error.splitlines()[0]))
        else:
            self._show(job, _row_of(outcome.record, "done"))

    def _show(self, job: Job, row: _Row) -> None:
        self._rows[id(job)] = row
        if not self._console.is_terminal:
            seconds = "" if row.seconds is None else f"{row.seconds:.1f} s"
            line = f"{row.state:12} {self._names[id(job)]:36} {seconds:>8}  {escape(row.result)}"
            self._console.print(line, soft_wrap=True)

    def _table(self) -> Table:
        table = Table("chapter", "state", box=None)
        table.add_column("seconds", justify="right")
        table.add_column("headline result")
        for key, row in self._rows.items():
            seconds = time.perf_counter() - row.start if row.state == "running" else row.seconds
            shown = "" if seconds is None else f"{seconds:.1f}"
            table.add_row(self._names[key], f"[{_STYLES[row.state]}]{row.state}", shown, escape(row.result))
        return table
