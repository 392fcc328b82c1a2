"""The works of the executed chapters are registered in the gallery's catalogue, and the page gets them from there."""

import json
import os
from collections.abc import Sequence
from datetime import datetime

from artbook.gallery.entries import Entry, Source
from artbook.gallery.works import Setting, works_in
from artbook.press import notebooks
from artbook.press.book import Book, Record

# Of the staged source: what the page shows, and the folder of the works' files.
EXHIBITION = "gallery.json"
WORKS = "_vendor/works"


def entries_of(book: Book, chapter: str, record: Record) -> list[Entry]:
    """The works that a chapter's last run handed over, with how it ran.

    Args:
        book: the checkout.
        chapter: its name.
        record: of the run.
    """
    page = book.page(chapter, record.profile)
    settings: dict[str, Setting] = {"profile": record.profile, "seed": record.seed, **record.versions}
    works = works_in(notebooks.outputs(page)) if page else ()
    return [Entry(work, chapter, settings, tuple(map(Source.of, work.data))) for work in works]


def hung(book: Book, profile: str) -> list[Entry]:
    """Register the works of a profile's runs, make them its exhibition, and read that back from the catalogue.

    The catalogue is at the URL ``ARTBOOK_GALLERY``, or else a file of SQLite among all that is made.

    Args:
        book: the checkout.
        profile: ``smoke``, ``cpu`` or ``gpu``; the exhibition is called so.

    Returns:
        The works, in the order of the book.

    Raises:
        ValueError: two works have one name, or the database is not one of the book's.
        OSError: the database does not answer, or another writer keeps it.
    """
    # Here, because SQLAlchemy takes most of a second to import, and only this call needs it.
    from sqlalchemy import URL
    from sqlalchemy.orm import Session

    from artbook.gallery import catalogue

    records = [record for chapter in book.chapters if (record := book.record(chapter, profile))]
    made = [(entries_of(book, record.chapter, record), datetime.fromisoformat(record.finished)) for record in records]

    def hang(session: Session) -> None:
        works = [work for entries, finished in made for work in catalogue.register(session, entries, finished)]
        catalogue.hang(session, profile, works)

    book.build.mkdir(parents=True, exist_ok=True)
    own = URL.create("sqlite", database=str(book.build / "gallery.sqlite"))
    engine = catalogue.opened(os.environ.get("ARTBOOK_GALLERY") or own)
    try:
        catalogue.upgrade(engine)
        catalogue.transact(engine, hang)
        with Session(engine) as session:
            return catalogue.entries_of(session, profile)
    finally:
        engine.dispose()


def gallery_files(entries: Sequence[Entry]) -> dict[str, bytes]:
    """What the page of the gallery is made from: the works' files, and their facts, of each and of all.

    Args:
        entries: in the order of the page.

    Returns:
        Contents by path below the staged source.
    """
    facts = [entry.facts() for entry in entries]
    files = {f"{WORKS}/{entry.work.file}": entry.work.content for entry in entries}
    files |= {f"{WORKS}/{each['name']}.json": _as_json(each) for each in facts}
    return files | {EXHIBITION: _as_json(facts)}


def _as_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()
