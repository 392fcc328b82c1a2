"""The headline results of the book, collected from the records of its runs."""

from collections.abc import Sequence
from statistics import mean, stdev

from rich.table import Table

from artbook.press.book import Book, Record
from artbook.press.headline import Headline


def collect(book: Book, profile: str) -> list[Record]:
    """The records of all chapters that ran in a profile, of every seed, in the order of the book."""
    prefix = f"{profile}-seed-"
    sweeps = (book.build / "executed").glob(f"{prefix}*")
    seeds = [0, *sorted(int(folder.name.removeprefix(prefix)) for folder in sweeps)]
    found = (book.record(chapter, profile, seed) for chapter in book.chapters for seed in seeds)
    return [record for record in found if record is not None]


def table(records: Sequence[Record]) -> Table:
    """Every headline with its bound, its baselines and its published values; over several seeds, mean and deviation."""
    shown = Table("chapter", "headline", "ours", "claimed", "baselines", "published", title="Headline results")
    by_name: dict[str, list[tuple[Record, Headline]]] = {}
    for record in records:
        for headline in record.headlines:
            by_name.setdefault(headline.name, []).append((record, headline))
    for runs in by_name.values():
        record, headline = runs[0]
        values = [each.value for _, each in runs]
        spread = f" ± {stdev(values):.2g} over {len(values)} seeds" if len(values) > 1 else ""
        broken = any(each in of.broken_claims for of, each in runs)
        shown.add_row(
            record.chapter,
            headline.title,
            f"{mean(values):.4g}{spread} {headline.unit}",
            f"{headline.claim}{', not kept' if broken else ''}",
            "\n".join(f"{name}: {value:.4g}" for name, value in headline.baselines.items()),
            "\n".join(f"{name}: {each.value:g} ({each.citation})" for name, each in headline.published.items()),
        )
    return shown
