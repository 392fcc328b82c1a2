import io
import itertools
import json
import os
import subprocess
import sys
import time
from dataclasses import fields, replace

import keras
import numpy as np
import pytest

from artbook.music import composer as composing
from artbook.music.composer import Composer, Sizes, build, listing_cost, load, read, train, with_copies
from artbook.music.encoding import END, note_lists
from artbook.music.memories import Memory, Witness

# More neighbours than there are frames: no tie is cut.
ALL = Witness(decay=0.7, exponent=4, neighbours=64, temperature=0.1)
SMALL = Sizes(slots=3, window=2, width=16, dropout=0.1, input_dropout=0.1, copies=ALL, memories=(ALL,))
ALONE = replace(SMALL, copies=None, memories=())


def roll(*frames):
    keys = np.zeros((len(frames), 88), dtype=bool)
    for step, sounding in enumerate(frames):
        keys[step, list(sounding)] = True
    return keys


def low_roll(length, seed=0):
    """Up to three of the six lowest keys in each frame."""
    rng = np.random.default_rng(seed)
    return roll(*(rng.choice(6, rng.integers(4), replace=False) for _ in range(length)))


ROLLS = [low_roll(length, seed) for seed, length in enumerate((9, 12, 7))]


def composer_of(sizes, rolls=ROLLS):
    """One with random weights that are large enough for every part to matter."""
    memory = Memory.of(rolls) if sizes.memories else None
    network = build(sizes, 0)
    listing_cost(network, read(rolls[:1], sizes, memory))
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, 0.4, weight.shape) for weight in network.get_weights()])
    return Composer(network, memory, sum(map(len, rolls)))


def trained(seed, batches=20):
    memory = Memory.of(ROLLS)
    features = read(ROLLS, SMALL, memory, range(3))
    network = build(SMALL, seed)
    costs = train(network, features, np.ones(len(features), "f4"), composing.after(batches), seed, size=16, rate=0.01)
    return Composer(network, memory, len(features)), costs


@pytest.fixture(scope="module")
def whole():
    return composer_of(SMALL)


@pytest.fixture(scope="module")
def learned():
    return trained(1)


def test_features_by_hand():
    features = read([roll([3, 1], [], [5]), roll([2])], ALONE)
    assert len(features) == 4
    assert features.lists.tolist() == [[3, 1, END], [END] * 3, [5, END, END], [2, END, END]]
    assert features.before.tolist() == [[END] * 3, [3, 1, END], [END] * 3, [END] * 3]
    assert features.place[:, 0].tolist() == [0, 1, 2, 0]
    sounding = [[frame.nonzero()[0].tolist() for frame in window] for window in features.window]
    assert sounding == [[[], []], [[1, 3], []], [[], [1, 3]], [[], []]]
    assert features.votes.shape == (4, 3, 0, 89)
    assert features.expected.shape == features.trust.shape == (4, 0)


def test_features_have_a_part_for_each_witness():
    features = read(ROLLS, SMALL, Memory.of(ROLLS))
    assert features.votes.shape == (28, 3, 2, 89)
    assert features.agreeing.shape == (28, 3, 2)
    assert features.expected.shape == (28, 2 * 88)
    assert features.trust.shape == (28, 2)


@pytest.mark.parametrize("rolls", [[], [roll()], [np.zeros((2, 88))]])
def test_features_are_read_from_pieces(rolls):
    with pytest.raises(ValueError, match="wanted"):
        read(rolls, ALONE)


def test_a_memory_that_is_missing_is_missed():
    with pytest.raises(ValueError, match="a memory of other pieces was wanted"):
        read(ROLLS, SMALL)
    with pytest.raises(ValueError, match="shorter"):
        read(ROLLS, SMALL, Memory.of(ROLLS), [0, 1])


@pytest.mark.parametrize("sizes", [SMALL, replace(ALONE, placed=False)])
def test_the_probabilities_of_all_frames_sum_to_one(sizes):
    composer = composer_of(sizes)
    bias = np.where(np.arange(89) < 6, 0, -1e9)
    bias[END] = 0
    composer.network.note.bias.assign(bias)  # only the six lowest keys can sound
    frames = [list(keys) for size in range(7) for keys in itertools.combinations(range(6), size)]
    past = low_roll(4, 9)
    costs = composer.cost([np.concatenate([past, roll(frame)]) for frame in frames]).reshape(64, 5)
    assert np.exp(-costs[:, -1]).sum() == pytest.approx(1, abs=1e-5)
    assert np.ptp(np.exp(-costs[:, -1])) > 1e-3
    # What came before costs the same, whatever follows.
    np.testing.assert_allclose(costs[:, :-1], np.tile(costs[:1, :-1], (64, 1)), rtol=1e-5, atol=1e-6)


def test_each_note_is_drawn_from_those_below_the_last_one(whole):
    features = read(ROLLS, SMALL, whole.memory)
    network = whole.network
    last = np.tile(np.int32([89, 5, 0]), (28, 1))  # nothing yet, key 5, key 0
    state = network.state(features.window, features.place, features.expected, features.trust)[:, None]
    slots = np.arange(3)
    logits = network.logits(
        state, network.written(last), last, features.before, slots, features.votes, features.agreeing
    )
    shares = np.asarray(composing.ops.convert_to_numpy(composing.ops.softmax(logits)))
    assert shares.shape == (28, 3, 89)
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-5)
    assert (shares[:, 0] > 0).all()
    assert not shares[:, 1, 5:END].any()
    assert (shares[:, 1, [0, 1, 2, 3, 4, END]] > 0).all()
    np.testing.assert_allclose(shares[:, 2, END], 1)


def test_no_cost_knows_what_comes_later(whole):
    piece, other = low_roll(12, 5), low_roll(12, 6)
    costs = whole.cost([np.concatenate([piece[:kept], other[kept:]]) for kept in range(13)]).reshape(13, 12)
    for kept in range(13):
        np.testing.assert_allclose(costs[kept, :kept], costs[12, :kept], rtol=1e-5, atol=1e-6)
    assert abs(costs[1, 5:] - costs[0, 5:]).max() > 1e-3


def test_pieces_are_scored_each_for_itself(whole):
    alone = np.concatenate([whole.cost([piece]) for piece in ROLLS[:2]])
    np.testing.assert_allclose(whole.cost(ROLLS[:2]), alone, rtol=1e-5, atol=1e-6)
    shorter = whole.cost([ROLLS[1][:5]])
    np.testing.assert_allclose(shorter, alone[len(ROLLS[0]) :][:5], rtol=1e-5, atol=1e-6)


def test_many_frames_are_scored_in_blocks(whole):
    piece = np.tile(ROLLS[0], (4, 1))
    costs = whole.cost([piece] * 40).reshape(40, -1)  # 1440 frames
    np.testing.assert_allclose(costs, np.tile(costs[:1], (40, 1)), rtol=1e-5, atol=1e-6)


def test_more_notes_than_slots_cost_more_but_not_everything(whole):
    costs = whole.cost([roll([0, 1, 2], range(88), [80])])
    assert np.isfinite(costs).all()
    listed = listing_cost(whole.network, read([roll([0, 1, 2], range(88), [80])], SMALL, whole.memory))
    assert costs[1] > listed[1]
    assert costs[2] == pytest.approx(listed[2])


@pytest.mark.parametrize("rolls", [[], [roll()], [np.zeros((2, 88))]])
def test_costs_are_those_of_pieces(whole, rolls):
    with pytest.raises(ValueError, match="wanted"):
        whole.cost(rolls)


def test_training_lowers_the_cost(learned):
    composer, costs = learned
    features = read(ROLLS, SMALL, composer.memory, range(3))
    assert costs.shape == (20,)
    untrained = build(SMALL, 1)
    assert listing_cost(composer.network, features).mean() < listing_cost(untrained, features).mean() - 1
    assert costs[-1] < costs[0]


def test_the_same_seed_gives_the_same_composer(learned):
    again, costs = trained(1)
    np.testing.assert_allclose(costs, learned[1], rtol=1e-3)
    np.testing.assert_allclose(again.cost(ROLLS), learned[0].cost(ROLLS), rtol=1e-2)


def test_frames_that_count_nothing_teach_nothing():
    sounding, silent = roll(*[[5]] * 8), roll(*[[]] * 8)
    features = read([sounding, silent], ALONE)
    network = build(ALONE, 0)
    train(network, features, np.repeat([0, 1], 8).astype("f4"), composing.after(15), 0, size=16, rate=0.05)
    costs = listing_cost(network, features)
    assert costs[8:].mean() < 0.1 < 3 < costs[:8].mean()


def test_training_by_the_clock_ends():
    progress = composing.by_cpu(0.05)
    assert progress(0) < 1
    start = time.process_time()
    while progress(0) < 1:
        assert time.process_time() - start < 1
    assert progress(0) >= 1


def test_training_without_time_leaves_the_network_as_it_is():
    features = read(ROLLS, ALONE)
    costs = train(build(ALONE, 0), features, np.ones(len(features), "f4"), lambda done: 1.0, 0)
    assert costs.shape == (0,)


def test_copies_count_less_and_know_whose_they_are():
    rolls, owners, weights = with_copies([ROLLS[0], ROLLS[1]], [roll([1]), roll([2]), roll([3], [4]), roll([5])], 0.25)
    assert [len(piece) for piece in rolls] == [9, 12, 1, 1, 2, 1]
    assert owners == [0, 1, 0, 1, 0, 1]
    assert weights.tolist() == [1] * 21 + [0.25] * 5
    assert with_copies(ROLLS, [])[1] == [0, 1, 2]
    with pytest.raises(ValueError, match="a copy of each of the 3 pieces was wanted; 2 were given"):
        with_copies(ROLLS, ROLLS[:2])
    with pytest.raises(ValueError, match="a copy of each of the 0 pieces was wanted; 0 were given"):
        with_copies([], [])


@pytest.mark.parametrize("batches", [0, -1, 2.5])
def test_a_training_without_batches_is_refused(batches):
    with pytest.raises(ValueError, match="at least 1 batch was wanted"):
        composing.after(batches)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_training_without_an_end_or_a_beginning_is_refused(seconds):
    with pytest.raises(ValueError, match="a time above 0 seconds was wanted"):
        composing.by_cpu(seconds)


def test_a_composer_is_saved_and_loaded(whole, tmp_path):
    whole.save(tmp_path / "new" / "folder")
    again = load(tmp_path / "new" / "folder")
    assert again.network.sizes == SMALL
    assert again.seen == 28
    np.testing.assert_allclose(again.cost([low_roll(8, 7)]), whole.cost([low_roll(8, 7)]), rtol=1e-6)


@pytest.fixture(scope="module")
def saved(whole, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    whole.save(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def numpy_file(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def numpy_archive(saved, **others):
    content = io.BytesIO()
    np.savez(content, **dict(np.load(io.BytesIO(saved["arrays.npz"]))) | others)
    return content.getvalue()


def changed(saved, **sizes):
    described = json.loads(saved["composer.json"])
    return json.dumps(described | {"sizes": described["sizes"] | sizes}).encode()


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("composer.json", lambda saved: saved["composer.json"][:-5]),
        ("composer.json", lambda saved: b""),
        ("composer.json", lambda saved: b"\xff\xfe"),
        ("composer.json", lambda saved: b"[]"),
        ("composer.json", lambda saved: b'{"sizes": 3, "seen": 1}'),
        ("composer.json", lambda saved: changed(saved, colour=3)),
        ("composer.json", lambda saved: changed(saved, width=8)),
        ("composer.json", lambda saved: changed(saved, copies={"decay": 2})),
        ("arrays.npz", lambda saved: b""),
        ("arrays.npz", lambda saved: numpy_file(np.zeros(3))),
        ("arrays.npz", lambda saved: numpy_archive(saved, owners=np.zeros(40, int))),
        ("arrays.npz", lambda saved: numpy_archive(saved, frames=np.zeros((28, 87), bool))),
        ("arrays.npz", lambda saved: b"nothing of the kind"),
        ("arrays.npz", lambda saved: saved["arrays.npz"][:-30]),
        ("arrays.npz", lambda saved: saved["arrays.npz"][:500] + bytes(50) + saved["arrays.npz"][550:]),
    ],
)
def test_a_damaged_folder_is_refused(saved, tmp_path, name, damage):
    for each, content in saved.items():
        (tmp_path / each).write_bytes(damage(saved) if each == name else content)
    with pytest.raises(ValueError):
        load(tmp_path)


@pytest.mark.parametrize("name", ["composer.json", "arrays.npz"])
def test_a_folder_that_lacks_a_file_is_refused(saved, tmp_path, name):
    for each in set(saved) - {name}:
        (tmp_path / each).write_bytes(saved[each])
    with pytest.raises(OSError, match=name):
        load(tmp_path)


def test_a_composer_is_not_saved_into_a_file(whole, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        whole.save(tmp_path / "file")


def test_a_batch_has_every_feature(whole):
    features = read(ROLLS, SMALL, whole.memory)
    batch = features.batch(np.array([4, 2]))
    assert len(batch) == len(fields(features))
    np.testing.assert_array_equal(batch[-1], note_lists(ROLLS[0][[4, 2]], 3))


ON_THE_OTHER = """
import sys
from pathlib import Path
import keras
import numpy as np
from artbook.music.composer import load
from test_composer import low_roll, trained
costs = load(Path(sys.argv[1])).cost([low_roll(8, 7)])
_, falling = trained(1, 10)
assert np.isfinite(falling).all() and falling[-1] < falling[0]
print(keras.backend.backend(), *costs)
"""


def test_both_backends_train_and_agree_on_a_composer(whole, tmp_path):
    other = {"tensorflow": "jax", "jax": "tensorflow"}[keras.backend.backend()]
    pytest.importorskip(other, reason="jax is an extra of the package")
    whole.save(tmp_path)
    command = [sys.executable, "-c", ON_THE_OTHER, str(tmp_path)]
    environment = os.environ | {"KERAS_BACKEND": other, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told, *costs = done.stdout.split()
    assert told == other
    np.testing.assert_allclose([float(cost) for cost in costs], whole.cost([low_roll(8, 7)]), rtol=1e-4)
