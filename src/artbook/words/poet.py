"""A small GPT of Tang quatrains that plans its rhyme, its rival that counts, and the mixture of both.

The chapter ``poems`` explains each part and measures what it is worth.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import svds

from artbook.nn.ngram import NGram
from artbook.nn.transformer import LanguageModel
from artbook.words.quatrains import LINE, PLACES, RHYMES, Rows
from artbook.words.sampling import one_step

Floats = npt.NDArray[np.float64]


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
    *and at this place*. Told the plan, it has a token for the planned rhyme at the two places that rhyme.

    Args:
        rows: of ``Coding.encode``, (n, 21).
        characters: how many tokens are characters, the rare one among them; the plans come after them.
        vocabulary: how many tokens there are with the plans.
        order: how many tokens, places among them, a succession has; from 2.
        told: whether it is told the plan.
    """

    def __init__(self, rows: Rows, characters: int, vocabulary: int, order: int, told: bool = False) -> None:
        self.characters, self.vocabulary, self.told = characters, vocabulary, told
        self.ngram = NGram.fit(list(self._placed(rows)), vocabulary + LINE, order)

    def costs(self, rows: Rows) -> Floats:
        """The negative log-likelihood of every character, in nats, (n, 20)."""
        return np.array([self.ngram.costs(row)[1::2] for row in self._placed(rows)])

    def following(self, row: Sequence[int]) -> Floats:
        """The probabilities of all characters to come next, (characters,), which sum to one.

        Args:
            row: the plan and 0 to 19 characters.
        """
        place = len(row) - 1
        placed = self._placed(np.array([[*row, *[0] * (PLACES - place)]]))[0][: 2 * place + 1]
        found = self.ngram.following(placed)[: self.characters]
        return found / found.sum()

    def _placed(self, rows: Rows) -> npt.NDArray[np.int64]:
        placed = np.empty((len(rows), 2 * PLACES), dtype=np.int64)
        placed[:, ::2] = self.vocabulary + np.arange(PLACES) % LINE
        placed[:, 1::2] = rows[:, 1:]
        if self.told:
            placed[:, [2 * place for place in RHYMES]] = rows[:, :1]
        return placed


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
) -> Rows:
    """Write quatrains to planned rhymes, each character drawn from the mixture of the model and its rivals.

    To draw from a mixture, first draw which model speaks, by the weights, then draw from that one. No rare character
    and no plan is drawn.

    Args:
        model: trained.
        plans: the token of each poem's plan, (n,), at least one.
        characters: how many tokens are characters, the rare one among them; the plans come after them.
        seed: of the draws, zero or more.
        rivals: other models that may speak; none as a rule.
        weights: of the model and its rivals at each place, (1 + rivals, 20); left out, the model alone speaks.

    Returns:
        The plans and the characters, (n, 21).

    Raises:
        ValueError: a plan is no plan, or the weights do not fit.
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
    rng = np.random.default_rng(seed)
    step = one_step(model)
    rows = np.zeros((len(given), PLACES + 1), dtype=np.int32)
    rows[:, 0] = given
    cache = model.empty_cache(len(given))
    for place in range(PLACES):
        at = ops.convert_to_tensor(place, dtype="int32")
        logits, cache = step(ops.convert_to_tensor(rows[:, place]), at, cache)
        allowed = ops.convert_to_numpy(logits)[:, 1:characters]
        rows[:, place + 1] = 1 + (allowed + rng.gumbel(size=allowed.shape)).argmax(axis=1)
        speakers = rng.choice(len(shares), size=len(given), p=shares[:, place])
        for row in np.flatnonzero(speakers):
            found = rivals[speakers[row] - 1].following(rows[row, : place + 1].tolist())[1:]
            rows[row, place + 1] = 1 + rng.choice(len(found), p=found / found.sum())
    return rows
