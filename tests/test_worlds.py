"""The rooms of the chapter on worlds: terrain, rivers, levels and their proofs, meshes, seams."""

from itertools import pairwise, product

import keras
import numpy as np
import pytest

from artbook.data import elevation, textures
from artbook.images.quilting import border_steps, quilt, seam
from artbook.worlds import erosion, levels, mesh, refine, terrain


def noise(shape=(32, 32), seed=0):
    return terrain.fractal(shape, 3, np.random.default_rng(seed)) * 100


# Data


def test_the_land_is_the_one_around_jacksboro():
    land = elevation.load()
    assert land.heights.shape == (344, 403)
    assert (land.heights.min(), land.heights.max()) == (236, 1076)
    assert land.corner == pytest.approx((36.733, -84.414), abs=1e-3)
    # Three seconds of arc.
    assert land.spacing == pytest.approx((92.66, 92.66 * np.cos(np.radians(36.59))), rel=1e-3)
    assert not land.heights.flags.writeable


def test_a_damaged_map_is_refused(monkeypatch):
    monkeypatch.setattr(elevation, "package_files", lambda *_: {"jacksboro_fault_dem.npz": b"PK\x03\x04 cut short"})
    monkeypatch.setattr(elevation, "cached_arrays", lambda name, make: make())
    with pytest.raises(ValueError, match="heights with their place were wanted"):
        elevation.load.__wrapped__()


def test_surfaces_are_grey_and_differ():
    surfaces = textures.load()
    assert list(surfaces) == ["brick", "grass", "gravel"]
    assert all(each.shape == (512, 512) and each.dtype == np.uint8 for each in surfaces.values())


def test_an_archive_without_the_surface_is_refused(monkeypatch):
    monkeypatch.setattr(textures, "contents", lambda *_: {})
    monkeypatch.setattr(textures, "fetch", lambda source: None)
    monkeypatch.setattr(textures, "cached_arrays", lambda name, make: make())
    with pytest.raises(ValueError, match=r"'brick.png' was wanted"):
        textures.load.__wrapped__()


# Terrain


@pytest.mark.parametrize("exponent", [0.0, 2.0, 3.0])
def test_fractal_noise_has_its_exponent(exponent):
    rng = np.random.default_rng(0)
    power = np.mean([terrain.spectrum(terrain.fractal((128, 128), exponent, rng))[1] for _ in range(4)], axis=0)
    frequency = terrain.spectrum(np.eye(128))[0]
    assert np.polyfit(np.log(frequency), np.log(power), 1)[0] == pytest.approx(-exponent, abs=0.25)


def test_a_wave_has_its_power_at_its_frequency():
    rows = np.sin(2 * np.pi * np.arange(64) / 8)
    frequency, power = terrain.spectrum(np.tile(rows[:, np.newaxis], (1, 64)), 8)
    assert frequency[power.argmax()] == pytest.approx(1 / 8, rel=0.25)


def test_slopes_and_pits_of_known_shapes():
    plane = 3 * np.arange(6.0)[:, np.newaxis] + 8 * np.arange(5.0)
    np.testing.assert_allclose(terrain.slopes(plane, (1, 2)), 5)
    assert terrain.pits(plane) == 0
    plane[2, 2] -= 100
    assert terrain.pits(plane) == pytest.approx(1 / 12)
    # A hollow of two equal cells is no pit of one cell.
    plane[2, 3] = plane[2, 2]
    assert terrain.pits(plane) == 0


def test_a_picture_of_land_has_a_sea_and_light_from_the_north_west():
    cone = 50 - np.hypot(*np.mgrid[-20:21, -20:21])
    picture = terrain.shaded(cone * 20, (20, 20), 0, 1000, sea=450).astype(int)
    assert (picture[0, 0] == picture[-1, -1]).all()
    assert picture[12, 12].sum() > picture[28, 28].sum()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: terrain.fractal((1, 5), 2, np.random.default_rng()), "2 to 2048 cells"),
        (lambda: terrain.fractal((8, 8), 7, np.random.default_rng()), "exponent 0 to 6"),
        (lambda: terrain.spectrum(np.zeros((8, 8))), "16 to 2048 a side"),
        (lambda: terrain.spectrum(np.zeros((16, 16)), 1), "2 to 50 bands"),
        (lambda: terrain.pits([[1, 2]]), "finite heights"),
        (lambda: terrain.slopes([[np.nan, 1], [1, 1]], (1, 1)), "finite heights"),
        (lambda: terrain.shaded(np.zeros((4, 4)), (1, 1), 5, 5), "a highest colour above 5 m"),
    ],
)
def test_terrain_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# From coarse to fine


def test_a_map_is_its_means_and_details():
    heights = noise()
    means, details = refine.analyse(heights)
    np.testing.assert_allclose(refine.synthesise(means, details), heights, atol=1e-3)
    # Orthonormal but for the mean: the squares of a block are those of its parts.
    whole = np.square(heights).sum()
    assert 4 * np.square(means).sum() + np.square(details).sum() == pytest.approx(whole, rel=1e-4)


def test_no_group_is_shown_what_comes_after_it():
    means, details = refine.analyse(noise())
    for group in range(4):
        changed = details.copy()
        for row, column in refine.GROUPS[group:]:
            changed[row::2, column::2] += 1
        np.testing.assert_array_equal(refine.contexts(means, details, group), refine.contexts(means, changed, group))


def test_the_linear_model_finds_a_linear_law():
    rng = np.random.default_rng(0)
    maps = [rng.normal(size=(128, 128)) * 50 for _ in range(4)]
    linear = refine.Linear.fit(maps)
    _, targets, volumes = linear.examples(maps[0])
    assert targets.std() == pytest.approx(1, abs=0.05)
    # White noise of 50 m has details of 50 m at every level, halved from level to level by the means.
    np.testing.assert_allclose(volumes[0], 3 * np.log(50), atol=0.1)
    level, group, seen, details = next(iter(refine.cells(maps[0])))
    back = linear.coloured(level, group, seen, linear.whitened(level, group, seen, details))
    np.testing.assert_allclose(back, details, atol=1e-2)


def test_the_cost_is_that_of_scipys_gaussians():
    rng = np.random.default_rng(0)
    outputs, details = rng.normal(size=(5, 20)).astype("float32"), rng.normal(size=(5, 3)).astype("float32")
    found = keras.ops.convert_to_numpy(refine.cost(details, outputs))
    from scipy.special import logsumexp
    from scipy.stats import multivariate_normal

    for row, detail, cost in zip(outputs, details, found, strict=True):
        logits, means, logs, below = row[:2], row[2:8].reshape(2, 3), row[8:14].reshape(2, 3), row[14:].reshape(2, 3)
        terms = []
        for k in range(2):
            root = np.diag(np.exp(logs[k]))
            root[[1, 2, 2], [0, 0, 1]] = below[k]
            density = multivariate_normal(means[k], np.linalg.inv(root @ root.T)).logpdf(detail)
            terms.append(logits[k] - logsumexp(logits) + density)
        assert cost == pytest.approx(-logsumexp(terms), rel=1e-3)


def test_draws_have_the_moments_of_their_gaussian():
    root = np.array([[2, 0, 0], [0.5, 1, 0], [-0.3, 0.2, 3]])
    row = np.concatenate([[0.0], [1, 2, 3], np.log(np.diag(root)), root[[1, 2, 2], [0, 0, 1]]])
    drawn = refine.draw(np.tile(row, (20_000, 1)).astype("float32"), np.random.default_rng(0))
    np.testing.assert_allclose(drawn.mean(axis=0), [1, 2, 3], atol=0.03)
    np.testing.assert_allclose(np.cov(drawn.T), np.linalg.inv(root @ root.T), atol=0.03)


def test_a_refined_map_keeps_its_means():
    linear = refine.Linear.fit([noise((128, 128), seed) for seed in range(4)])
    coarse = noise((4, 5))
    network = refine.network(8, 2)
    for predict in (None, lambda seen: keras.ops.convert_to_numpy(network(seen))):
        fine = refine.refine(linear, predict, coarse, 3, np.random.default_rng(0))
        assert fine.shape == (32, 40)
        np.testing.assert_allclose(fine.reshape(4, 8, 5, 8).mean(axis=(1, 3)), coarse, atol=1e-2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: refine.analyse(np.zeros((3, 4))), "even sides"),
        (lambda: refine.analyse([[1]]), "finite heights"),
        (lambda: refine.synthesise(np.zeros((2, 2)), np.zeros((2, 2, 2))), r"details \(2, 2, 3\)"),
        (lambda: refine.contexts(np.zeros((2, 2)), np.zeros((2, 2, 3)), 4), "a group 0 to 3"),
        (lambda: refine.Linear.fit([]), "at least one map"),
        (lambda: refine.Linear.fit([np.zeros((32, 32))]), "maps with more cells"),
        (
            lambda: refine.refine(refine.Linear(0, 0), None, np.zeros((2, 2)), 5, np.random.default_rng()),
            "1 to 4 levels",
        ),
    ],
)
def test_refining_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# Rivers


def test_water_goes_down_a_slope_and_out_of_a_pit():
    heights = np.add.outer(np.zeros(7), np.arange(9.0)[::-1])
    heights[3, 4] = -50
    receiver, order = erosion.drainage(heights)
    rank = np.empty(63, dtype=int)
    rank[order] = np.arange(63)
    inner = receiver != np.arange(63)
    assert inner.reshape(7, 9)[1:-1, 1:-1].all()
    assert (rank[receiver[inner]] < rank[inner.nonzero()[0]]).all()
    steps = np.abs(np.subtract(np.divmod(receiver, 9), np.divmod(np.arange(63), 9))).max(axis=0)
    assert steps.max() == 1
    # All the rain leaves the map.
    assert erosion.catchment(receiver, order)[~inner].sum() == 63


def test_a_flood_fills_hollows_to_where_they_spill():
    heights = np.full((7, 7), 10.0)
    heights[2:5, 2:5] = 3
    heights[3, 5] = heights[3, 6] = 6
    water = erosion.flood(heights)
    assert (water[2:5, 2:5] == 6).all()
    heights[2:5, 2:5] = 6
    np.testing.assert_array_equal(water, heights)


def test_an_eroded_river_comes_to_rest_at_the_slope_of_the_law():
    # One valley between cliffs: at rest the slope is uplift / (strength * area ** power).
    channel = np.full((3, 12), 1e6)
    channel[1] = np.arange(12.0)
    sea = np.zeros((3, 12), dtype=bool)
    sea[1, 0] = True
    walls = np.ones((3, 12), dtype=bool)
    walls[1, 1:-1] = False
    rested = erosion.erode(channel, (1, 1), 2.0, 1000, uplift=np.where(walls, 0, 1.0), power=0.5, sea=sea)
    area = np.arange(10, 0, -1)
    np.testing.assert_allclose(np.diff(rested[1, :11]), 1 / (2 * area**0.5), rtol=1e-3)


def test_erosion_leaves_edge_and_sea():
    heights = noise() + 500
    sea = heights < np.quantile(heights, 0.2)
    carved = erosion.erode(heights, (90, 70), 20, 5, 0.2, 1.0, sea=sea)
    fixed = sea.copy()
    fixed[[0, -1]] = fixed[:, [0, -1]] = True
    np.testing.assert_array_equal(carved[fixed], heights[fixed])
    assert not np.isclose(carved[~fixed], heights[~fixed]).any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: erosion.drainage([[1, 2], [3, 4]]), "3 to 512 a side"),
        (lambda: erosion.drainage(np.zeros((4, 4)), np.zeros((4, 4))), r"a sea bool \(4, 4\)"),
        (lambda: erosion.erode(np.zeros((4, 4)), (1, 1), -1, 1), "a strength from 0"),
        (lambda: erosion.erode(np.zeros((4, 4)), (1, 1), 1, 0), "1 to 1,000 steps"),
        (lambda: erosion.flood(np.full((4, 4), np.inf)), "finite heights"),
    ],
)
def test_erosion_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# Levels


def by_brute_force(level, most):
    """The fewest steps to the exit, by trying all walks of up to ``most`` steps; None if no such walk wins."""
    start = levels.place_of(level, "S")
    walks = {(start, frozenset())}
    for step in range(most + 1):
        if any(level[i][j] == "E" for (i, j), _ in walks):
            return step
        onward = set()
        for ((i, j), keys), (di, dj) in product(walks, levels.STEPS):
            y, x = i + di, j + dj
            if not (0 <= y < len(level) and 0 <= x < len(level[0])):
                continue
            tile = level[y][x]
            if tile == "#" or (tile in "ABCD" and tile.lower() not in keys):
                continue
            onward.add(((y, x), keys | {tile} if tile in "abcd" else keys))
        walks = onward
    return None


def some_level(rng, shape=(5, 6), tiles="#...."):
    grid = rng.choice(list(tiles), shape)
    places = rng.permutation(np.argwhere(np.ones(shape, dtype=bool)))
    for tile, (i, j) in zip("SEaAbB", places, strict=False):
        grid[i, j] = tile
    return levels.parse(["".join(row) for row in grid])


def test_the_solver_agrees_with_brute_force():
    rng = np.random.default_rng(0)
    answers = []
    for _ in range(60):
        level = some_level(rng)
        way, fewest = levels.solve(level), by_brute_force(level, 5 * 6 * 4)
        answers.append(fewest)
        assert (way is None and fewest is None) or (way.steps == fewest and levels.is_way(level, way.places))
    assert None in answers
    assert len({*answers}) > 5


def test_mending_takes_away_few_walls_and_none_in_vain():
    rng = np.random.default_rng(1)
    counts = []
    for _ in range(25):
        level = some_level(rng, (5, 5), "###.")
        walls = [(i, j) for i, j in np.ndindex(5, 5) if level[i][j] == "#" and 0 < i < 4 and 0 < j < 4]

        def without(gone, level=level):
            rows = ["".join("." if (i, j) in gone else t for j, t in enumerate(row)) for i, row in enumerate(level)]
            return levels.solve(tuple(rows))

        fewest = next((n for n in range(len(walls) + 1) if any(map(without, subsets(walls, n)))), None)
        if fewest is None:
            with pytest.raises(ValueError, match="a key is missing, or a border"):
                levels.mend(level)
            continue
        mended, way = levels.mend(level)
        counts.append((fewest, len(way.opened)))
        assert levels.is_way(mended, way.places)
        assert all(mended[i][j] == "." and level[i][j] == "#" for i, j in way.opened)
        assert not way.opened or not any(map(without, subsets(way.opened, len(way.opened) - 1)))
    fewest, taken = np.array(counts).T
    assert (taken >= fewest).all()
    assert fewest.max() >= 2
    assert (taken == fewest).mean() > 0.8
    np.testing.assert_array_equal(taken == 0, fewest == 0)


def subsets(items, size):
    from itertools import combinations

    return map(set, combinations(items, size))


def test_a_way_is_checked_step_by_step():
    level = levels.parse(["#######", "#a.SA.E", "#######"])
    places = levels.solve(level).places
    assert levels.is_way(level, places)
    assert not levels.is_way(level, places[:-1])
    assert not levels.is_way(level, places[1:])
    assert not levels.is_way(level, [])
    # Through the door without its key, through a wall, with a leap.
    assert not levels.is_way(level, [(1, 3), (1, 4), (1, 5), (1, 6)])
    assert not levels.is_way(level, [(1, 3), (0, 3), (0, 4), (0, 5), (0, 6), (1, 6)])
    assert not levels.is_way(level, [(1, 3), (1, 6)])
    assert all(abs(a - c) + abs(b - d) == 1 for (a, b), (c, d) in pairwise(places))


def test_the_tile_model_is_a_distribution_and_knows_its_example():
    example = ["#####", "#.#.#", "##.##", "#.#.#", "#####"]
    known = levels.TileModel([example])
    assert known.probabilities("####").sum() == pytest.approx(1)
    assert (known.probabilities("....") > 0).all()
    assert known.cost(example) < levels.TileModel([["#.", ".#"]]).cost(example)
    drawn = known.draw((7, 9), np.random.default_rng(0))
    assert drawn == known.draw((7, 9), np.random.default_rng(0))
    assert (len(drawn), {*map(len, drawn)}) == (7, {9})
    assert drawn[0] == drawn[-1] == "#" * 9
    assert all(row[0] == row[-1] == "#" for row in drawn)


def test_levels_get_what_they_need():
    rows = ["#########", "#...D...#", "#...D...#", "#########"]
    level = levels.furnished(rows, "D", np.random.default_rng(0), keys=2)
    tiles = "".join(level)
    assert sorted(tile for tile in tiles if tile not in "#.") == list("ABESab")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: levels.parse([]), "rows of one length"),
        (lambda: levels.parse(["S", "E."]), "rows of one length"),
        (lambda: levels.parse([""]), "rows of one length"),
        (lambda: levels.parse(["SE" + "." * 200]), "1 to 200 a side"),
        (lambda: levels.parse(["SE?"]), r"\['\?'\] are others"),
        (lambda: levels.parse(["S.."]), "one start and one exit"),
        (lambda: levels.parse(["SSE"]), "2 and 1 were given"),
        (lambda: levels.mend(levels.parse(["S#E"])), "can be won"),
        (lambda: levels.TileModel([]), "examples with tiles"),
        (lambda: levels.TileModel([["#"]], 0), "a weight above 0"),
        (lambda: levels.TileModel([["#."]]).cost(["?"]), r"\['\?'\] are others"),
        (lambda: levels.TileModel([["#."]]).draw((2, 5), np.random.default_rng()), "3 to 200 rows"),
        (lambda: levels.furnished(["#.D.#"], "D", np.random.default_rng()), "at least 3 floors"),
        (lambda: levels.furnished(["#.D.#"], "D", np.random.default_rng(), 9), "1 to 4 keys"),
    ],
)
def test_levels_refuse(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# Meshes


def test_a_plane_has_its_normals():
    tilted = mesh.relief(2.0 * np.arange(4)[:, np.newaxis] + 1.0 * np.arange(5), (4, 3))
    wanted = np.array([-1 / 3, 1, -0.5])
    np.testing.assert_allclose(tilted.normals, np.tile(wanted / np.linalg.norm(wanted), (20, 1)), atol=1e-6)
    np.testing.assert_allclose(tilted.positions.min(axis=0), [-6, 0, -6])


def crosses(surface):
    a, b, c = (surface.positions[surface.triangles[:, k]].astype(float) for k in range(3))
    return a, np.cross(b - a, c - a)


def test_a_block_is_closed_and_has_its_volume():
    heights = np.abs(noise((6, 9))) / 100
    solid = mesh.block(heights, (3, 2), base=-5)
    a, cross = crosses(solid)
    # Divergence theorem; each cell of the grid is two triangles, whose mean height counts.
    low = heights + 5
    cells = (2 * low[1:, :-1] + 2 * low[:-1, 1:] + low[:-1, :-1] + low[1:, 1:]) / 6
    assert (a * cross).sum() / 6 == pytest.approx(cells.sum() * 6, rel=1e-5)
    # Closed: the areas of its faces add up to nothing in every direction.
    np.testing.assert_allclose(cross.sum(axis=0), 0, atol=1e-3)
    facing = (cross * solid.normals[solid.triangles[:, 0]]).sum(axis=1)
    assert (facing > 0).all()


def test_a_building_shows_its_walls_outwards_and_no_hidden_ones():
    skins = {"#": 0, ".": 1, "side": 3}
    one = mesh.building(["...", ".#.", "..."], "#", 0.5, skins, 2)
    assert len(one.triangles) == 2 * (9 + 4)
    _, cross = crosses(one)
    assert ((cross * one.normals[one.triangles[:, 0]]).sum(axis=1) > 0).all()
    sides = one.positions[one.normals[:, 1] == 0]
    middle = one.normals[one.normals[:, 1] == 0]
    assert ((sides[:, [0, 2]] * middle[:, [0, 2]]).sum(axis=1) == 0.5).all()
    two = mesh.building(["....", ".##.", "...."], "#", 0.5, skins, 2)
    assert len(two.triangles) == 2 * (12 + 6)
    # The pictures of walls are those of number 3: lower right.
    assert (one.places[one.normals[:, 1] == 0] > 0.5).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mesh.relief([[1]], (1, 1)), "2 to 512 a side"),
        (lambda: mesh.relief(np.zeros((600, 2)), (1, 1)), "2 to 512 a side"),
        (lambda: mesh.relief(np.zeros((2, 2)), (0, 1)), "two distances above zero"),
        (lambda: mesh.block(np.zeros((2, 2)), (1, 1), 0), "a base below the lowest height"),
        (lambda: mesh.building([], "#", 1, {}, 1), "rows of one length"),
        (lambda: mesh.building(["#", ".."], "#", 1, {}, 1), "rows of one length"),
        (lambda: mesh.building(["#?"], "#", 1, {"#": 0, "side": 0}, 1), r"\['\?'\] have none"),
        (lambda: mesh.building(["#"], "#", 0, {"#": 0, "side": 0}, 1), "a height above 0"),
        (lambda: mesh.building(["#"], "#", 1, {"#": 4, "side": 0}, 2), "skins 0 to 3"),
    ],
)
def test_meshes_refuse(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# Seams


def test_a_seam_is_the_cheapest_path():
    costs = np.random.default_rng(0).random((5, 4))
    paths = [p for p in product(range(4), repeat=5) if all(abs(a - b) <= 1 for a, b in pairwise(p))]
    sums = [costs[np.arange(5), p].sum() for p in paths]
    assert tuple(seam(costs)) == paths[int(np.argmin(sums))]


@pytest.mark.parametrize("tiles", [False, True])
def test_a_quilt_has_its_size_and_only_known_pixels(tiles):
    source = np.random.default_rng(0).integers(0, 9, (20, 24, 3))
    made = quilt(source, (2, 3), 8, 2, np.random.default_rng(0), tiles=tiles)
    assert made.shape == ((12, 18, 3) if tiles else (14, 20, 3))
    known = {tuple(pixel) for pixel in source.reshape(-1, 3)}
    assert {tuple(pixel) for pixel in made.reshape(-1, 3).astype(int)} <= known


def test_a_quilt_that_tiles_fits_to_itself():
    rows = np.add.outer(np.sin(np.arange(60) / 3), np.cos(np.arange(60) / 2))
    across, inside = border_steps(quilt(rows, (3, 3), 20, 6, np.random.default_rng(0), tiles=True))
    open_across, open_inside = border_steps(quilt(rows, (3, 3), 20, 6, np.random.default_rng(0)))
    assert across < 1.6 * inside
    assert across / inside < open_across / open_inside


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: quilt(np.zeros(9), (2, 2), 4, 2, np.random.default_rng()), "a picture"),
        (lambda: quilt(np.zeros((3000, 8)), (2, 2), 4, 2, np.random.default_rng()), "at most 2048 a side"),
        (lambda: quilt(np.full((9, 9), np.nan), (2, 2), 4, 2, np.random.default_rng()), "a picture"),
        (lambda: quilt(np.zeros((8, 8)), (2, 2), 9, 2, np.random.default_rng()), "a block from 4 to 8"),
        (lambda: quilt(np.zeros((8, 8)), (2, 2), 6, 4, np.random.default_rng()), "half of it"),
        (lambda: quilt(np.zeros((8, 8)), (1, 2), 6, 2, np.random.default_rng()), "2 blocks a side"),
        (lambda: seam([]), "finite costs"),
        (lambda: border_steps(np.zeros((2, 9))), "at least 3 a side"),
    ],
)
def test_quilting_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call()
