"""Tang quatrains as rows of numbers: four lines of five characters, and before them the plan of rhyme and tones.

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
# The places, second and fourth of each line, whose tones regulated verse lays down, and its two patterns by their
# first tone: each line differs in itself and from its neighbour in the couplet, and the third begins as the second.
TONAL = tuple(LINE * line + place for line in range(LINES) for place in (1, 3))
PATTERNS = ("-||-|--|", "|--|-||-")
# The last kind of plan is to have neither pattern.
TONES = (*PATTERNS, "")
UNKNOWN = "□"
# The i of iao, the u of uan: what stands before the vowel takes no part in the rhyme.
_GLIDE = re.compile(r"^[iuvü](?=[aeoê])")

Rows = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
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
    def plans(self) -> int:
        """How many plans there are: each rhyme, or none, with each kind of ``TONES``."""
        return len(TONES) * (len(self.rhymes.names) + 1)

    @property
    def vocabulary(self) -> int:
        """How many tokens there are: the rare one, the characters and the plans."""
        return 1 + len(self.characters) + self.plans

    def plan(self, quatrain: Quatrain) -> int:
        """The token of what a quatrain does: its rhyme, of several the one with most characters, and its tones."""
        group, members = len(self.rhymes.names), self.rhymes.members
        if shared := self.rhymes.shared(quatrain[1][-1], quatrain[3][-1]):
            group = max(shared, key=lambda number: (len(members[number]), -number))
        return 1 + len(self.characters) + len(TONES) * group + TONES.index(tone_pattern(quatrain, self.rhymes))

    def parts_of(self, plans: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The rhyme groups of tokens of plans, one more than the last for none, and their kinds of ``TONES``.

        Raises:
            ValueError: one is the token of no plan.
        """
        given, first = np.asarray(plans), 1 + len(self.characters)
        if given.dtype.kind not in "iu" or (given.size and not first <= given.min() <= given.max() < self.vocabulary):
            raise ValueError(f"plans from {first} to {self.vocabulary - 1} were wanted; {given!r} was given")
        groups, kinds = np.divmod(given.astype(np.int64) - first, len(TONES))
        return groups, kinds

    def allowed(self, plans: npt.ArrayLike) -> Bools:
        """Which characters may stand where for a quatrain to be as it was planned.

        At the two places that rhyme only those of the group, at the eight places of the pattern only those that
        have its tone; at all others, and for what is not planned, all. The rare token may stand everywhere, because
        some of the characters that share it may. A group of rare characters only is not asked for.

        Args:
            plans: tokens, (n,).

        Returns:
            (n, 20, characters with the rare one).

        Raises:
            ValueError: one is the token of no plan.
        """
        groups, kinds = self.parts_of(plans)
        of_groups, of_kinds = self._fitting
        found = np.ones((len(groups), PLACES, 1 + len(self.characters)), dtype=bool)
        found[:, RHYMES] = of_groups[groups][:, np.newaxis]
        found[:, TONAL] = of_kinds[kinds]
        return found

    @cached_property
    def _fitting(self) -> tuple[Bools, Bools]:
        """The characters of each group, (groups + 1, ...), and those at each tonal place of each kind, (3, 8, ...)."""
        signs = UNKNOWN + self.characters
        in_group = [np.array([c in members for c in signs]) for members in self.rhymes.members]
        of_groups = np.array([group if group.any() else ~group for group in in_group] + [np.ones(len(signs), bool)])
        by_tone = {sign: np.array([sign in _tones(c, self.rhymes) for c in signs]) for sign in "-|"}
        by_tone |= {" ": np.ones(len(signs), bool)}
        of_kinds = np.array([[by_tone[sign] for sign in kind.ljust(len(TONAL))] for kind in TONES])
        of_groups[:, 0] = of_kinds[..., 0] = True
        return of_groups, of_kinds

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
        """Of each token the share of every group and of the two tones, (vocabulary, groups + 6).

        A character with two readings has half of each; a plan has the group and the kind of tones that it plans. The
        last columns are the plan not to rhyme, the level and the oblique tone, and the three kinds of ``TONES``.
        """
        groups = len(self.rhymes.names)
        shares = np.zeros((self.vocabulary, groups + 3 + len(TONES)), dtype=np.float32)
        for character, token in self._tokens.items():
            for group in (found := self.rhymes.groups.get(character, frozenset())):
                shares[token, group] = 1 / len(found)
        planned, kinds = self.parts_of(np.arange(self.vocabulary - self.plans, self.vocabulary))
        shares[-self.plans :, : groups + 1] = np.eye(groups + 1)[planned]
        shares[:, groups + 1] = shares[:, : self.rhymes.level].sum(axis=1)
        shares[:, groups + 2] = shares[:, self.rhymes.level : groups].sum(axis=1)
        shares[-self.plans :, -len(TONES) :] = np.eye(len(TONES))[kinds]
        return shares


def rhymes(quatrain: Quatrain, dictionary: Rhymes) -> bool:
    """Whether lines two and four end on characters of one group."""
    return bool(dictionary.shared(quatrain[1][-1], quatrain[3][-1]))


def rhymes_today(quatrain: Quatrain) -> bool:
    """Whether lines two and four rhyme in the Mandarin of today: the same final but for its glide, in any tone."""
    last = [quatrain[1][-1], quatrain[3][-1]]
    read = pinyin(last, style=Style.FINALS)
    return _GLIDE.sub("", read[0][0]) == _GLIDE.sub("", read[1][0])


def tone_pattern(quatrain: Quatrain, dictionary: Rhymes) -> str:
    """Which pattern of regulated verse the tones at the second and fourth places follow.

    They differ within a line, are opposite in the two lines of a couplet, and the third line begins as the second
    one. A character with both tones, or none that is known, fits anywhere.

    Returns:
        The pattern, one of ``PATTERNS``, the first that fits; empty if none does.
    """
    tones = [_tones("".join(quatrain)[place], dictionary) for place in TONAL]
    fitting = (kind for kind in PATTERNS if all(sign in tone for tone, sign in zip(tones, kind, strict=True)))
    return next(fitting, "")


def is_regulated(quatrain: Quatrain, dictionary: Rhymes) -> bool:
    """Whether the tones follow one of the patterns, as in ``tone_pattern``."""
    return bool(tone_pattern(quatrain, dictionary))


def _tones(character: str, dictionary: Rhymes) -> Collection[str]:
    return dictionary.tones(character) or {"-", "|"}


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
