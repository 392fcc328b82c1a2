"""The book's layout: which chapters there are, where each stands, and where what is made of it goes."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from nbformat import NotebookNode

from artbook.data.store import write_atomically
from artbook.press import PROFILES, Profile, notebooks
from artbook.press.headline import Headline, Published


@dataclass(frozen=True)
class Record:
    """What is kept of one finished run of a chapter, beside its executed notebook.

    Attributes:
        chapter: the chapter's name, for example ``music/first-model``.
        profile: the profile that it ran in.
        seed: its seed.
        inputs: a digest of each thing that the run depended on, by name (see ``dependencies``).
        seconds: wall-clock time, in seconds.
        cpu_seconds: processor time of the kernel, in seconds.
        peak_memory: the kernel's largest resident memory, in bytes.
        finished: when it ended, ISO 8601 in UTC.
        versions: of Python and the main packages, by name.
        headlines: the results that the chapter recorded.
    """

    chapter: str
    profile: str
    seed: int
    inputs: Mapping[str, str]
    seconds: float
    cpu_seconds: float
    peak_memory: int
    finished: str
    versions: Mapping[str, str]
    headlines: tuple[Headline, ...]

    @property
    def broken_claims(self) -> tuple[Headline, ...]:
        """The headlines that miss their bound; a smoke run is too small for any to be held to it."""
        return () if self.profile == "smoke" else tuple(each for each in self.headlines if not each.holds)

    def to_json(self) -> str:
        """The record as JSON text."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Record":
        """The record that ``to_json`` wrote."""
        fields = json.loads(text)
        return cls(**fields | {"headlines": tuple(headline_from(each) for each in fields["headlines"])})


def headline_from(fields: Mapping[str, Any]) -> Headline:
    """The headline that was stored as a dictionary; notebooks sort by name, here values stand in order of size."""
    baselines = dict(sorted(fields["baselines"].items(), key=lambda item: item[1]))
    found = sorted(fields["published"].items(), key=lambda item: item[1]["value"])
    published = {name: Published(**value) for name, value in found}
    return Headline(**{**fields, "baselines": baselines, "published": published})


@dataclass(frozen=True)
class Book:
    """A checkout of the book.

    Attributes:
        root: the folder with ``_config.yml`` and ``_toc.yml``.
    """

    root: Path

    @classmethod
    def here(cls, start: Path | None = None) -> "Book":
        """The book in whose folder, or below it, ``start`` (the working folder) stands.

        Raises:
            FileNotFoundError: no folder from ``start`` upwards has a ``_toc.yml``.
        """
        start = (start or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / "_toc.yml").is_file() and (folder / "_config.yml").is_file():
                return cls(folder)
        raise FileNotFoundError(f"{start} is not in a checkout of the book: no _config.yml and _toc.yml there or above")

    @property
    def pages(self) -> Path:
        """The folder of the chapters and pages."""
        return self.root / "book"

    @property
    def build(self) -> Path:
        """The folder of all that is made."""
        return self.root / "_build"

    @cached_property
    def config(self) -> dict[str, Any]:
        """The settings in ``_config.yml``."""
        return yaml.safe_load((self.root / "_config.yml").read_text(encoding="utf-8"))

    @cached_property
    def chapters(self) -> tuple[str, ...]:
        """The chapters that are notebooks, in the order of ``_toc.yml``, for example ``music/first-model``."""
        toc = yaml.safe_load((self.root / "_toc.yml").read_text(encoding="utf-8"))
        files = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
        return tuple(name for name in files if self.notebook(name).is_file())

    def select(self, names: Iterable[str]) -> tuple[str, ...]:
        """The chapters that ``names`` stand for: whole parts (``music``), chapters (``music/first-model``), or all.

        Args:
            names: parts or chapters, a chapter also without its part; none means every chapter.

        Raises:
            ValueError: a name is neither a part nor a chapter.
        """
        wanted: set[str] = set()
        for name in names:
            found = {c for c in self.chapters if name in (c, c.split("/")[0], c.split("/")[-1])}
            if not found:
                raise ValueError(f"{name!r} is neither a part nor a chapter; there are {', '.join(self.chapters)}")
            wanted |= found
        return tuple(c for c in self.chapters if c in wanted or not wanted)

    def notebook(self, chapter: str) -> Path:
        """The chapter's source notebook."""
        return self.pages / f"{chapter}.ipynb"

    def executed(self, chapter: str, profile: str, seed: int = 0) -> Path:
        """The chapter's executed notebook; the rendered book shows the one with seed 0."""
        if profile not in PROFILES:
            raise ValueError(f"the profile is one of {', '.join(PROFILES)}; {profile!r} was given")
        folder = profile if seed == 0 else f"{profile}-seed-{seed}"
        return self.build / "executed" / folder / f"{chapter}.ipynb"

    def page(self, chapter: str, profile: str) -> NotebookNode | None:
        """The chapter as its page shows it in a profile, or ``None`` if it was never run in it."""
        path = self.executed(chapter, profile)
        if not path.is_file():
            return None
        return notebooks.with_outputs(notebooks.read(self.notebook(chapter)), notebooks.read(path))

    def record(self, chapter: str, profile: str, seed: int = 0) -> Record | None:
        """What is kept of the chapter's last finished run, or ``None`` if nothing that can be read."""
        path = self.executed(chapter, profile, seed).with_suffix(".json")
        try:
            return Record.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError):
            # Written by another version of this package, or damaged: the chapter has to be run again.
            return None

    def site(self, profile: str) -> Path:
        """The folder of the rendered pages: ``_build/html`` is the book, another profile's pages stand beside it."""
        return self.build / ("html" if profile == Profile.CPU else f"html-{profile}")

    def keep(self, record: Record, executed: str) -> None:
        """Keep a finished run: first its notebook, then its record, each whole or not at all.

        Args:
            record: what is known of the run.
            executed: the executed notebook, as JSON text.
        """
        path = self.executed(record.chapter, record.profile, record.seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        # The record is what makes a run count, so an older one must not vouch for a newer notebook.
        path.with_suffix(".json").unlink(missing_ok=True)
        write_atomically(path, executed.encode())
        write_atomically(path.with_suffix(".json"), record.to_json().encode())
