"""Tang quatrains as rows of numbers: four lines of five characters, and before them the rhyme that is planned.

The form needs no tokens. A row holds the twenty characters and nothing else, so a line has five of them because
there are five places (chapter ``poems``).
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pypinyin import Style, pinyin

from artbook.data.rhymes import Rhymes
from artbook.data.tang_poems import Poem

LINES, LINE = 4, 5
PLACES = LINES * LINE
# The places of the last characters of the second and of the fourth line, which rhyme.
RHYMES = (2 * LINE - 1, 4 * LINE - 1)
UNKNOWN = "□"
# The i of iao, the u of uan: what stands before the vowel takes no part in the rhyme.
_GLIDE = re.compile(r"^[iuvü](?=[aeoê])")

Rows = npt.NDArray[np.int32]
Quatrain = tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """Quatrains by what they are for; no line of ``valid`` or ``test`` stands in any other part.

    Attributes:
        quatrains: whole poems, to learn from.
        blocks: four lines of longer poems of five characters.
        cut: four lines of poems of seven characters, each line without its first two.
        valid: whole poems, to choose by.
        test: whole poems, to judge by once.
    """

    quatrains: tuple[Quatrain, ...]
    blocks: tuple[Quatrain, ...]
    cut: tuple[Quatrain, ...]
    valid: tuple[Quatrain, ...]
    test: tuple[Quatrain, ...]


def split(poems: Iterable[Poem], held_out: int = 400, seed: int = 0) -> Split:
    """Deal the poems into what is learned from, chosen by and judged by.

    Args:
        poems: of lines of one length; those with lines of five or seven characters, four at least, are used.
        held_out: how many whole quatrains go to ``valid``, and as many to ``test``; at least 1.
        seed: of the choice, zero or more.

    Raises:
        ValueError: there are not more than twice ``held_out`` different quatrains, or no longer poem.
    """
    by_length: dict[int, list[Quatrain]] = {5: [], 7: []}
    for poem in poems:
        if len(poem.lines) >= LINES and len(poem.lines[0]) in by_length:
            by_length[len(poem.lines[0])].append(poem.lines)
    whole = list(dict.fromkeys(lines for lines in by_length[5] if len(lines) == LINES))
    if held_out < 1 or len(whole) <= 2 * held_out:
        raise ValueError(f"more than twice {held_out} quatrains, and 1 at least, were wanted; {len(whole)} were given")
    order = np.random.default_rng(seed).permutation(len(whole))
    test, valid, rest = ([whole[n] for n in part] for part in np.split(order, [held_out, 2 * held_out]))
    in_test = {line for quatrain in test for line in quatrain}
    valid = _without(valid, in_test)
    held = in_test.union(*valid)
    longer = (block for lines in by_length[5] if len(lines) != LINES for block in _blocks(lines))
    seven = (tuple(line[2:] for line in block) for lines in by_length[7] for block in _blocks(lines))
    quatrains, blocks, cut = (tuple(_without(part, held)) for part in (rest, longer, seven))
    return Split(quatrains, blocks, cut, tuple(valid), tuple(test))


def _blocks(lines: Quatrain) -> Iterable[Quatrain]:
    return (lines[start : start + LINES] for start in range(0, len(lines) - LINES + 1, LINES))


def _without(quatrains: Iterable[Quatrain], lines: Collection[str]) -> list[Quatrain]:
    return [quatrain for quatrain in dict.fromkeys(quatrains) if not any(line in lines for line in quatrain)]


@dataclass(frozen=True)
class Coding:
    """How a quatrain becomes a row: token 0 is every rare character, then come the others, then the plans.

    Attributes:
        characters: those with a token of their own, each once.
        rhymes: the dictionary whose groups can be planned.
    """

    characters: str
    rhymes: Rhymes

    @classmethod
    def of(cls, quatrains: Iterable[Quatrain], rhymes: Rhymes, least: int = 6) -> "Coding":
        """The coding for some quatrains.

        Args:
            quatrains: those to learn from, at least one.
            rhymes: the dictionary.
            least: how often a character has to occur to get a token of its own, at least 1.

        Raises:
            ValueError: no character occurs so often.
        """
        counts = Counter(character for quatrain in quatrains for line in quatrain for character in line)
        frequent = sorted(character for character, count in counts.items() if count >= least)
        if not frequent:
            raise ValueError(f"characters that occur {least} times were wanted; {len(counts)} rarer ones were given")
        return cls("".join(frequent), rhymes)

    @cached_property
    def _tokens(self) -> dict[str, int]:
        return {character: token for token, character in enumerate(self.characters, 1)}

    @property
    def no_rhyme(self) -> int:
        """The token of the plan not to rhyme; those of the rhymes stand before it, in the dictionary's order."""
        return 1 + len(self.characters) + len(self.rhymes.names)

    @property
    def vocabulary(self) -> int:
        """How many tokens there are: the rare one, the characters, the rhymes and the plan not to rhyme."""
        return self.no_rhyme + 1

    def plan(self, quatrain: Quatrain) -> int:
        """The token of the rhyme of lines two and four: of several the one with most characters."""
        shared = self.rhymes.shared(quatrain[1][-1], quatrain[3][-1])
        if not shared:
            return self.no_rhyme
        return 1 + len(self.characters) + max(shared, key=lambda group: (len(self.rhymes.members[group]), -group))

    def encode(self, quatrains: Sequence[Quatrain]) -> Rows:
        """The plan and the twenty characters of each quatrain, int32 (quatrains, 21).

        Raises:
            ValueError: there is none, or one has not four lines of five characters.
        """
        for quatrain in quatrains:
            if len(quatrain) != LINES or any(len(line) != LINE for line in quatrain):
                raise ValueError(f"four lines of five characters were wanted; {quatrain!r} was given")
        if not quatrains:
            raise ValueError("at least one quatrain was wanted; none was given")
        rows = [
            [self.plan(quatrain), *(self._tokens.get(character, 0) for character in "".join(quatrain))]
            for quatrain in quatrains
        ]
        return np.array(rows, dtype=np.int32)

    def decode(self, rows: npt.ArrayLike) -> list[Quatrain]:
        """The quatrains of rows (n, 20) or (n, 21), the plan first; a rare character becomes ``UNKNOWN``.

        Raises:
            ValueError: the rows have another length, or a token of a plan stands among the characters.
        """
        given = np.asarray(rows)
        if given.ndim != 2 or given.shape[1] not in (PLACES, PLACES + 1) or given.dtype.kind not in "iu":
            raise ValueError(f"whole rows (n, 20) or (n, 21) were wanted; {given.dtype} {given.shape} was given")
        places = given[:, -PLACES:]
        if places.size and not (places.min() >= 0 and places.max() <= len(self.characters)):
            raise ValueError(f"characters from 0 to {len(self.characters)} were wanted; others were given")
        signs = UNKNOWN + self.characters
        texts = ("".join(signs[token] for token in row) for row in places)
        return [tuple(text[start : start + LINE] for start in range(0, PLACES, LINE)) for text in texts]

    def sounds(self) -> npt.NDArray[np.float32]:
        """Of each token the share of every group and of the two tones, (vocabulary, groups + 3).

        A character with two readings has half of each; a plan has the group that it plans. The last columns are the
        plan not to rhyme, the level and the oblique tone.
        """
        groups = len(self.rhymes.names)
        shares = np.zeros((self.vocabulary, groups + 3), dtype=np.float32)
        for character, token in self._tokens.items():
            for group in (found := self.rhymes.groups.get(character, frozenset())):
                shares[token, group] = 1 / len(found)
        shares[-groups - 1 :, : groups + 1] = np.eye(groups + 1)
        shares[:, -2] = shares[:, : self.rhymes.level].sum(axis=1)
        shares[:, -1] = shares[:, self.rhymes.level : groups].sum(axis=1)
        return shares


def rhymes(quatrain: Quatrain, dictionary: Rhymes) -> bool:
    """Whether lines two and four end on characters of one group."""
    return bool(dictionary.shared(quatrain[1][-1], quatrain[3][-1]))


def rhymes_today(quatrain: Quatrain) -> bool:
    """Whether lines two and four rhyme in the Mandarin of today: the same final but for its glide, in any tone."""
    last = [quatrain[1][-1], quatrain[3][-1]]
    read = pinyin(last, style=Style.FINALS)
    return _GLIDE.sub("", read[0][0]) == _GLIDE.sub("", read[1][0])


def is_regulated(quatrain: Quatrain, dictionary: Rhymes) -> bool:
    """Whether the tones at the second and fourth places follow the pattern of regulated verse.

    They differ within a line, are opposite in the two lines of a couplet, and the third line begins as the second
    one. A character with both tones, or none that is known, fits anywhere.
    """
    tones = [[dictionary.tones(line[place]) or {"-", "|"} for place in (1, 3)] for line in quatrain]
    wanted = ("-|", "|-", "|-", "-|")
    return any(
        all(
            sign in tone
            for line, signs in zip(tones, pattern, strict=True)
            for tone, sign in zip(line, signs, strict=True)
        )
        for pattern in (wanted, [signs[::-1] for signs in wanted])
    )


class Nearest(NamedTuple):
    """The known line that has most characters in common with a line, at the same places, and how many these are."""

    line: str
    shared: int


class Lines:
    """All lines of some quatrains, to look for copies in.

    Args:
        quatrains: at least one.
    """

    def __init__(self, quatrains: Iterable[Quatrain]) -> None:
        self.lines = tuple(dict.fromkeys(line for quatrain in quatrains for line in quatrain))
        if not self.lines:
            raise ValueError("at least one quatrain was wanted; none was given")
        self._signs = _signs(self.lines)

    def nearest(self, line: str) -> Nearest:
        """The nearest of the lines: of several the first."""
        shared = (self._signs == _signs((line,))).sum(axis=1)
        return Nearest(self.lines[shared.argmax()], int(shared.max()))


def _signs(lines: Sequence[str]) -> npt.NDArray[np.uint32]:
    if any(len(line) != LINE for line in lines):
        raise ValueError(
            f"lines of five characters were wanted; {[*filter(lambda x: len(x) != LINE, lines)][:3]} were given"
        )
    return np.frombuffer("".join(lines).encode("utf-32-le"), dtype=np.uint32).reshape(-1, LINE)


def reading(line: str) -> str:
    """The pinyin of a line, as Mandarin reads it today; no poet of the Tang heard it so."""
    return " ".join(syllable[0] for syllable in pinyin(list(line)))
