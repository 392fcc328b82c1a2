"""The network of a well-known tutorial, built as it is published, to compare with on the book's own data.

TensorFlow's "Generate music with an RNN" predicts one note from the 25 before it: an LSTM of 128 units reads their
pitch, the step since the note before and their duration; three heads give the logits of the pitch, and a number each
for step and duration, so that only the pitch has a likelihood. The chapter ``sequence-models`` compares its speed
and its pitches with those of the book's model. What differs here: windows do not run across the end of a piece, the
batches are drawn anew in each epoch, and a note that was generated is scaled like the others before it is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from artbook.data.keyboard import is_whole

PITCHES = 128
WINDOW = 25
BATCH = 64

Tensor = Any
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NoteWindows:
    """Notes, each with the 25 before it in its piece.

    Attributes:
        before: float32 ``(notes, 25, 3)``: pitch / 128, step and duration in seconds.
        pitch: int32 ``(notes,)``: the MIDI number of the note that follows.
        step: float32 ``(notes, 1)``: seconds since the beginning of the note before it.
        duration: float32 ``(notes, 1)``: its length in seconds.
    """

    before: npt.NDArray[np.float32]
    pitch: npt.NDArray[np.int32]
    step: npt.NDArray[np.float32]
    duration: npt.NDArray[np.float32]

    @property
    def targets(self) -> dict[str, npt.NDArray]:
        """What the network's heads are to give, by their names."""
        return {"pitch": self.pitch, "step": self.step, "duration": self.duration}


def note_sequence(pitches: npt.ArrayLike, onsets: npt.ArrayLike, seconds: float = 0.125) -> Floats:
    """The notes of a piece in the order in which they begin; of notes that begin together the first voice's is first.

    Args:
        pitches: MIDI numbers, whole, ``(T, V)``, a column a voice; a negative number is a rest.
        onsets: whether a note begins, bool ``(T, V)``.
        seconds: how long a step of the grid is, above 0; a sixteenth at 120 quarter notes a minute is 0.125.

    Returns:
        ``(notes, 3)``: pitch, step since the beginning of the note before it, duration, the last two in seconds.

    Raises:
        ValueError: the shapes differ, or the seconds are not above 0.
    """
    sounding, begins = np.asarray(pitches), np.asarray(onsets)
    if sounding.ndim != 2 or sounding.shape != begins.shape or begins.dtype != bool or not 0 < seconds < np.inf:
        raise ValueError(
            "pitches and bool onsets of one shape (T, V), and seconds above 0, were wanted; "
            f"{sounding.shape}, {begins.dtype} {begins.shape} and {seconds} were given"
        )
    notes = []
    for voice in range(sounding.shape[1]):
        starts = np.flatnonzero(begins[:, voice] & (sounding[:, voice] >= 0))
        ends = np.append(np.flatnonzero(begins[:, voice] | (sounding[:, voice] < 0)), len(sounding))
        for start in starts:
            stop = ends[np.searchsorted(ends, start, side="right")]
            notes.append((start, voice, sounding[start, voice], stop - start))
    ordered = np.array(sorted(notes), dtype=np.float64).reshape(-1, 4)
    steps = np.diff(ordered[:, 0], prepend=0.0)
    return np.stack([ordered[:, 2], steps * seconds, ordered[:, 3] * seconds], axis=1)


def note_windows(sequences: Sequence[Floats]) -> NoteWindows:
    """Every note that has 25 before it, with these.

    Args:
        sequences: one ``(notes, 3)`` a piece, as ``note_sequence`` makes it.

    Returns:
        The windows of all pieces, in order.

    Raises:
        ValueError: a sequence has another shape, or no piece has more than 25 notes.
    """
    windows = [np.zeros((0, WINDOW + 1, 3))]
    for number, sequence in enumerate(sequences):
        if sequence.ndim != 2 or sequence.shape[1] != 3:
            raise ValueError(f"piece {number}: notes (notes, 3) were wanted; {sequence.shape} was given")
        if len(sequence) > WINDOW:
            found = np.lib.stride_tricks.sliding_window_view(sequence, WINDOW + 1, axis=0)
            windows.append(np.swapaxes(found, 1, 2))
    together = np.concatenate(windows)
    if not len(together):
        raise ValueError(f"a piece of more than {WINDOW} notes was wanted; none was given")
    before, after = _scaled(together[:, :-1]), together[:, -1]
    return NoteWindows(
        before,
        after[:, 0].astype("int32"),
        after[:, 1:2].astype("float32"),
        after[:, 2:3].astype("float32"),
    )


def build_note_lstm() -> keras.Model:
    """The tutorial's network with its losses and its optimiser.

    Returns:
        The compiled network, with new random weights: from ``(batch, 25, 3)`` to ``pitch``, the logits of the 128
        pitches, and to ``step`` and ``duration``, ``(batch, 1)`` each.
    """
    before = keras.Input((WINDOW, 3))
    state = keras.layers.LSTM(128)(before)
    heads = {"pitch": PITCHES, "step": 1, "duration": 1}
    network = keras.Model(before, {name: keras.layers.Dense(units, name=name)(state) for name, units in heads.items()})
    network.compile(
        keras.optimizers.Adam(5e-3),
        loss={
            "pitch": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "step": positive_error,
            "duration": positive_error,
        },
        loss_weights={"pitch": 0.05, "step": 1.0, "duration": 1.0},
    )
    return network


def positive_error(wanted: Tensor, given: Tensor) -> Tensor:
    """The tutorial's squared error with a pressure towards numbers that are not negative.

    Args:
        wanted: (batch, 1).
        given: (batch, 1).

    Returns:
        (given - wanted)², and ten times what ``given`` is below zero, of the same shape.
    """
    return ops.square(given - wanted) + 10 * ops.relu(-given)


def train_note_lstm(network: keras.Model, windows: NoteWindows, epochs: int = 50) -> list[float]:
    """Train as the tutorial does: batches of 64, and an end when the training loss has not fallen for five epochs.

    Args:
        network: as ``build_note_lstm`` makes it.
        windows: the notes to learn from.
        epochs: how often each is seen at the most, at least 1; the tutorial's 50 if left out.

    Returns:
        The training loss of each epoch.

    Raises:
        ValueError: the epochs are no whole number from 1.
    """
    if not is_whole(epochs, 1, 10**6):
        raise ValueError(f"at least 1 epoch was wanted; {epochs!r} was given")
    patience = keras.callbacks.EarlyStopping(monitor="loss", patience=5, restore_best_weights=True)
    # The last batch is dropped if it is not full, but for a corpus that is smaller than a batch.
    count = len(windows.pitch) // BATCH * BATCH or len(windows.pitch)
    targets = {name: values[:count] for name, values in windows.targets.items()}
    history = network.fit(
        windows.before[:count], targets, batch_size=BATCH, epochs=epochs, callbacks=[patience], verbose=0
    )
    return [float(loss) for loss in history.history["loss"]]


def pitch_cost(network: keras.Model, windows: NoteWindows) -> Floats:
    """What the pitch of each note costs; when it begins and how long it is has no likelihood in this network.

    Args:
        network: as ``build_note_lstm`` makes it.
        windows: the notes to score.

    Returns:
        Nats, ``(notes,)``.
    """
    logits = network.predict(windows.before, batch_size=1024, verbose=0)["pitch"].astype(np.float64)
    chosen = np.take_along_axis(logits, windows.pitch[:, np.newaxis], axis=1)[:, 0]
    return np.logaddexp.reduce(logits, axis=1) - chosen


def play_notes(network: keras.Model, opening: Floats, count: int, temperature: float = 1.0, seed: int = 0) -> Floats:
    """Let the network go on, note by note, with a call of ``predict`` for each, as the tutorial does.

    Args:
        network: as ``build_note_lstm`` makes it.
        opening: at least 25 notes ``(notes, 3)``; the last 25 are read.
        count: how many notes to add, at least 1.
        temperature: divides the pitch logits, above 0; the tutorial plays at 2.
        seed: of the draw, zero or more.

    Returns:
        The notes that follow, ``(count, 3)``; steps and durations are zero or more.

    Raises:
        ValueError: an argument is not as above.
    """
    if opening.ndim != 2 or opening.shape[1] != 3 or len(opening) < WINDOW:
        raise ValueError(f"at least {WINDOW} notes (notes, 3) were wanted; {opening.shape} was given")
    if not is_whole(count, 1, 10**6) or not 0 < temperature < np.inf:
        raise ValueError(f"a count from 1 and a temperature above 0 were wanted; {count!r}, {temperature} were given")
    rng = np.random.default_rng(seed)
    notes = opening[-WINDOW:]
    for _ in range(count):
        heads = network.predict(_scaled(notes[np.newaxis, -WINDOW:]), verbose=0)
        pitch = np.argmax(heads["pitch"][0] / temperature + rng.gumbel(size=PITCHES))
        step, duration = (max(0.0, float(heads[name][0, 0])) for name in ("step", "duration"))
        notes = np.append(notes, [[float(pitch), step, duration]], axis=0)
    return notes[WINDOW:]


def _scaled(notes: Floats) -> npt.NDArray[np.float32]:
    return (notes / np.array([PITCHES, 1.0, 1.0])).astype("float32")
