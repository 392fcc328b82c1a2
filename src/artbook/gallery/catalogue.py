"""The catalogue: a database of the works, how each was made, who met them and what they earn.

It is a file of SQLite or lies on a server of MySQL or MariaDB, by the URL that ``opened`` gets.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from sqlite3 import Connection as SQLite
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, delete, event, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session, joinedload, selectinload, undefer

from artbook.gallery import schema
from artbook.gallery.entries import Entry, Source, digest_of
from artbook.gallery.works import Work

T = TypeVar("T")
Table = TypeVar("Table", schema.Source, schema.Maker)

DRIVERS = ("sqlite", "mysql+pymysql")
# How long a writer waits for another one, in seconds.
WAIT = 30
TRIES = 8

# MySQL's numbers of errors: changed since it was read, another has the key, both wait for one another.
_CROSSED = {1020, 1062, 1213}
# Waited in vain, on MySQL and on SQLite.
_WAITED = {1205, "database is locked"}
# Not there when called, gone since the last answer, gone before the answer.
_GONE = {2003, 2006, 2013}


def opened(url: str | URL) -> Engine:
    """The database at a URL, which has answered.

    Args:
        url: ``sqlite:///FILE``, or ``mysql+pymysql://USER:PASSWORD@HOST:PORT/NAME`` for MySQL and MariaDB.

    Returns:
        An engine whose transactions are whole or not at all, with keys and checks that are kept.

    Raises:
        ValueError: the URL is of another kind, or the server is too old to keep checks.
        ConnectionError: no database answers there.
    """
    try:
        address = make_url(url)
    except ArgumentError:
        raise ValueError("a URL such as sqlite:///FILE was wanted; what was given is none") from None
    match address.drivername:
        case "sqlite":
            engine = create_engine(address, connect_args={"timeout": WAIT})
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        case "mysql+pymysql":
            modes = f"SET SESSION sql_mode = 'TRADITIONAL', innodb_lock_wait_timeout = {WAIT}"
            engine = create_engine(address, pool_pre_ping=True, connect_args={"init_command": modes})
        case other:
            raise ValueError(f"a URL of {' or '.join(DRIVERS)} was wanted; one of {other} was given")
    try:
        with engine.connect():
            _refuse_old(engine.dialect)
    except DBAPIError as error:
        raise ConnectionError(f"no database answers at {address}: {error.orig}") from error
    return engine


def _set_up_sqlite(connection: SQLite, _: object) -> None:
    # The driver would begin transactions on its own, too late for what is read first.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    # Who reads does not wait for who writes.
    connection.execute("PRAGMA journal_mode = WAL")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first cannot write once another has written, so one that will write begins as a writer.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _refuse_old(dialect: Dialect) -> None:
    version = dialect.server_version_info or ()
    if dialect.name == "mysql" and version < ((10, 2, 1) if getattr(dialect, "is_mariadb", False) else (8, 0, 16)):
        raise ValueError(
            "MySQL from 8.0.16 or MariaDB from 10.2.1 was wanted, which keep CHECK constraints; "
            f"version {'.'.join(map(str, version))} answered"
        )


def transact(engine: Engine, do: Callable[[Session], T]) -> T:
    """Do something in one transaction, whole or not at all; again from its beginning where another one crossed it.

    Args:
        engine: from ``opened``.
        do: reads and writes with the session that it gets, and may be called several times.

    Returns:
        What ``do`` returned; rows keep the values that they had.

    Raises:
        TimeoutError: another writer kept what this one wanted for ``WAIT`` seconds; nothing is written.
        ConnectionError: the server went away. Nothing is written, unless it went while it said that it was.
    """
    writing = engine.execution_options(writes=True)
    for left in reversed(range(TRIES)):
        try:
            with _told(), Session(writing, expire_on_commit=False) as session, session.begin():
                return do(session)
        except DBAPIError as error:
            if _reason(error) not in _CROSSED or not left:
                raise
        time.sleep(random.random() / 10)
    raise AssertionError("the last try returns or raises")


@contextmanager
def _told() -> Iterator[None]:
    """Say in Python's own words what went wrong with the database as such."""
    try:
        yield
    except DBAPIError as error:
        if _reason(error) in _GONE:
            raise ConnectionError(f"the database went away: {error.orig}") from error
        if _reason(error) in _WAITED:
            raise TimeoutError(f"another writer kept the catalogue for {WAIT} s: {error.orig}") from error
        raise


def _reason(error: DBAPIError) -> object:
    return error.orig.args[0] if error.orig and error.orig.args else None


# Its tables.


def upgrade(engine: Engine) -> None:
    """Give the database the tables of this version of the package; what is in them stays.

    Raises:
        ValueError: another version of the package, which this one does not know, made the tables.
    """
    _migrate(engine, "upgrade", "head")


def downgrade(engine: Engine, revision: str) -> None:
    """Take the database back to an earlier revision, with the loss of what that one has no tables for.

    Args:
        engine: from ``opened``.
        revision: its name in ``migrations/versions``, or ``base`` for no tables at all.
    """
    _migrate(engine, "downgrade", revision)


def _migrate(engine: Engine, step: str, revision: str) -> None:
    # A chapter that keeps a catalogue in memory makes its tables without Alembic, which Colab lacks.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", "artbook.gallery:migrations")
    writing = engine.execution_options(writes=True)
    with _told(), writing.connect() as connection, _alone(connection), connection.begin():
        config.attributes["connection"] = connection
        try:
            getattr(command, step)(config, revision)
        except CommandError as error:
            raise ValueError(f"{engine.url} has tables that this version of the book does not know: {error}") from error


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """One at a time: on MySQL, whose transactions do not hold tables' definitions; SQLite's do."""
    if connection.dialect.name != "mysql":
        yield
        return
    if not connection.scalar(text(f"SELECT GET_LOCK('artbook.catalogue', {WAIT})")):
        raise TimeoutError(f"another process changed the catalogue's tables for {WAIT} s")
    connection.commit()
    try:
        yield
    finally:
        connection.execute(text("SELECT RELEASE_LOCK('artbook.catalogue')"))


# Its works.


def register(session: Session, entries: Iterable[Entry], made: datetime) -> list[schema.Work]:
    """Register works; one that is known already stays as it is.

    A work that differs in anything from that of its name is a new edition of it.

    Args:
        session: of a transaction that writes (``transact``).
        entries: the works.
        made: when, with its zone.

    Returns:
        The works as they are registered, in their order.

    Raises:
        ValueError: a number among the facts is not finite, or the time has no zone.
    """
    return [
        session.scalar(select(schema.Work).where(schema.Work.digest == entry.digest)) or _added(session, entry, made)
        for entry in entries
    ]


def _added(session: Session, entry: Entry, made: datetime) -> schema.Work:
    work = entry.work
    editions = select(schema.Work).where(schema.Work.name == work.name).order_by(schema.Work.edition.desc())
    last = session.scalar(editions.limit(1))
    added = schema.Work(
        digest=entry.digest,
        name=work.name,
        edition=last.edition + 1 if last else 1,
        title=work.title,
        alt=work.alt,
        media=work.media,
        content=work.content,
        parameters=[[name, value] for name, value in work.parameters.items()],
        maker=_kept(session, schema.Maker, chapter=entry.chapter, weights=work.weights, settings=dict(entry.settings)),
        made_from=[
            schema.WorkSource(place=place, source=_kept(session, schema.Source, **asdict(source)))
            for place, source in enumerate(entry.sources)
        ],
        provenance=[schema.Provenance(kind="edition" if last else "made", origin=last, at=made)],
    )
    session.add(added)
    session.flush()
    return added


def _kept(session: Session, table: type[Table], **facts: Any) -> Table:
    """The row with these facts, added if there is none."""
    digest = digest_of(facts)
    known = session.scalar(select(table).where(table.digest == digest))
    if known is None:
        known = table(digest=digest, **facts)
        session.add(known)
    return known


def hang(session: Session, exhibition: str, works: Sequence[schema.Work]) -> None:
    """Make an exhibition show these works and no others, in their order.

    Args:
        session: of a transaction that writes (``transact``).
        exhibition: its name.
        works: registered works.

    Raises:
        ValueError: two of them have one name.
    """
    names = [work.name for work in works]
    if twice := [f"{work.name} of {work.maker.chapter}" for work in works if names.count(work.name) > 1]:
        raise ValueError(f"each work of an exhibition has a name of its own; given were {' and '.join(twice)}")
    session.execute(delete(schema.Exhibit).where(schema.Exhibit.exhibition == exhibition))
    session.add_all(schema.Exhibit(exhibition=exhibition, place=place, work=work) for place, work in enumerate(works))
    session.flush()


def entries_of(session: Session, exhibition: str) -> list[Entry]:
    """The works of an exhibition, in their order."""
    of_it = select(schema.Work).join(schema.Exhibit).where(schema.Exhibit.exhibition == exhibition)
    sources = selectinload(schema.Work.made_from).joinedload(schema.WorkSource.source)
    whole = of_it.options(undefer(schema.Work.content), joinedload(schema.Work.maker), sources)
    return [_entry(work) for work in session.scalars(whole.order_by(schema.Exhibit.place))]


def _entry(row: schema.Work) -> Entry:
    sources = tuple(
        Source(each.name, each.version, each.sha256, each.licence, each.authors)
        for each in (ingredient.source for ingredient in row.made_from)
    )
    data, parameters = tuple(source.name for source in sources), dict(row.parameters)
    work = Work(row.name, row.title, row.alt, row.media, row.content, data, parameters, row.maker.weights)
    return Entry(work, row.maker.chapter, row.maker.settings, sources)
