"""The training of language models and the command that does it on any text."""

import json

import numpy as np
import pytest

from artbook.nn.transformer import language_model
from artbook.words import benchmark, training
from artbook.words.training import by_cpu, by_steps, learning_rate, random_rows


def test_steps_are_counted():
    progress = by_steps(4)
    assert [progress() for _ in range(5)] == [0, 0.25, 0.5, 0.75, 1]
    with pytest.raises(ValueError, match="one step"):
        by_steps(0)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_no_time_is_refused(seconds):
    with pytest.raises(ValueError, match="above 0"):
        by_cpu(seconds)


def test_time_is_counted_after_the_first_step(monkeypatch):
    clock = iter([0.0, 1.0, 4.0, 5.0, 7.0, 10.0])
    monkeypatch.setattr(training.time, "process_time", lambda: next(clock))
    progress = by_cpu(10)
    assert [progress() for _ in range(5)] == [0, 0, 1 / 6, 0.5, 1]


def test_a_first_step_that_takes_all_the_time_is_the_last(monkeypatch):
    clock = iter([0.0, 0.0, 30.0])
    monkeypatch.setattr(training.time, "process_time", lambda: next(clock))
    progress = by_cpu(10)
    assert [progress(), progress()] == [0, 1]


def test_every_row_comes_once_before_any_comes_again():
    batches = random_rows(np.arange(12)[:, None], 4, 0)
    first = [next(batches) for _ in range(3)]
    assert sorted(np.concatenate(first)[:, 0]) == list(range(12))
    assert next(random_rows(np.arange(5)[:, None], 3, 1)).shape == (3, 1)
    with pytest.raises(ValueError, match="batch from 1 to the 2 rows"):
        random_rows(np.zeros((2, 3), dtype=int), 3, 0)


def test_the_learning_rate_grows_and_falls():
    rates = [learning_rate(share, 1.0) for share in (0, 0.025, 0.05, 0.5, 1, 2)]
    assert rates[0] == pytest.approx(0.1) and rates[2] == pytest.approx(1)
    assert rates[1] < rates[2] > rates[3] > rates[4] == rates[5] == pytest.approx(0.01)


def test_training_learns_an_alternation_and_costs_agree_with_keras():
    model = language_model(3, 8, 16, 1, 2)
    rows = np.resize([0, 1, 2], (8, 9)).astype(np.int32)
    before = training.costs(model, rows)
    losses = training.train(model, random_rows(rows, 4, 0), by_steps(30), peak=2e-2)
    assert before.shape == (8, 8) and len(losses) == 30
    after = training.costs(model, rows)
    assert after[:, 1:].mean() < 0.5 * before.mean()
    logits = np.asarray(model(rows[:, :-1]))
    logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    assert np.allclose(after, -np.take_along_axis(logs, rows[:, 1:, None], axis=-1)[..., 0], atol=1e-4)
    with pytest.raises(ValueError, match="one row"):
        training.costs(model, rows[:0])


# The command


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "characters were wanted; 0 were given"),
        (b"a", "characters were wanted; 1 were given"),
        (b"a short text", "characters were wanted; 12 were given"),
        (b"x" * 5000, "all are 'x'"),
        (b"\xff\xfe\x00a" * 500, "byte 0 is 0xff"),
        ("Größe".encode("latin-1") * 500, "UTF-8 was wanted; byte 2"),
        (b"\x7fELF\x02\x01\x01\x00" * 500, "control characters"),
    ],
)
def test_what_is_no_text_is_refused(content, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        benchmark.to_text(content)
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(SystemExit, match="benchmark: "):
        benchmark.main(["--text", str(path)])


def test_any_script_is_a_text():
    assert benchmark.to_text("\ufeff春眠\r\n不覺曉".encode() * 200).startswith("春眠\n")


@pytest.mark.parametrize("seconds", ["0", "-3", "nan"])
def test_no_time_ends_the_command(seconds, tmp_path):
    path = tmp_path / "text"
    path.write_text("to be or not " * 100, encoding="utf-8")
    with pytest.raises(SystemExit, match="CPU-seconds above 0"):
        benchmark.main(["--text", str(path), "--cpu-seconds", seconds])


def test_a_missing_file_ends_the_command(tmp_path):
    with pytest.raises(SystemExit, match="none"):
        benchmark.main(["--text", str(tmp_path / "none")])


def test_the_last_line_is_json(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "WIDTH", 8)
    monkeypatch.setattr(benchmark, "DEPTH", 1)
    path = tmp_path / "text"
    path.write_text("to be or not to be, that is the question. " * 100, encoding="utf-8")
    benchmark.main(["--text", str(path), "--cpu-seconds", "0.5", "--seed", "1"])
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["steps"] >= 1 and told["characters"] == 4200 and told["seed"] == 1
    assert 0 < told["held_out_nats_per_character"] < np.log(told["vocabulary"]) + 0.5
    assert told["tokens_per_cpu_second"] >= 0
    assert told["held_out_characters"] == 6 * 64


def test_of_a_long_text_a_part_is_judged_and_what_is_new_in_it_costs_more(monkeypatch):
    for name, value in (("WIDTH", 8), ("DEPTH", 1), ("_JUDGED", 130)):
        monkeypatch.setattr(benchmark, name, value)
    told = benchmark.run("to be or not " * 400 + "\N{SNOWMAN}" * 400, 0.1, 0)
    assert told["held_out_characters"] == 128 and told["vocabulary"] == 8
    assert np.isfinite(told["held_out_nats_per_character"])
