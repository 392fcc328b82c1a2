"""Every plot, table, player and score of the book, in one style."""

import base64
import hashlib
import html
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import verovio
from cycler import cycler
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from PIL import Image

from artbook import gltf, sound, video
from artbook.data.keyboard import KEYS, LOWEST, check_grid, is_whole, roll_runs, voice_runs
from artbook.notation import to_mei

MAX_PLAYER_BYTES = 200_000
MAX_CLIP_BYTES = 400_000
MAX_MODEL_BYTES = 900_000

# Okabe and Ito's palette, told apart with the common kinds of colour blindness.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
}


def use_style() -> None:
    """Set matplotlib to the book's style: one palette, light axes, letters readable at phone width."""
    mpl.rcParams.update(
        {
            "axes.grid": True,
            "axes.prop_cycle": cycler(color=list(COLOURS.values())),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlesize": "medium",
            "figure.constrained_layout.use": True,
            "figure.dpi": 144,
            "figure.figsize": (6.4, 3.6),
            "font.size": 11,
            "grid.alpha": 0.25,
            "image.cmap": "cividis",
            "legend.frameon": False,
        }
    )


class GraphNode(NamedTuple):
    """A value of a computation and the derivative of the result with respect to it, at a place of the drawing.

    Attributes:
        symbol: mathematics in matplotlib's notation, without the dollar signs.
        column: from 0 on the left.
        row: from 0 at the top; the forward pass runs downwards.
        value: what the forward pass computed.
        gradient: what the backward pass computed.
    """

    symbol: str
    column: float
    row: float
    value: float
    gradient: float


class GraphEdge(NamedTuple):
    """An edge from one node to another, by number; ``weight`` is the value and gradient of what it multiplies by."""

    source: int
    target: int
    weight: tuple[float, float] | None = None


def computation_graph(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> Figure:
    """Draw a computation graph: in each box the value on white, below it the gradient on grey.

    Args:
        nodes: at least one.
        edges: between numbers of nodes, each drawn from the box of its source down to that of its target.

    Returns:
        The figure; with two columns it is readable at the width of a phone.

    Raises:
        ValueError: there is no node, an edge leads to a node that does not exist, or a number is not finite.
    """
    if not nodes:
        raise ValueError("a computation graph has at least one node; none was given")
    if not all(end in range(len(nodes)) for edge in edges for end in (edge.source, edge.target)):
        raise ValueError(f"an edge leads between nodes 0 to {len(nodes) - 1}; {list(edges)} was given")
    numbers = [number for node in nodes for number in node[1:]]
    numbers += [number for edge in edges for number in edge.weight or ()]
    if not np.isfinite(numbers).all():
        raise ValueError("places, values and gradients are finite numbers; NaN or infinity was given")
    right, bottom = max(node.column for node in nodes), max(node.row for node in nodes)
    figure, axes = plt.subplots(figsize=(2.5 * (right + 0.8), 1.1 * (bottom + 0.6)))
    axes.set(xlim=(-0.4, right + 0.4), ylim=(bottom + 0.3, -0.3))
    axes.axis("off")
    for edge in edges:
        _draw_edge(axes, nodes[edge.source], nodes[edge.target], edge.weight)
    for node in nodes:
        label = f"${node.symbol} = {_in_figures(node.value, 6)}$"
        _draw_box(axes, (node.column, node.row), (0.36, 0.24), label, node.gradient, 11)
    return figure


def _draw_edge(axes: Axes, source: GraphNode, target: GraphNode, weight: tuple[float, float] | None) -> None:
    start, end = (source.column, source.row + 0.24), (target.column, target.row - 0.24)
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "0.35", "shrinkA": 0, "shrinkB": 0})
    if weight is not None:
        # Weights of slanting edges stand high and those of upright edges low, where no edge crosses them.
        along = 0.6 if source.column == target.column else 0.25
        place = [here + along * (there - here) for here, there in zip(start, end, strict=True)]
        _draw_box(axes, place, (0.2, 0.17), f"${_in_figures(weight[0], 3)}$", weight[1], 9)


def _draw_box(
    axes: Axes, centre: Sequence[float], half: tuple[float, float], label: str, gradient: float, size: float
) -> None:
    (x, y), (width, height) = centre, half
    for top, shade, text in ((y - height, "white", label), (y, "0.87", f"${_in_figures(gradient, 3)}$")):
        axes.add_patch(
            Rectangle((x - width, top), 2 * width, height, facecolor=shade, edgecolor="0.35", linewidth=0.8, zorder=3)
        )
        axes.text(x, top + height / 2, text, ha="center", va="center_baseline", fontsize=size, zorder=4)


def _in_figures(number: float, figures: int) -> str:
    mantissa, _, exponent = f"{number:.{figures}g}".partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa


# What a column of numbers is made of: 3.98, 4.1 ± 0.2, 31 %, +0.5, ± 0.5, a bold 7.1, nan, or nothing.
_NUMBER = re.compile(r"(\*{0,2}[-+−±<>]? ?\d.*|nan)?")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Markdown:
    """A table in the page; columns of numbers stand to the right.

    Args:
        head: the columns' names, at least one.
        rows: at least one, each with as many cells; a cell may have Markdown in it.

    Raises:
        ValueError: there is no column or no row, or a row has another number of cells.
    """
    lines = [[str(cell) for cell in row] for row in rows]
    if not head or not lines or any(len(line) != len(head) for line in lines):
        raise ValueError(f"rows of {len(head)} cells were wanted; rows of {[*map(len, lines)]} were given")
    columns = zip(*lines, strict=True)
    rules = ["--:" if all(map(_NUMBER.fullmatch, column)) else "---" for column in columns]
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in (head, rules, *lines)))


@dataclass(frozen=True)
class Player:
    """A sound in the page.

    Attributes:
        title: what is heard; also what a screen reader says.
        seconds: how long it lasts.
        ogg: the encoded sound.
    """

    title: str
    seconds: float
    ogg: bytes

    def __repr__(self) -> str:
        return f"Sound: {self.title} ({self.seconds:.0f} s)"

    def _repr_html_(self) -> str:
        title = html.escape(self.title, quote=True)
        source = "data:audio/ogg;base64," + base64.b64encode(self.ogg).decode()
        return (
            f'<figure class="player" style="margin:0"><figcaption style="text-align:left">{title}</figcaption>'
            f'<audio controls aria-label="{title}" src="{source}" style="width:100%;max-width:32rem"></audio></figure>'
        )


def audio(samples: npt.ArrayLike, rate: int, title: str) -> Player:
    """A player for a sound, with the sound in it: it plays wherever the page is shown.

    Args:
        samples: of one channel, ``(N,)``, between -1 and 1, a fiftieth of a second to ten seconds.
        rate: samples a second, 8,000 to 48,000.
        title: what is heard, in words.

    Returns:
        The player, at most 200 kB.

    Raises:
        ValueError: another shape, NaN, louder than 1, too short or too long, another rate, or no title.
    """
    if not title.strip():
        raise ValueError("a title that says what is heard was wanted; none was given")
    encoded = sound.encode(samples, rate)
    player = Player(title, np.size(samples) / rate, encoded)
    if (size := len(player._repr_html_())) > MAX_PLAYER_BYTES:
        raise ValueError(f"a player of at most {MAX_PLAYER_BYTES} bytes was wanted; it has {size}: play less")
    return player


@dataclass(frozen=True)
class Clip:
    """Moving pictures in the page.

    Attributes:
        title: what is seen and heard; also what a screen reader says.
        seconds: how long they last.
        size: width and height in pixels.
        mp4: the encoded pictures, with their sound.
        poster: the picture that stands there until they play, a PNG file.
    """

    title: str
    seconds: float
    size: tuple[int, int]
    mp4: bytes
    poster: bytes

    def __repr__(self) -> str:
        return f"Film: {self.title} ({self.seconds:.0f} s)"

    def _repr_html_(self) -> str:
        title = html.escape(self.title, quote=True)
        poster = "data:image/png;base64," + base64.b64encode(self.poster).decode()
        source = "data:video/mp4;base64," + base64.b64encode(self.mp4).decode()
        width, height = self.size
        return (
            f'<figure class="player" style="margin:0"><figcaption style="text-align:left">{title}</figcaption>'
            f'<video controls playsinline preload="metadata" aria-label="{title}" width="{width}" height="{height}"'
            f' poster="{poster}" src="{source}" style="width:100%;max-width:32rem;height:auto"></video></figure>'
        )


def clip(
    frames: npt.ArrayLike,
    rate: int,
    title: str,
    sound: npt.ArrayLike | None = None,
    sound_rate: int = 22050,
    poster: int = -1,
) -> Clip:
    """A player for moving pictures, with the pictures in it: it plays wherever the page is shown, when it is told to.

    Args:
        frames: uint8 ``(T, H, W)`` or ``(T, H, W, 3)``, at most ten seconds.
        rate: frames a second, whole, 1 to 60.
        title: what is seen and heard, in words.
        sound: of one channel, ``(N,)``, between -1 and 1, as long as the pictures.
        sound_rate: samples a second.
        poster: the number of the frame that stands there until the film plays.

    Returns:
        The player, at most 400 kB.

    Raises:
        ValueError: what ``artbook.video.encode`` refuses, no title, no such frame, or a film that is too large.
    """
    if not title.strip():
        raise ValueError("a title that says what is seen was wanted; none was given")
    mp4 = video.encode(frames, rate, sound, sound_rate)
    pictures = np.asarray(frames)
    if not is_whole(poster, -len(pictures), len(pictures) - 1):
        raise ValueError(f"the number of one of {len(pictures)} frames was wanted as poster; {poster!r} was given")
    still = io.BytesIO()
    Image.fromarray(pictures[poster]).save(still, "PNG", optimize=True)
    height, width = pictures.shape[1:3]
    made = Clip(title, len(pictures) / rate, (width, height), mp4, still.getvalue())
    if len(made._repr_html_()) > MAX_CLIP_BYTES:
        raise ValueError(f"a film of at most {MAX_CLIP_BYTES} bytes in the page was wanted; make it smaller or shorter")
    return made


@dataclass(frozen=True)
class Model:
    """A 3D model in the page: a still picture of it, and a button with which a reader turns it.

    The pages of the book have a viewer, ``_static/model.js``, which shows the button; elsewhere, in a notebook or
    in Colab, the still picture and the file remain.

    Attributes:
        title: what it is.
        alt: what is to be seen, in words.
        name: of its file, with its ending.
        glb: the file.
        still: the picture that stands there until the model is turned, a JPEG file.
    """

    title: str
    alt: str
    name: str
    glb: bytes
    still: bytes

    def __repr__(self) -> str:
        return f"3D model: {self.title} ({len(self.glb) / 1000:.0f} kB)"

    def _repr_html_(self) -> str:
        title, alt, name = (html.escape(text, quote=True) for text in (self.title, self.alt, self.name))
        still, model = (base64.b64encode(each).decode() for each in (self.still, self.glb))
        return (
            f'<figure class="model" style="margin:0"><figcaption style="text-align:left">{title}</figcaption>'
            f'<img src="data:image/jpeg;base64,{still}" alt="{alt}" style="width:100%;max-width:40rem;height:auto">'
            f'<p><button type="button" hidden>Turn the model</button> <a download="{name}" '
            f'href="data:{gltf.MEDIA_TYPE};base64,{model}">Download {name} ({len(self.glb) / 1000:.0f} kB)</a></p>'
            "</figure>"
        )


def model(glb: bytes, still: npt.ArrayLike, title: str, alt: str, name: str) -> Model:
    """A 3D model for the page, with the model in it.

    Args:
        glb: a file as ``artbook.gltf.write`` makes it.
        still: a picture of it, uint8 ``(H, W, 3)``.
        title: what it is, in words.
        alt: what is to be seen, at least 20 characters.
        name: of the file: ``island.glb``.

    Returns:
        The model, at most 900 kB.

    Raises:
        ValueError: it is no such file, or too large, or a text is missing, or the picture is none.
    """
    gltf.read(glb)
    if not title.strip() or len(alt.strip()) < 20 or not re.fullmatch(r"[\w-]+\.glb", name):
        raise ValueError(
            "a title, an alt text of at least 20 characters and a name that ends in .glb were wanted;"
            f" {title!r}, {alt!r} and {name!r} were given"
        )
    picture = np.asarray(still)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ValueError(f"a picture uint8 (H, W, 3) was wanted; {picture.dtype} {picture.shape} was given")
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "JPEG", quality=85)
    made = Model(title, alt, name, glb, encoded.getvalue())
    if len(made._repr_html_()) > MAX_MODEL_BYTES:
        raise ValueError(f"a model of at most {MAX_MODEL_BYTES} bytes in the page was wanted; {len(glb)} are too many")
    return made


@dataclass(frozen=True)
class Download:
    """A file in the page, behind a link.

    Attributes:
        name: under which it is saved.
        content: its bytes.
        kind: its media type.
    """

    name: str
    content: bytes
    kind: str

    def __repr__(self) -> str:
        return f"File: {self.name} ({len(self.content):,} bytes)"

    def _repr_html_(self) -> str:
        name = html.escape(self.name, quote=True)
        source = f"data:{self.kind};base64," + base64.b64encode(self.content).decode()
        return f'<p><a download="{name}" href="{source}">Download {name} ({len(self.content) / 1000:.1f} kB)</a></p>'


def download(content: bytes, name: str) -> Download:
    """A link that saves a file; the file is in the page, so the link works wherever the page is shown.

    Args:
        content: at least one byte, at most 200 kB.
        name: of a MIDI or text file, with its ending and without a folder: ``chorale.mid``.

    Raises:
        ValueError: no content or too much, or another name.
    """
    kinds = {"mid": "audio/midi", "txt": "text/plain", "json": "application/json", "csv": "text/csv"}
    ending = name.rpartition(".")[2]
    if not re.fullmatch(r"[\w. -]+\.\w+", name) or ending not in kinds:
        raise ValueError(f"a file name that ends in .{', .'.join(kinds)} was wanted; {name!r} was given")
    if not 0 < len(content) <= MAX_PLAYER_BYTES:
        raise ValueError(f"1 to {MAX_PLAYER_BYTES} bytes were wanted; {len(content)} were given")
    return Download(name, content, kinds[ending])


@dataclass(frozen=True)
class Score:
    """An engraved score.

    Attributes:
        svg: the picture; it scales to the width of the page.
        alt: what it shows, in words.
    """

    svg: str
    alt: str

    def __repr__(self) -> str:
        return f"Score: {self.alt}"

    def _repr_svg_(self) -> str:
        return self.svg


def score(
    pitches: npt.ArrayLike,
    onsets: npt.ArrayLike | None = None,
    *,
    alt: str,
    position: npt.ArrayLike | None = None,
    fermatas: npt.ArrayLike | None = None,
    steps_per_quarter: int = 4,
    beats_per_bar: float = 4,
    fifths: int = 0,
    chords: Mapping[int, str] | None = None,
    bars_before: int = 0,
) -> Score:
    """Engrave voices on a grid as a score: one voice on one staff, more on two.

    Args:
        pitches: MIDI numbers, whole, ``(T, V)``, 1 to 8 voices, the top voice first; a negative number is a rest.
        onsets: where a note begins, bool ``(T, V)``; left out, a note begins where the pitch changes.
        alt: what the score shows, in words, for those who do not see it.
        position: steps since the bar line, ``(T,)``; left out, the first step begins a bar.
        fermatas: where a note of the top voice with a fermata sounds, bool ``(T,)``.
        steps_per_quarter: 1, 2 or 4.
        beats_per_bar: quarter notes in a bar, whole, 1 to 12.
        fifths: the key signature, -7 to 7: sharps above zero, flats below.
        chords: chord symbols to stand below the staves, by their step.
        bars_before: bars of the piece that begin before the first step, a pickup not counted.

    Returns:
        The score, about as wide as a column of text.

    Raises:
        ValueError: no alt text, more music than one picture holds, or what ``artbook.notation.to_mei`` refuses.
    """
    if not alt.strip():
        raise ValueError("an alt text that says what the score shows was wanted; none was given")
    mei = to_mei(
        pitches,
        onsets,
        position=position,
        fermatas=fermatas,
        steps_per_quarter=steps_per_quarter,
        beats_per_bar=beats_per_bar,
        fifths=fifths,
        chords=chords,
        bars_before=bars_before,
    )
    verovio.enableLog(verovio.LOG_ERROR)
    engraver = verovio.toolkit()
    engraver.setOptions(
        {
            "adjustPageHeight": True,
            "adjustPageWidth": True,
            "breaks": "auto",
            "footer": "none",
            "header": "none",
            "pageHeight": 60_000,
            "pageWidth": 1280,
            "scale": 50,
            "svgViewBox": True,
            # The same score is always the same file, and two scores in a page share no identifier.
            "xmlIdSeed": int(hashlib.sha256(mei.encode()).hexdigest()[:7], 16),
        }
    )
    engraver.loadData(mei)
    if engraver.getPageCount() != 1:
        raise ValueError(f"music for one picture was wanted; {np.shape(pitches)[0]} steps were given: show a part")
    svg = engraver.renderToSVG(1)
    label = html.escape(alt, quote=True)
    attributes = f'role="img" aria-label="{label}" style="background:white;max-width:100%;height:auto"'
    # Its own size, so that a short score is not stretched to the width of the page.
    found = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    assert found is not None
    attributes += f' width="{found[1]}" height="{found[2]}"'
    return Score(svg.replace("<svg", f"<svg {attributes}", 1), alt)


def piano_roll(roll: npt.ArrayLike, steps_per_quarter: int = 1) -> Figure:
    """Draw a piano roll: time to the right, the keys upwards, as far as they are used.

    Args:
        roll: bool, or numbers from 0 to 1 such as a model's probabilities, ``(T, 88)``.
        steps_per_quarter: how many steps make a quarter note, 1 to 960.

    Returns:
        The figure; with numbers between 0 and 1 it has a scale of colours.

    Raises:
        ValueError: no steps, another shape, or numbers out of range.
    """
    keys = np.asarray(roll, dtype=float)
    if keys.ndim != 2 or not len(keys) or keys.shape[1] != KEYS:
        raise ValueError(f"a roll of shape (T, {KEYS}) was wanted; the shape {keys.shape} was given")
    if not ((keys >= 0) & (keys <= 1)).all():
        raise ValueError("numbers from 0 to 1 were wanted; the roll holds others, or NaN")
    check_grid(steps_per_quarter)
    figure, axes = plt.subplots()
    used = np.flatnonzero(keys.max(axis=0) > 0.01)
    lowest, highest = (used[0], used[-1]) if len(used) else (0, KEYS - 1)
    if np.isin(keys, (0, 1)).all():
        draw_notes(axes, keys, steps_per_quarter)
    else:
        extent = (0, len(keys) / steps_per_quarter, LOWEST - 0.5, LOWEST + KEYS - 0.5)
        image = axes.imshow(keys.T, "cividis", vmin=0, vmax=1, origin="lower", extent=extent, aspect="auto")
        figure.colorbar(image, label="value")
    _name_keys(axes, LOWEST + lowest, LOWEST + highest)
    return figure


def draw_notes(axes: Axes, roll: npt.ArrayLike, steps_per_quarter: int = 1) -> None:
    """Draw into axes the keys that sound: a bar from where a key begins to where it stops.

    Args:
        axes: time in quarter notes to the right, MIDI numbers upwards.
        roll: bool, or zeros and ones, ``(T, 88)``.
        steps_per_quarter: how many steps make a quarter note.
    """
    begins, ends, pitches = roll_runs(roll).T
    widths, left = (ends - begins) / steps_per_quarter, begins / steps_per_quarter
    axes.barh(pitches, widths, left=left, height=0.9, color=COLOURS["blue"], zorder=2)
    axes.set_xlim(0, len(np.asarray(roll)) / steps_per_quarter)


def voice_roll(pitches: npt.ArrayLike, onsets: npt.ArrayLike | None = None, steps_per_quarter: int = 4) -> Figure:
    """Draw voices as a piano roll: each note a bar in the colour of its voice, with a gap where a note begins anew.

    Where two voices sing the same note, the bar of the lower one is thinner and lies on that of the upper one.

    Args:
        pitches: MIDI numbers, whole, ``(T, V)``, 1 to 4 voices, the top voice first; a negative number is a rest.
        onsets: where a note begins, bool ``(T, V)``; left out, a note begins where the pitch changes.
        steps_per_quarter: how many steps make a quarter note, 1 to 960.

    Returns:
        The figure, with the names of the voices if there are four.

    Raises:
        ValueError: no steps, too many voices, or what ``voice_runs`` refuses.
    """
    runs = voice_runs(pitches, onsets)
    shape = np.shape(pitches)
    if not shape[0] or not 1 <= shape[1] <= 4:
        raise ValueError(f"pitches of shape (T, V) with 1 to 4 voices were wanted; the shape {shape} was given")
    check_grid(steps_per_quarter)
    figure, axes = plt.subplots()
    axes.set_axisbelow(True)
    names = ("soprano", "alto", "tenor", "bass") if len(runs) == 4 else [f"voice {n + 1}" for n in range(len(runs))]
    heard = [pitch for notes in runs for _, _, pitch in notes if pitch >= 0]
    above: list[tuple[int, int, int]] = []
    for notes, name, colour in zip(runs, names, COLOURS.values(), strict=False):
        sung = [run for run in notes if run[2] >= 0]
        heights = [0.35 if any(_same_note(run, other) for other in above) else 0.9 for run in sung]
        begins, ends, places = np.array(sung, dtype=float).reshape(-1, 3).T
        widths = (ends - begins) / steps_per_quarter - 0.06
        axes.barh(places, widths, left=begins / steps_per_quarter, height=heights, color=colour, label=name)
        above += sung
    axes.set_xlim(0, shape[0] / steps_per_quarter)
    _name_keys(axes, min(heard, default=60), max(heard, default=60))
    if len(runs) > 1:
        figure.legend(loc="outside upper center", ncols=len(runs))
    return figure


def _same_note(run: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    return run[2] == other[2] and run[0] < other[1] and other[0] < run[1]


def _name_keys(axes: Axes, lowest: int, highest: int) -> None:
    """Name the Cs and the time, and show one key more on either side than is used."""
    cs = range(24, 109, 12)
    axes.set_yticks(cs, [f"C{c // 12 - 1} = {c}" for c in cs])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=(1, 2, 4, 8, 10), integer=True))
    axes.set(ylim=(lowest - 1.5, highest + 1.5), ylabel="key (MIDI number)", xlabel="time in quarter notes")
