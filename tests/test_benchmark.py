import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artbook.music import benchmark

PITCHES = st.lists(st.integers(21, 108), max_size=5)
PIECES = st.lists(st.lists(PITCHES, min_size=1, max_size=4), min_size=1, max_size=3)

DATA = {
    "train": [[[60, 64, 67], [], [67, 60]], [[60], [62], [64], [60]]] * 4,
    "valid": [[[60], [62]]],
    # More notes than in any training frame, and the two ends of the keyboard.
    "test": [[[60, 62, 64, 65, 67, 69, 71], [21, 108]], [[]]],
}


def with_value(*path_and_value):
    """The data with one thing in another's place."""
    *path, last, value = path_and_value
    data = copy.deepcopy(DATA)
    inner = data
    for step in path:
        inner = inner[step]
    inner[last] = value
    return data


def test_rolls_by_hand():
    rolls = benchmark.to_rolls(DATA)
    assert {part: [len(roll) for roll in pieces] for part, pieces in rolls.items()} == {
        "train": [3, 4] * 4,
        "valid": [2],
        "test": [2, 1],
    }
    assert [frame.nonzero()[0].tolist() for frame in rolls["train"][0]] == [[39, 43, 46], [], [39, 46]]
    assert rolls["test"][0][1].nonzero()[0].tolist() == [0, 87]


@given(st.fixed_dictionaries({"train": PIECES, "valid": PIECES, "test": PIECES}))
def test_a_data_set_comes_back_from_its_rolls(data):
    rolls = benchmark.to_rolls(data)
    again = json.loads(json.dumps(benchmark.to_dataset(rolls)))
    assert again == {part: [[sorted(set(f)) for f in piece] for piece in pieces] for part, pieces in data.items()}
    for part, pieces in benchmark.to_rolls(again).items():
        for told, expected in zip(pieces, rolls[part], strict=True):
            np.testing.assert_array_equal(told, expected)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([], "a data set with train, valid, test was wanted; list was given"),
        (None, "NoneType was given"),
        ({"train": [], "test": []}, "was wanted; train, test was given"),
        (with_value("valid", []), "valid: at least one piece was wanted"),
        (with_value("test", None), "test: at least one piece was wanted"),
        (with_value("train", 1, []), "train, piece 1: at least one frame was wanted"),
        (with_value("train", 1, 60), "train, piece 1: at least one frame was wanted"),
        (with_value("train", 1, 2, 60), "train, piece 1, frame 2: a list of pitches was wanted; 60 was given"),
        (with_value("train", 1, 2, None), "train, piece 1, frame 2: a list of pitches was wanted; None"),
        (with_value("train", 1, 2, ""), "train, piece 1, frame 2: a list of pitches was wanted; '' was given"),
        *(
            (with_value("test", 0, 1, [60, wrong]), f"test, piece 0, frame 1: a pitch from 21 to 108 .*; {wrong!r} was")
            for wrong in (20, 109, -1, True, "60", 60.0, None, [60], float("nan"), 10**30)
        ),
    ],
)
def test_what_is_no_data_set_is_refused_by_name(data, told):
    with pytest.raises(ValueError, match=told.replace("[", r"\[")):
        benchmark.to_rolls(data)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_training_wants_time(seconds):
    with pytest.raises(ValueError, match="a time above 0 seconds was wanted"):
        benchmark.fit(benchmark.to_rolls(DATA), seconds, 0)


def last_line(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize("seconds", ["0.001", "5"])
def test_a_model_is_trained_saved_and_scored_again(seconds, tmp_path, capsys):
    """So few frames make no memory, and the shorter time no training."""
    (tmp_path / "data.json").write_text(json.dumps(DATA))
    dataset = ["--dataset", str(tmp_path / "data.json")]
    benchmark.main([*dataset, "--cpu-seconds", seconds, "--seed", "3", "--save", str(tmp_path / "new" / "model")])
    told = last_line(capsys)
    assert told["frames"] == {"train": 28, "valid": 2, "test": 3}
    assert told["seed"] == 3
    assert told["parameters"] > 1000
    assert 0 < told["cpu_seconds"] < 20
    costs = told["nats_per_frame"]
    assert set(costs) == {"train", "valid", "test"}
    assert np.isfinite(list(costs.values())).all()
    benchmark.main([*dataset, "--evaluate", str(tmp_path / "new" / "model")])
    again = last_line(capsys)
    assert "cpu_seconds" not in again
    assert again["frames"] == told["frames"]
    assert again["parameters"] == told["parameters"]
    assert again["nats_per_frame"] == pytest.approx(costs, rel=1e-5)


def test_enough_frames_make_a_memory():
    rng = np.random.default_rng(0)
    piece = [sorted(rng.choice(np.arange(60, 72), 2, replace=False).tolist()) for _ in range(60)]
    data = {"train": [piece] * 9, "valid": [piece[:20]], "test": [piece]}
    composer = benchmark.fit(benchmark.to_rolls(data), 0.001, 0)
    assert composer.memory is None  # there was no time to compare with it
    composer = benchmark.fit(benchmark.to_rolls(data | {"train": [piece * 9]}), 0.2, 0)
    assert composer.memory is None  # a single piece has no other to remember
    composer = benchmark.fit(benchmark.to_rolls(data), 0.2, 0)
    assert len(composer.memory.frames) == 540
    assert sorted(set(composer.memory.owners.tolist())) == list(range(9))


@pytest.mark.parametrize(
    ("content", "options", "told"),
    [
        (None, [], "No such file"),
        ("not JSON", [], "Expecting value"),
        ("{}", [], "a data set with train, valid, test was wanted"),
        (json.dumps(DATA), ["--cpu-seconds", "0"], "a time above 0 seconds"),
        (json.dumps(DATA), ["--evaluate", "{}/nowhere"], "No such file"),
        (json.dumps(DATA), ["--save", "{}/data.json"], "File exists"),
    ],
)
def test_what_goes_wrong_is_told_in_one_line(content, options, told, tmp_path):
    if content is not None:
        (tmp_path / "data.json").write_text(content)
    options = [option.format(tmp_path) for option in options]
    with pytest.raises(SystemExit, match=told) as stopped:
        benchmark.main(["--dataset", str(tmp_path / "data.json"), *options])
    assert stopped.value.code.startswith("benchmark: ")
    assert "\n" not in stopped.value.code
