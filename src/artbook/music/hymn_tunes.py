"""The tunes that are known: where a soprano of the training pieces went the same way, and how it went on.

Chorales are hymns. Bach set many of their tunes more than once, and so a new chorale's soprano has often been heard
before, with other voices below it. ``HymnTunes`` counts what followed every passage that matches the last notes, the
longer the match, the more it counts: a Markov chain of every order at once (chapter ``composing``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from artbook.music.chorale_tokens import BEAT, HOLD, SILENCE, SOUNDS, VOCABULARY, Floats, Piece, Whole, to_sounds
from artbook.music.memories import NOBODY

# A place whose match is longer by a note has so many times the votes, up to so many notes.
BASE, LONGEST = 8.0, 12


@dataclass(frozen=True)
class HymnTunes:
    """Sopranos, one after the other, a row a beat of four frames.

    Attributes:
        tokens: int32 (N, 4).
        states: token, pitch and place in the beat as one number, which are equal where frames match; -1 where there is
            no frame, before the beginning of a tune and after its end, int32 (N, 4).
        begins: whether a frame is the first of its piece, bool (N, 4).
        owners: whose beat it is, so that a piece does not remember itself, int32 (N,).
    """

    tokens: Whole
    states: Whole
    begins: npt.NDArray[np.bool_]
    owners: Whole

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> "HymnTunes":
        """The tunes of pieces, whose numbers are their owners.

        Args:
            pieces: at least one.

        Raises:
            ValueError: there is no piece.
        """
        if not pieces:
            raise ValueError("at least one piece was wanted; none was given")
        tokens, found, begins, owners = [], [], [], []
        for owner, piece in enumerate(pieces):
            first = int(piece.plan.position[0]) % BEAT
            shape = ((0, 0), (first, -(first + piece.plan.length) % BEAT))
            tune = np.stack([piece.tokens[:, 0], _states(piece), np.arange(piece.plan.length) == 0])
            padded = np.pad(tune, shape, constant_values=-1).reshape(3, -1, BEAT)
            tokens.append(np.maximum(padded[0], HOLD))
            found.append(padded[1])
            begins.append(padded[2] == 1)
            owners.append(np.full(len(padded[0]), owner, dtype=np.int32))
        tables = [np.concatenate(each) for each in (tokens, found, begins, owners)]
        return cls(*tables)

    @cached_property
    def followed(self) -> Floats:
        """One where a frame has the token, zeros where a tune has no frame, ``(4, N, VOCABULARY)``."""
        return np.eye(VOCABULARY, dtype=np.float32)[self.tokens.T] * (self.states.T >= 0)[..., np.newaxis]

    def votes(self, piece: Piece, owner: int = NOBODY) -> Floats:
        """How the tune of a piece may go on, frame by frame, given its frames before.

        Args:
            piece: T steps long.
            owner: whose frames have no vote.

        Returns:
            The shares of the votes that the tokens have, (T, ``VOCABULARY``).
        """
        places, mine = piece.plan.position % BEAT, _states(piece)
        worth = BASE ** np.arange(LONGEST + 1, dtype=np.float32)
        theirs, begins = np.ascontiguousarray(self.states.T), np.ascontiguousarray(self.begins.T)
        may_vote = (theirs >= 0) & (self.owners != owner)
        weights = np.zeros((len(mine), len(self.tokens)), dtype=np.float32)
        run = np.zeros(len(self.tokens), dtype=np.int8)
        for now in range(1, len(mine)):
            longer = np.minimum(run + np.int8(piece.tokens[now - 1, 0] > SILENCE), np.int8(LONGEST))
            run = longer * (theirs[places[now - 1]] == mine[now - 1])
            if places[now] == 0:
                run = np.concatenate([run[:1] * 0, run[:-1]])
            run *= ~begins[places[now]]
            weights[now] = worth[run] * may_vote[places[now]]
        votes = np.empty((len(mine), VOCABULARY), dtype=np.float32)
        for place in range(BEAT):
            votes[places == place] = weights[places == place] @ self.followed[place]
        # Before the first frame, the first frames of the tunes vote.
        votes[0] = np.bincount(self.tokens[self.begins & may_vote.T], minlength=VOCABULARY)
        return votes / votes.sum(axis=1, keepdims=True)


def _states(piece: Piece) -> Whole:
    """Of the frames of a piece, (T,)."""
    return states(piece.tokens[:, 0], to_sounds(piece.tokens[:, :1])[:, 0], piece.plan.features[:, 0])


def states(tokens: Whole, sounds: Whole, places: Whole) -> Whole:
    """What has to be equal in two frames that match, as one number; the arguments may be tensors."""
    return (tokens * SOUNDS + sounds) * BEAT + places
