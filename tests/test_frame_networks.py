import keras
import numpy as np
import pytest

from artbook.music import frame_networks
from artbook.music.likelihood import negative_log_likelihood

MEMORIES = frame_networks.MEMORIES


def roll_of(length, seed=0):
    return np.random.default_rng(seed).random((length, 88)) < 0.05


def small_network(memory, **options):
    keras.utils.set_random_seed(1)
    return frame_networks.frame_network(memory, width=8, **options)


def logits_of(network, previous):
    return keras.ops.convert_to_numpy(network(previous, training=False))


@pytest.mark.parametrize("memory", MEMORIES)
def test_no_frame_sees_what_comes_later(memory):
    network = small_network(memory, depth=2)
    previous = np.stack([roll_of(20), roll_of(20, seed=1)]).astype("float32")
    changed = previous.copy()
    changed[:, 12:] = 1 - changed[:, 12:]
    before, after = logits_of(network, previous), logits_of(network, changed)
    assert before.shape == (2, 20, 88)
    np.testing.assert_allclose(after[:, :12], before[:, :12], atol=1e-5)
    assert (np.abs(after[:, 12] - before[:, 12]).max(axis=-1) > 1e-4).all()


@pytest.mark.parametrize("memory", MEMORIES)
def test_a_memory_reaches_back(memory):
    network = small_network(memory, depth=2)
    previous = roll_of(6)[np.newaxis].astype("float32")
    changed = previous.copy()
    changed[0, 0] = 1 - changed[0, 0]
    moved = np.abs(logits_of(network, changed) - logits_of(network, previous)).max(axis=-1)[0]
    assert (moved > 1e-6).all()


def test_the_first_frame_follows_silence():
    [batch] = frame_networks.padded_batches([roll_of(5)], size=1)
    assert not batch.previous[0, 0].any()
    np.testing.assert_array_equal(batch.previous[0, 1:5], batch.frames[0, :4])
    np.testing.assert_array_equal(batch.frames[0, :5], roll_of(5))


def test_batches_have_few_shapes_and_hold_each_piece_once():
    rolls = [roll_of(length, length) for length in (3, 64, 65, 128, 10, 100)]
    batches = list(frame_networks.padded_batches(rolls, 2, np.random.default_rng(0)))
    assert {batch.frames.shape for batch in batches} == {(2, 64, 88), (2, 128, 88)}
    assert sorted(np.concatenate([batch.pieces for batch in batches])) == list(range(6))
    for batch in batches:
        lengths = [len(rolls[piece]) for piece in batch.pieces]
        assert batch.mask.sum(axis=1).tolist() == lengths + [0] * (2 - len(lengths))
        for row, piece in enumerate(batch.pieces):
            np.testing.assert_array_equal(batch.frames[row, : lengths[row]], rolls[piece])


def test_masked_frames_cost_nothing():
    rng = np.random.default_rng(0)
    frames, logits = np.stack([roll_of(4), roll_of(4, 1)]), rng.normal(size=(2, 4, 88)).astype("float32")
    mask = np.array([[1, 1, 1, 0], [1, 0, 0, 0]], "float32")
    loss = frame_networks.KeyCrossEntropy()
    cost = float(loss(frames.astype("float32"), logits, mask))
    told = np.concatenate([negative_log_likelihood(logits[0, :3], frames[0, :3]), [0]])
    told[3] = negative_log_likelihood(logits[1, :1], frames[1, :1])[0]
    assert cost == pytest.approx(told.mean(), rel=1e-5)
    logits[mask == 0] = 1e3
    assert float(loss(frames.astype("float32"), logits, mask)) == pytest.approx(cost, rel=1e-5)


@pytest.mark.parametrize("memory", MEMORIES)
def test_padding_and_company_do_not_change_a_cost(memory):
    network = small_network(memory)
    rolls = [roll_of(5), roll_of(70, 1), roll_of(9, 2)]
    together = frame_networks.frame_costs(network, rolls, size=2)
    assert [len(costs) for costs in together] == [5, 70, 9]
    for roll, costs in zip(rolls, together, strict=True):
        previous = np.concatenate([np.zeros((1, 88)), roll[:-1]]).astype("float32")
        alone = negative_log_likelihood(logits_of(network, previous[np.newaxis])[0], roll)
        np.testing.assert_allclose(costs, alone, rtol=1e-4)


def test_the_first_frames_may_be_left_out():
    costs = [np.array([9.0, 1.0, 2.0]), np.array([9.0, 6.0])]
    assert frame_networks.nats_per_frame(costs) == pytest.approx(27 / 5)
    assert frame_networks.nats_per_frame(costs, score_first=False) == pytest.approx(3)


@pytest.mark.parametrize("memory", MEMORIES)
def test_training_learns_and_keeps_the_best(memory):
    network = small_network(memory, dropout=0.0)
    chord = np.zeros((12, 88), bool)
    chord[:, [20, 30]] = True
    before = frame_networks.nats_per_frame(frame_networks.frame_costs(network, [chord], 2))
    history = frame_networks.train(network, [chord] * 4, [chord], epochs=16, learning_rate=0.05, size=2)
    after = frame_networks.nats_per_frame(frame_networks.frame_costs(network, [chord], 2))
    assert len(history) == 16
    assert after == pytest.approx(min(history), abs=1e-4)
    assert after < before / 2


def test_a_network_can_be_saved(tmp_path):
    network = small_network("attention")
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    previous = roll_of(6)[np.newaxis].astype("float32")
    np.testing.assert_allclose(logits_of(again, previous), logits_of(network, previous), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"memory": "gru"}, "memory among rnn, lstm, tcn, attention"),
        ({"memory": "lstm", "width": 0}, "width and depth from 1"),
        ({"memory": "attention", "width": 6}, "a width that 4 divides"),
        ({"memory": "tcn", "depth": 1.5}, "width and depth from 1"),
        ({"memory": "rnn", "dropout": 1}, "dropout from 0 to below 1"),
    ],
)
def test_a_network_refuses_what_it_cannot_be(arguments, told):
    with pytest.raises(ValueError, match=told):
        frame_networks.frame_network(**arguments)


def test_training_and_batches_refuse_bad_input():
    network = small_network("rnn")
    with pytest.raises(ValueError, match="at least 1 epoch"):
        frame_networks.train(network, [roll_of(4)], [roll_of(4)], epochs=0)
    with pytest.raises(ValueError, match="at least one piece"):
        frame_networks.frame_costs(network, [])
    with pytest.raises(ValueError, match="size of at least 1"):
        next(frame_networks.padded_batches([roll_of(4)], 0))
    with pytest.raises(ValueError, match="at least one frame"):
        next(frame_networks.padded_batches([roll_of(0)], 1))
