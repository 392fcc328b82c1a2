"""Levels of tiles: a model that learns them from examples, a solver that proves what can be won (chapter ``worlds``).

A level is rows of letters: ``#`` wall, ``.`` floor, ``S`` start, ``E`` exit, ``a`` to ``d`` keys, ``A`` to ``D``
their doors. A step leads to one of four neighbours. A key is kept, and opens all doors of its letter.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Place = tuple[int, int]
Level = tuple[str, ...]

WALL, FLOOR, START, EXIT = "#.SE"
KEYS = "abcd"
TILES = WALL + FLOOR + START + EXIT + KEYS + KEYS.upper()
STEPS = ((-1, 0), (0, -1), (0, 1), (1, 0))
LARGEST = 200


def parse(rows: Sequence[str]) -> Level:
    """Rows of letters as a level.

    Raises:
        ValueError: they are no rectangle of known tiles, at most 200 a side, or there is not one start and one exit.
    """
    level = tuple(rows)
    widths = {len(row) for row in level}
    if len(widths) != 1 or 0 in widths or max(*widths, len(level)) > LARGEST:
        raise ValueError(f"rows of one length, 1 to {LARGEST} a side, were wanted; the lengths {widths} were given")
    tiles = Counter("".join(level))
    if strange := sorted(tiles.keys() - set(TILES)):
        raise ValueError(f"the tiles {TILES} were wanted; {strange} are others")
    if (tiles[START], tiles[EXIT]) != (1, 1):
        raise ValueError(f"one start and one exit were wanted; {tiles[START]} and {tiles[EXIT]} were given")
    return level


def place_of(level: Level, tile: str) -> Place:
    """Where a tile is; the first place, row by row.

    Raises:
        ValueError: it is nowhere.
    """
    for i, row in enumerate(level):
        if (j := row.find(tile)) >= 0:
            return i, j
    raise ValueError(f"a level with the tile {tile!r} was wanted; it has none")


@dataclass(frozen=True)
class Way:
    """A way from the start to the exit.

    Attributes:
        places: row and column of every step, start and exit among them.
        opened: the walls that had to be taken away for it; none on a way that a player can go at once.
    """

    places: tuple[Place, ...]
    opened: tuple[Place, ...]

    @property
    def steps(self) -> int:
        """How many steps it has."""
        return len(self.places) - 1


def solve(level: Level) -> Way | None:
    """The shortest way that a player can go, if there is one.

    Args:
        level: as ``parse`` gives it.

    Returns:
        A way of the fewest steps, or ``None``: then every state that can be reached was looked at, and none has
        won.
    """
    return _search(level, wall_cost=None)


def mend(level: Level) -> tuple[Level, Way]:
    """Make a level that can be won by taking away few walls, none of the outermost rows and columns.

    The way is found that goes through walls as seldom as possible. A wall through which it goes twice counts twice,
    because a search that remembers which walls it has opened would have too many states; so a repair with fewer
    walls may exist. But of the walls that are taken away, none could be left: each is put back, and stays if the
    level can be won with it.

    Args:
        level: as ``parse`` gives it.

    Returns:
        The level, and its shortest way with the walls that were taken away.

    Raises:
        ValueError: no way leads to the exit even so.
    """
    through = _search(level, wall_cost=10**6)
    if through is None:
        raise ValueError("a level that can be won without its inner walls was wanted; a key is missing, or a border")
    taken = list(through.opened)
    for place in through.opened:
        fewer = [other for other in taken if other != place]
        if solve(_without(level, fewer)):
            taken = fewer
    mended = _without(level, taken)
    way = solve(mended)
    assert way is not None
    return mended, Way(way.places, tuple(taken))


def _without(level: Level, walls: Sequence[Place]) -> Level:
    rows = [list(row) for row in level]
    for i, j in walls:
        rows[i][j] = FLOOR
    return tuple("".join(row) for row in rows)


def _search(level: Level, wall_cost: int | None) -> Way | None:
    """Dijkstra's algorithm over places and keys; a wall costs so much, or cannot be entered.

    A state is a place and the set of keys.
    """
    h, w = len(level), len(level[0])
    start = (*place_of(level, START), 0)
    best: dict[tuple[int, int, int], int] = {start: 0}
    before: dict[tuple[int, int, int], tuple[int, int, int]] = {}
    queue = [(0, start)]
    while queue:
        price, state = heapq.heappop(queue)
        if price > best[state]:
            continue
        i, j, keys = state
        if level[i][j] == EXIT:
            return _way(level, state, before)
        for di, dj in STEPS:
            y, x = i + di, j + dj
            if not (0 <= y < h and 0 <= x < w):
                continue
            tile, cost = level[y][x], 1
            if tile == WALL:
                if wall_cost is None or y in (0, h - 1) or x in (0, w - 1):
                    continue
                cost += wall_cost
            elif tile in KEYS.upper() and not keys >> KEYS.upper().index(tile) & 1:
                continue
            held = keys | (1 << KEYS.index(tile) if tile in KEYS else 0)
            reached = (y, x, held)
            if price + cost < best.get(reached, price + cost + 1):
                best[reached], before[reached] = price + cost, state
                heapq.heappush(queue, (price + cost, reached))
    return None


def _way(level: Level, state: tuple[int, int, int], before: Mapping[tuple[int, int, int], tuple[int, int, int]]) -> Way:
    states = [state]
    while states[-1] in before:
        states.append(before[states[-1]])
    places = tuple((i, j) for i, j, _ in reversed(states))
    return Way(places, tuple(dict.fromkeys((i, j) for i, j in places if level[i][j] == WALL)))


def is_way(level: Level, places: Sequence[Place]) -> bool:
    """Whether a player can go these places in turn, from the start to the exit: the proof, checked step by step.

    It knows nothing of how the way was found.
    """
    keys: set[str] = set()
    if not places or level[places[0][0]][places[0][1]] != START or level[places[-1][0]][places[-1][1]] != EXIT:
        return False
    for here, there in zip(places, [*places[1:], places[-1]], strict=True):
        if abs(here[0] - there[0]) + abs(here[1] - there[1]) != 1 and here != places[-1]:
            return False
        tile = level[here[0]][here[1]]
        if tile == WALL or (tile in KEYS.upper() and tile.lower() not in keys):
            return False
        if tile in KEYS:
            keys.add(tile)
    return True


# A model of tiles


class TileModel:
    """Tiles one after the other, each given four that came before: left, above, and its two neighbours.

    Counts of an example, as in the multi-dimensional Markov chains of Snodgrass and Ontañón (2014); where the four
    were never seen together, fewer of them are looked at. Beyond the edge stand walls.

    Args:
        examples: rows of letters, at least one example.
        weight: how many further observations the shorter context counts as, above zero.

    Raises:
        ValueError: there is no example, one is empty, or the weight is not above zero.
    """

    def __init__(self, examples: Sequence[Sequence[str]], weight: float = 0.5) -> None:
        if not examples or not all(example and example[0] for example in examples) or not weight > 0:
            raise ValueError(f"examples with tiles and a weight above 0 were wanted; {len(examples)} and {weight} are")
        self.tiles = sorted({tile for example in examples for row in example for tile in row})
        self.weight = weight
        self._counts: dict[str, Floats] = defaultdict(lambda: np.zeros(len(self.tiles)))
        for example in examples:
            grid = np.array([list(row) for row in example])
            for i, j in np.ndindex(grid.shape):
                seen = _before(grid, i, j)
                for length in range(len(seen) + 1):
                    self._counts[seen[:length]][self.tiles.index(str(grid[i, j]))] += 1

    def probabilities(self, seen: str) -> Floats:
        """Of each of ``tiles``, given the tiles before it: left, above, above to the left, above to the right.

        Args:
            seen: four letters.
        """
        known = np.full(len(self.tiles), 1 / len(self.tiles))
        for length in range(len(seen) + 1):
            counts = self._counts.get(seen[:length])
            if counts is not None:
                known = (counts + self.weight * known) / (counts.sum() + self.weight)
        return known

    def cost(self, level: Sequence[str]) -> float:
        """The negative log-likelihood of a level's tiles, in bits per tile.

        Raises:
            ValueError: a tile is in no example.
        """
        if strange := sorted(set("".join(level)) - set(self.tiles)):
            raise ValueError(f"the tiles {''.join(self.tiles)} were wanted; {strange} are others")
        grid = np.array([list(row) for row in level])
        number = {tile: k for k, tile in enumerate(self.tiles)}
        places = np.ndindex(grid.shape)
        shares = [self.probabilities(_before(grid, i, j))[number[str(grid[i, j])]] for i, j in places]
        return float(-np.log2(shares).mean())

    def draw(self, shape: tuple[int, int], rng: np.random.Generator) -> list[str]:
        """Draw tiles within a border of walls.

        Args:
            shape: rows and columns with the border, each at least 3.
            rng: draws.

        Returns:
            Rows of letters.

        Raises:
            ValueError: the shape is too small or above 200 a side.
        """
        if not 3 <= min(shape) <= max(shape) <= LARGEST:
            raise ValueError(f"3 to {LARGEST} rows and columns were wanted; {shape} was given")
        grid = np.full(shape, WALL)
        sums: dict[str, Floats] = {}
        for i in range(1, shape[0] - 1):
            for j in range(1, shape[1] - 1):
                seen = _before(grid, i, j)
                if seen not in sums:
                    sums[seen] = np.cumsum(self.probabilities(seen))
                # The last sum is one but for rounding.
                chosen = int(np.searchsorted(sums[seen][:-1], rng.random(), side="right"))
                grid[i, j] = self.tiles[chosen]
        return ["".join(row) for row in grid]


def _before(grid: np.ndarray, i: int, j: int) -> str:
    h, w = grid.shape

    def tile(y: int, x: int) -> str:
        return str(grid[y, x]) if 0 <= y < h and 0 <= x < w else WALL

    return tile(i, j - 1) + tile(i - 1, j) + tile(i - 1, j - 1) + tile(i - 1, j + 1)


def furnished(rows: Sequence[str], door: str, rng: np.random.Generator, keys: int = 3) -> Level:
    """Place what a level needs on drawn tiles: a start, an exit, and a key for each colour of its doors.

    Args:
        rows: walls, floors and doors.
        door: the letter of a door without a colour.
        rng: places them on floors, and gives each door one of the colours.
        keys: how many colours of doors there are, 1 to 4.

    Returns:
        The level; whether it can be won is for the solver to say.

    Raises:
        ValueError: there are too few floors, or another number of keys.
    """
    if keys not in range(1, len(KEYS) + 1):
        raise ValueError(f"1 to {len(KEYS)} keys were wanted; {keys!r} was given")
    grid = np.array([list(row) for row in rows])
    doors, floors = np.argwhere(grid == door), np.argwhere(grid == FLOOR)
    colours = min(keys, len(doors))
    if len(floors) < colours + 2:
        raise ValueError(f"at least {colours + 2} floors were wanted; {len(floors)} are there")
    for number, (i, j) in enumerate(rng.permutation(doors)):
        grid[i, j] = KEYS.upper()[number % keys]
    wanted = START + EXIT + KEYS[:colours]
    for tile, (i, j) in zip(wanted, floors[rng.choice(len(floors), len(wanted), replace=False)], strict=True):
        grid[i, j] = tile
    return parse(["".join(row) for row in grid])
