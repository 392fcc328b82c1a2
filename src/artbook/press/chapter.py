"""What every chapter calls: begin it, glue a number into its prose, record a headline, check an exercise.

A chapter imports this module before Keras: Keras is loaded here once, with TensorFlow's start-up
notices kept out of the page.
"""

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from IPython.core.formatters import format_display_data
from IPython.display import Markdown, display

from artbook.press import PROFILES
from artbook.press.headline import HEADLINE_MIME, Headline, Published

_GLUE_PREFIX = "application/papermill.record/"

Choice = TypeVar("Choice")


@contextmanager
def _notices_withheld() -> Iterator[None]:
    """Keep what C++ libraries write to standard error out of the page, unless the block fails."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as withheld:
        standard_error = os.dup(2)
        os.dup2(withheld.fileno(), 2)
        try:
            yield
        except BaseException:
            withheld.seek(0)
            os.write(standard_error, withheld.read())
            raise
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)


with _notices_withheld():
    import keras

    # The first operation starts the backend, which has notices of its own.
    keras.ops.zeros(1)


@dataclass(frozen=True)
class Run:
    """The settings of one run of a chapter: its profile and its seed."""

    profile: str
    seed: int

    def pick(self, *, smoke: Choice, cpu: Choice, gpu: Choice) -> Choice:
        """The value for this run's profile: sizes and steps differ between profiles, code never does."""
        return {"smoke": smoke, "cpu": cpu, "gpu": gpu}[self.profile]

    def rng(self) -> np.random.Generator:
        """A new NumPy generator that starts from the run's seed."""
        return np.random.default_rng(self.seed)


def begin(profile: str, seed: int) -> Run:
    """Start a chapter: settle the profile, seed everything, and say what it runs on.

    Args:
        profile: ``smoke``, ``cpu`` or ``gpu``; the environment variable ``ARTBOOK_PROFILE`` overrides it.
        seed: seeds Python, NumPy and the backend; zero or more.

    Returns:
        The run's settings.

    Raises:
        ValueError: the profile or the seed is none of the above.
    """
    profile = os.environ.get("ARTBOOK_PROFILE") or profile
    if profile not in PROFILES:
        raise ValueError(f"the profile is one of {', '.join(PROFILES)}; {profile!r} was given")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"the seed is a whole number, zero or more; {seed!r} was given")
    # On JAX too, this is where Keras first imports TensorFlow.
    with _notices_withheld():
        keras.utils.set_random_seed(seed)
    print(describe_versions(), f"profile {profile} · seed {seed}", sep="\n")
    return Run(profile, seed)


def describe_versions() -> str:
    """Versions and device on one line, as the chapters print it."""
    backend = keras.backend.backend()
    module = sys.modules[backend]
    if backend == "tensorflow":
        device = "GPU" if module.config.list_physical_devices("GPU") else "CPU"
    else:
        device = module.devices()[0].platform.upper()
    return (
        f"Python {platform.python_version()} · Keras {keras.__version__} on {backend} {module.__version__}"
        f" · NumPy {np.__version__} · {device}"
    )


def glue(name: str, value: object) -> None:
    """Keep a value under a name, for the prose to show with MyST's ``glue`` roles and directives.

    It writes the same output as ``myst_nb.glue(name, value, display=False)``, which Colab does not have.

    Args:
        name: unique in the chapter.
        value: a number, a text, a figure or anything that IPython can display.
    """
    if isinstance(value, np.generic):
        value = value.item()
    bundle, metadata = format_display_data(value)
    metadata["scrapbook"] = {"name": name, "mime_prefix": _GLUE_PREFIX}
    display({_GLUE_PREFIX + mime: data for mime, data in bundle.items()}, raw=True, metadata=metadata)


def record(
    name: str,
    title: str,
    value: float,
    *,
    unit: str,
    better: Literal["lower", "higher"],
    bound: float,
    baselines: Mapping[str, float] | None = None,
    published: Mapping[str, Published] | None = None,
) -> None:
    """Record a headline result: it is shown here, glued into the prose, listed on the results page and checked.

    Args:
        name: unique in the book; also the name under which the value is glued.
        title: what was measured, in words.
        value: the measured value.
        unit: its unit.
        better: whether lower or higher values are better.
        bound: the claim: at least as good as this in the ``cpu`` profile.
        baselines: measured values of simpler methods, by name.
        published: published values, by the name of the model.

    Raises:
        ValueError: a number is not finite, or ``better`` is neither word.
    """
    headline = Headline(
        name,
        title,
        float(value),
        unit,
        better,
        float(bound),
        {key: float(number) for key, number in (baselines or {}).items()},
        dict(published or {}),
    )
    glue(name, headline.value)
    text = f"**{title}**: {headline.value:.4g} {unit} (claimed: {headline.claim})"
    bundle, metadata = format_display_data(Markdown(text))
    display(bundle | {HEADLINE_MIME: asdict(headline)}, raw=True, metadata=metadata)


def check(answer: Any, expected: Any, *, tolerance: float = 1e-6) -> None:
    """Say whether an exercise's answer is right.

    Args:
        answer: the reader's; ``...`` while there is none.
        expected: the true value, or a function that takes the answer and returns whether it is right.
        tolerance: relative and absolute, for numbers and arrays.
    """
    if answer is ... or answer is None:
        print("No answer yet: replace the three dots, then run the cell again.")
    elif _is_right(answer, expected, tolerance):
        print("Right." if callable(expected) else f"Right: {_brief(answer)}.")
    elif callable(expected):
        print(f"Not yet. Yours: {_brief(answer)}.")
    else:
        print(f"Not yet. Yours: {_brief(answer)}; true value: {_brief(expected)}.")


def _is_right(answer: Any, expected: Any | Callable[[Any], bool], tolerance: float) -> bool:
    if callable(expected):
        return bool(expected(answer))
    wanted = np.asarray(expected)
    if wanted.dtype.kind not in "iuf":
        return bool(answer == expected)
    try:
        given = np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        return False
    return given.shape == wanted.shape and bool(np.allclose(given, wanted, rtol=tolerance, atol=tolerance))


def _brief(value: Any) -> str:
    try:
        if np.asarray(value).dtype.kind not in "iuf":
            return repr(value)[:80]
        return np.array2string(np.asarray(value, dtype=float), threshold=12, formatter={"float_kind": "{:.6g}".format})
    except ValueError:
        return repr(value)[:80]
