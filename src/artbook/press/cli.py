"""The command ``artbook``: run the chapters, list the results, render the pages, write the editions."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from filelock import AcquireReturnProxy, FileLock, Timeout
from rich.console import Console
from rich.markup import escape

from artbook.data.store import write_atomically
from artbook.press import Profile, notebooks, studies
from artbook.press import doctor as doctors
from artbook.press import results as headline_results
from artbook.press import run as runner
from artbook.press.book import Book
from artbook.press.progress import Progress
from artbook.press.render import RenderError
from artbook.press.render import render as render_book

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False)

_OneProfile = Annotated[Profile, typer.Option(help="smoke (seconds), cpu (the rendered book) or gpu (Colab).")]
Chapters = Annotated[
    list[str] | None, typer.Argument(help="Parts or chapters, for example music; all if none is named.")
]


def _turn(folder: Path) -> AcquireReturnProxy:
    """A folder's lock, taken, for a ``with`` statement: two calls that write there work one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        console.print("Another call is at work on this book; waiting for it to end.")
        return lock.acquire()


@app.command()
def run(
    chapters: Chapters = None,
    profile: Annotated[list[Profile] | None, typer.Option(help="Several for a sweep; cpu if none.")] = None,
    seed: Annotated[list[int] | None, typer.Option(min=0, help="Several for a sweep; 0 if none.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Chapters at a time on this machine.")] = 2,
    scheduler: Annotated[
        str | None, typer.Option(help="A running Dask scheduler to use instead, tcp://host:port.")
    ] = None,
) -> None:
    """Run the chapters whose cells, modules, data, lock or settings changed, and check their claims."""
    book = Book.here()
    with _turn(book.build):
        profiles = [each.value for each in profile or [Profile.CPU]]
        wanted = runner.jobs_for(book, book.select(chapters or []), profiles, seed or [0])
        with Progress(wanted, console) as progress:
            due = runner.due(book, wanted, progress.unchanged)
            try:
                with runner.executor(jobs, scheduler) as where:
                    outcomes = runner.run(book, due, where, progress.watch)
            except KeyboardInterrupt:
                console.print("Stopped. What has finished is kept, and the next call goes on from there.")
                raise
    failed = [outcome for outcome in outcomes if outcome.record is None]
    for outcome in failed:
        console.print(f"\n[bold red]{outcome.job.chapter} failed[/]\n{escape(outcome.error)}", soft_wrap=True)
    broken = runner.broken_claims(book, wanted)
    for text in broken:
        console.print(f"[bold red]claim not kept[/] {escape(text)}", soft_wrap=True)
    raise typer.Exit(1 if failed or broken else 0)


@app.command()
def study(
    name: Annotated[str, typer.Argument(help="A module of the folder src/artbook/studies.")],
    jobs: Annotated[int, typer.Option(min=1, help="Cells at a time.")] = 2,
) -> None:
    """Make the figures of a study; finished cells whose code has not changed are kept."""
    book = Book.here()
    tasks = studies.tasks_of(name)

    def watch(task: studies.Task, state: str, text: str) -> None:
        console.print(f"{state:7}{task.case}, seed {task.seed}: {escape(text)}", soft_wrap=True)

    with _turn(studies.folder_of(book, name)), runner.executor(jobs) as where:
        cells = studies.run(book, tasks, where, watch)
    if len(cells) < len(tasks):
        raise typer.Exit(1)
    console.print(f"The figures: {studies.write(book, name, tasks, cells)}", soft_wrap=True)


@app.command()
def results(profile: _OneProfile = Profile.CPU) -> None:
    """List every headline result with its bound, its baselines and its published values."""
    book = Book.here()
    records = headline_results.collect(book, profile.value)
    if not records:
        console.print(
            f"No chapter has run in profile {profile} yet: call make book, or artbook run --profile {profile}."
        )
        raise typer.Exit(1)
    console.print(headline_results.table(records))
    raise typer.Exit(1 if any(record.broken_claims for record in records) else 0)


@app.command()
def render(profile: _OneProfile = Profile.CPU) -> None:
    """Render the book from the executed chapters of a profile."""
    book = Book.here()
    with _turn(book.build):
        console.print(f"The book: {render_book(book, profile.value)}", soft_wrap=True)


@app.command()
def checked(chapters: Chapters = None) -> None:
    """Store the outputs of the checked cells, from the last smoke run, in the source notebooks."""
    book = Book.here()
    with _turn(book.build):
        for chapter in book.select(chapters or []):
            path = book.notebook(chapter)
            executed = notebooks.read(book.executed(chapter, "smoke"))
            stored = notebooks.keep_checked_outputs(notebooks.read(path), executed)
            write_atomically(path, notebooks.as_text(stored).encode())
            console.print(f"{chapter}: checked outputs stored")


@app.command()
def colab(
    package: Annotated[str, typer.Option(help="What pip installs, for example 'artbook @ git+https://…'.")],
    repository: Annotated[str, typer.Option(help="The repository's address, https://github.com/OWNER/NAME.")],
    out: Annotated[Path, typer.Option(help="The folder to write the notebooks to.")],
) -> None:
    """Write the Colab edition: each chapter with a set-up cell that leaves Colab's own packages alone."""
    from artbook.press.colab import write_edition

    for path in write_edition(Book.here(), package, repository, out):
        console.print(str(path), soft_wrap=True)


@app.command()
def doctor() -> None:
    """Look at this machine and environment, and say what to mend before the book can be made."""
    findings = list(doctors.examine(Book.here()))
    for finding in findings:
        mark = "[green]well[/]" if finding.well else "[bold red]mend[/]"
        console.print(f"{mark}  [bold]{finding.subject}[/]: {escape(finding.text)}", soft_wrap=True)
    raise typer.Exit(0 if all(finding.well for finding in findings) else 1)


def main() -> None:
    """The command ``artbook``: what cannot be done is said in a sentence, without a traceback."""
    try:
        app(prog_name="artbook")
    except (ValueError, OSError, RenderError) as error:
        Console(stderr=True, highlight=False).print(f"[bold red]artbook:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(2 if isinstance(error, ValueError) else 1)
