"""A small GPT of Tang quatrains that plans rhyme and tones, its rival that counts, and the mixture of both.

The chapter ``poems`` explains each part and measures what it is worth.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import svds

from artbook.nn.ngram import NGram
from artbook.nn.transformer import LanguageModel
from artbook.words import training
from artbook.words.quatrains import LINE, PLACES, Bools, Coding, Rows
from artbook.words.sampling import one_step

Floats = npt.NDArray[np.float64]
# Of rows (n, 21) the probabilities of all characters at every place, given what stands before it, (n, 20, characters).
Voice = Callable[[Rows], Floats]
# Rows that a voice is asked for at once.
_ROWS = 50


def neighbour_vectors(rows: Rows, characters: int, width: int, size: float = 0.05) -> npt.NDArray[np.float32]:
    """Vectors of the characters, from which of them stand beside each other in a line.

    The positive pointwise mutual information of a character and the next one, counts that are small taken with
    caution, is factorised by its largest singular values (Levy and Goldberg 2014). The first half of a vector stands
    for what follows the character, the second for what it follows.

    Args:
        rows: of ``Coding.encode``, (n, 21).
        characters: how many tokens are characters, the rare one among them; more than half the width.
        width: of the vectors, even.
        size: their standard deviation.

    Returns:
        float32 (characters, width).

    Raises:
        ValueError: the width is odd, below 2, or not below twice the characters.
    """
    if width < 2 or width % 2 or width >= 2 * characters:
        raise ValueError(f"an even width from 2 to below {2 * characters} was wanted; {width} was given")
    places = rows[:, 1:].reshape(len(rows), -1, LINE)
    first, second = places[..., :-1].ravel(), places[..., 1:].ravel()
    table = coo_matrix((np.ones(len(first)), (first, second)), shape=(characters, characters)).tocsr().tocoo()
    before, after = (np.bincount(side, minlength=characters) for side in (first, second))
    information = np.log(table.data * len(first) / (before[table.row] * after[table.col]))
    table.data = np.maximum(information, 0) * table.data / (table.data + 1)
    left, values, right = svds(table.tocsr(), width // 2, random_state=0)
    vectors = np.concatenate([left, right.T], axis=1) * np.tile(np.sqrt(values), 2)
    return (size * vectors / vectors.std()).astype(np.float32)


class SoundEmbedding(keras.layers.Layer):
    """A vector for each token: one of its own and the sum of those of its sounds, by their shares.

    Args:
        sounds: the shares of each token, (vocabulary, sounds).
        width: of the vectors.
    """

    def __init__(self, sounds: npt.NDArray[np.float32], width: int) -> None:
        super().__init__(name="embedding")
        self.sounds, self.width = sounds, width

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        small = keras.initializers.RandomNormal(stddev=0.02)
        tokens, sounds = self.sounds.shape
        self.own = self.add_weight(shape=(tokens, self.width), initializer=small, name="own")
        self.shared = self.add_weight(shape=(sounds, self.width), initializer=small, name="shared")

    @property
    def embeddings(self) -> Any:
        """The vectors of all tokens, (vocabulary, width)."""
        return self.own + ops.matmul(ops.convert_to_tensor(self.sounds), self.shared)

    def call(self, tokens: Any) -> Any:
        """The vectors of some tokens, (..., width)."""
        return ops.take(self.embeddings, tokens, axis=0)


class Poet(LanguageModel):
    """The transformer of chapter ``attention`` that hears: characters that sound alike share a part of their vectors.

    Args:
        sounds: of ``Coding.sounds``, (vocabulary, sounds).
        counts: how often each token occurs, (vocabulary,): where its output begins.
        vectors: of ``neighbour_vectors``, (characters, width): where its own vectors of the characters begin.
        width: the numbers that stand for a token between the blocks, a multiple of ``heads``.
        depth: how many blocks.
        heads: how many attentions a block has.

    Raises:
        ValueError: there is not one count a token, or the vectors have another shape.
    """

    def __init__(
        self,
        sounds: npt.NDArray[np.float32],
        counts: npt.ArrayLike,
        vectors: npt.NDArray[np.float32],
        width: int,
        depth: int,
        heads: int = 4,
    ) -> None:
        if np.shape(counts) != (len(sounds),):
            raise ValueError(f"{len(sounds)} counts were wanted; {np.shape(counts)} were given")
        if vectors.ndim != 2 or len(vectors) > len(sounds) or vectors.shape[1] != width:
            raise ValueError(f"vectors (characters, {width}) were wanted; {vectors.shape} were given")
        super().__init__(len(sounds), PLACES, width, depth, heads)
        del self.embedding
        self.embedding = SoundEmbedding(sounds, width)
        start = np.log(np.asarray(counts, dtype=np.float32) + 0.5)
        self._start = (start - start.max()).tolist()
        self.build((None, PLACES))
        self.embedding.own.assign(np.concatenate([vectors, ops.convert_to_numpy(self.embedding.own)[len(vectors) :]]))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights for tokens (batch, 20)."""
        super().build(input_shape)
        start = keras.initializers.Constant(self._start)
        self.bias = self.add_weight(shape=(self.vocabulary,), initializer=start, name="bias")

    def _logits(self, x: Any) -> Any:
        return super()._logits(x) + self.bias


class PlacedNGram:
    """A Kneser-Ney model of quatrains that knows at which of the five places of a line it stands.

    Before each character stands a token for the place. So the counts are those of a character after other characters
    *and at this place*. The plan it does not read.

    Args:
        rows: of ``Coding.encode``, (n, 21).
        characters: how many tokens are characters, the rare one among them; they come first.
        order: how many tokens, places among them, a succession has; from 2.
    """

    def __init__(self, rows: Rows, characters: int, order: int) -> None:
        self.characters = characters
        self.ngram = NGram.fit(list(self._placed(rows)), characters + LINE, order)

    def __call__(self, rows: Rows) -> Floats:
        """The probabilities of all characters at every place of rows (n, 21), (n, 20, characters); a ``Voice``."""
        return np.stack([self.following(rows, place) for place in range(PLACES)], axis=1)

    def following(self, rows: Rows, place: int) -> Floats:
        """The probabilities of all characters at one place, (n, characters); each row of them sums to one.

        Args:
            rows: (n, 21), of which only the characters before the place are seen.
            place: from 0 to 19.
        """
        before = np.full((len(rows), self.ngram.order - 1), self.ngram.vocabulary)
        seen = np.concatenate([before, self._placed(rows)[:, : 2 * place + 1]], axis=1)
        found = self.ngram.after(seen[:, seen.shape[1] - before.shape[1] :])[:, : self.characters]
        return found / found.sum(axis=1, keepdims=True)

    def _placed(self, rows: Rows) -> npt.NDArray[np.int64]:
        placed = np.empty((len(rows), 2 * PLACES), dtype=np.int64)
        placed[:, ::2] = self.characters + np.arange(PLACES) % LINE
        placed[:, 1::2] = rows[:, 1:]
        return placed


def voice(model: Poet, characters: int) -> Voice:
    """A poet as a voice: the probabilities of its ``characters`` first tokens, which sum to one."""
    program = training.logarithms(model)

    def speak(rows: Rows) -> Floats:
        # Filled up with the first ones: one shape is compiled.
        some = np.resize(rows[:, :-1], (-(-len(rows) // _ROWS) * _ROWS, PLACES))
        logs = [
            ops.convert_to_numpy(program(ops.convert_to_tensor(each))) for each in np.split(some, len(some) // _ROWS)
        ]
        found = np.exp(np.concatenate(logs)[: len(rows), :, :characters].astype(np.float64))
        return found / found.sum(axis=2, keepdims=True)

    return speak


@dataclass(frozen=True)
class Judged:
    """What poems cost a voice, and how it keeps to their plans, (poems, 20) each.

    Attributes:
        free: the negative log-likelihood of every character, in nats.
        share: of the probability at every place, the share of what the plan allows.
    """

    free: Floats
    share: Floats

    @property
    def held(self) -> Floats:
        """The same cost when what the plan forbids is set to zero and the rest divided by its sum, ``share``."""
        return self.free + np.log(self.share)


def judge(voice: Voice, rows: Rows, coding: Coding) -> Judged:
    """What rows (n, 21), one at least, cost a voice that is free to break their plans, and one that is held to them.

    Raises:
        ValueError: there is no row.
    """
    if not len(rows):
        raise ValueError("at least one row was wanted; none was given")
    free, share = [], []
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        found = voice(some)
        free.append(-np.log(np.take_along_axis(found, some[:, 1:, None], axis=2)[..., 0]))
        share.append(np.einsum("npc,npc->np", found, coding.allowed(some[:, 0])))
    return Judged(np.concatenate(free), np.concatenate(share))


def mixing_weights(costs: npt.ArrayLike, rounds: int = 100) -> Floats:
    """How much of each model to take at each place, so that a mixture of their probabilities costs least.

    Expectation-maximisation (Dempster, Laird and Rubin 1977): each model's weight becomes the mean share that it had
    in the probability of what came.

    Args:
        costs: of each model for each row and place, in nats, (models, rows, places).
        rounds: how often the weights are made better, at least 1.

    Returns:
        The weights, (models, places); at each place they sum to one.

    Raises:
        ValueError: the costs have another shape.
    """
    given = np.asarray(costs, dtype=np.float64)
    if given.ndim != 3 or not given.size or rounds < 1:
        raise ValueError(f"costs (models, rows, places) and a round at least were wanted; {given.shape}, {rounds}")
    likelihoods = np.exp(-given)
    weights = np.full((len(given), given.shape[2]), 1 / len(given))
    for _ in range(rounds):
        shares = weights[:, None] * likelihoods
        weights = (shares / shares.sum(axis=0)).mean(axis=1)
    return weights


def mixed(costs: npt.ArrayLike, weights: npt.ArrayLike) -> Floats:
    """What the mixture of some models costs, in nats, (rows, places); the arguments are those of ``mixing_weights``."""
    return -np.log((np.asarray(weights)[:, None] * np.exp(-np.asarray(costs))).sum(axis=0))


def write(
    model: Poet,
    plans: npt.ArrayLike,
    characters: int,
    seed: int,
    rivals: Sequence[PlacedNGram] = (),
    weights: npt.ArrayLike | None = None,
    allowed: Bools | None = None,
) -> Rows:
    """Write quatrains to plans, each character drawn from the mixture of the model and its rivals.

    To draw from a mixture, first draw which model speaks, by the weights, then draw from that one. No rare character
    and no plan is drawn.

    Args:
        model: trained.
        plans: the token of each poem's plan, (n,), at least one.
        characters: how many tokens are characters, the rare one among them; the plans come after them.
        seed: of the draws, zero or more.
        rivals: other models that may speak; none as a rule.
        weights: of the model and its rivals at each place, (1 + rivals, 20); left out, the model alone speaks.
        allowed: of ``Coding.allowed``, which characters may stand where, (n, 20, characters), at every place one that
            is not rare; left out, all may.

    Returns:
        The plans and the characters, (n, 21).

    Raises:
        ValueError: a plan is no plan, or the weights or what is allowed do not fit.
    """
    given = np.asarray(plans)
    if given.ndim != 1 or not given.size or given.dtype.kind not in "iu":
        raise ValueError(f"whole plans (n,), one at least, were wanted; {given.dtype} {given.shape} was given")
    if given.min() < characters or given.max() >= model.vocabulary:
        wanted = f"plans from {characters} to {model.vocabulary - 1} were wanted"
        raise ValueError(f"{wanted}; {given.min()} to {given.max()} were given")
    shares = np.ones((1, PLACES)) if weights is None else np.asarray(weights)
    if shares.shape != (1 + len(rivals), PLACES):
        raise ValueError(f"weights ({1 + len(rivals)}, {PLACES}) were wanted; {shares.shape} were given")
    may = np.ones((len(given), PLACES, characters), dtype=bool) if allowed is None else allowed
    if may.shape != (len(given), PLACES, characters) or not may[..., 1:].any(axis=2).all():
        wanted = f"at each of {len(given)} x {PLACES} places one allowed character of {characters}, not the rare one,"
        raise ValueError(f"{wanted} was wanted; {may.shape} were given")
    rng = np.random.default_rng(seed)
    step = one_step(model)
    rows = np.zeros((len(given), PLACES + 1), dtype=np.int32)
    rows[:, 0] = given
    cache = model.empty_cache(len(given))
    for place in range(PLACES):
        at = ops.convert_to_tensor(place, dtype="int32")
        logits, cache = step(ops.convert_to_tensor(rows[:, place]), at, cache)
        chances = ops.convert_to_numpy(logits)[:, 1:characters].astype(np.float64)
        speakers = rng.choice(len(shares), size=len(given), p=shares[:, place])
        for number, rival in enumerate(rivals, 1):
            if (turn := speakers == number).any():
                chances[turn] = np.log(rival.following(rows[turn], place)[:, 1:])
        # The largest of the logarithms, each with a Gumbel number added, is a draw by their probabilities.
        drawn = np.where(may[:, place, 1:], chances + rng.gumbel(size=chances.shape), -np.inf)
        rows[:, place + 1] = 1 + drawn.argmax(axis=1)
    return rows
