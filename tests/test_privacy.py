"""How attacks on a model are scored, what noise promises, and Flower in one process."""

import os
import socket
from importlib import import_module
from importlib.util import find_spec

import dp_accounting
import numpy as np
import pytest
from scipy import integrate, stats

from artbook.data import chorales, tunes
from artbook.market import federated, privacy
from artbook.music import next_note


def scores(seed=0, ties=False):
    rng = np.random.default_rng(seed)
    members, others = rng.normal(1, 1, 40), rng.normal(0, 1, 60)
    return (members.round(), others.round()) if ties else (members, others)


@pytest.mark.parametrize("ties", [False, True])
def test_roc_is_counted_threshold_by_threshold(ties):
    members, others = scores(ties=ties)
    levels = sorted({*members, *others}, reverse=True)
    false = [0, *(np.mean(others >= level) for level in levels)]
    true = [0, *(np.mean(members >= level) for level in levels)]
    np.testing.assert_allclose(privacy.curve(members, others), (false, true))
    assert privacy.area(members, others) == pytest.approx(np.trapezoid(true, false))
    assert privacy.caught(members, others, 0.1) == max(t for f, t in zip(false, true, strict=True) if f <= 0.1)


def test_caught_accuses_no_more_than_it_may():
    assert privacy.caught([3, 2, 1], [2.5, 0, 0, 0], 0) == pytest.approx(1 / 3)
    assert privacy.caught([3, 2, 1], [2.5, 0, 0, 0], 0.25) == 1


@pytest.mark.parametrize("epsilon, noise", [(0.0, 1.0), (1.0, 1.0), (3.0, 0.5), (0.2, 10.0)])
def test_delta_of_a_gaussian_is_its_integral(epsilon, noise):
    def excess(x):
        return max(0.0, stats.norm.pdf(x, 1, noise) - np.exp(epsilon) * stats.norm.pdf(x, 0, noise))

    expected, _ = integrate.quad(excess, -12 * noise, 12 * noise, limit=500, points=[0.5 + epsilon * noise**2])
    assert privacy.gaussian_delta(epsilon, noise) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("noise, steps", [(12.0, 60), (2.0, 1), (8.0, 10)])
def test_accountants_bound_the_closed_form(noise, steps):
    exact = privacy.gaussian_epsilon(1e-5, noise / np.sqrt(steps))
    assert privacy.gaussian_delta(exact, noise / np.sqrt(steps)) == pytest.approx(1e-5)
    assert privacy.spent(noise, 1.0, steps, 1e-5, "pld") == pytest.approx(exact, rel=1e-3)
    assert exact < privacy.spent(noise, 1.0, steps, 1e-5) < 1.25 * exact


def test_sampling_makes_it_cheaper_and_the_tighter_account_is_tighter():
    whole, sampled = (privacy.spent(4.0, share, 50, 1e-5) for share in (1.0, 0.25))
    assert privacy.spent(4.0, 0.25, 50, 1e-5, "pld") < sampled < whole


def test_noise_is_the_least_that_does():
    noise = privacy.noise_for(2.0, 1.0, 20, 1e-5)
    assert privacy.spent(noise, 1.0, 20, 1e-5) <= 2.0 < privacy.spent(0.998 * noise, 1.0, 20, 1e-5)


def test_no_noise_needs_an_epsilon_where_delta_is_enough():
    assert privacy.gaussian_epsilon(0.5, 10.0) == 0.0


def test_promise_holds_both_ways():
    rates = np.linspace(0, 1, 11)
    most = privacy.promise(rates, 1.0, 0.01)
    assert most[0] == pytest.approx(0.01) and most[-1] == 1
    # The complement is an attack as well: its rates obey the same bound.
    assert ((1 - rates) <= np.e * (1 - most) + 0.01 + 1e-12).all()
    # The best test of one Gaussian mechanism, the likelihood ratio, obeys the promise and comes near it somewhere.
    false = np.linspace(1e-4, 1 - 1e-4, 2001)
    true = stats.norm.sf(stats.norm.isf(false) - 1)
    gap = privacy.promise(false, 1.0, privacy.gaussian_delta(1.0, 1.0)) - true
    assert gap.min() > -1e-9 and gap.min() < 1e-4


@pytest.mark.parametrize("right, guesses", [(10, 10), (75, 100), (60, 64)])
def test_what_guesses_prove_is_the_logit_of_the_exact_interval(right, guesses):
    # Clopper and Pearson's lower end for the chance of a right guess.
    least = stats.beta.ppf(0.05, right, guesses - right + 1)
    assert privacy.proved(right, guesses, guesses, 0.0) == pytest.approx(np.log(least / (1 - least)), abs=1e-5)


def test_what_guesses_prove_is_as_in_the_paper():
    # Steinke, Nasr and Jagielski (2023), appendix D and section 7.
    assert privacy.proved(75, 100, 1000, 1e-4) == pytest.approx(0.673, abs=1e-3)
    assert privacy.proved(1439, 1510, 100_000, 1e-5) == pytest.approx(2.675, abs=1e-3)


def test_no_luck_proves_nothing():
    assert privacy.proved(50, 100, 100, 0.0) == privacy.proved(0, 100, 100, 1e-5) == 0
    assert privacy.proved(9, 10, 10, 0.0) < privacy.proved(10, 10, 10, 0.0) < privacy.proved(10, 10, 10, 0.0, 0.1)


def test_randomised_response_passes_its_own_audit():
    # Each canary's bit is told rightly with the chance that ε = 1 allows: proved is more than 1 once in twenty times.
    right = np.random.default_rng(0).binomial(200, 1 / (1 + np.exp(-1.0)), size=400)
    shares = np.mean([privacy.proved(int(each), 200, 200, 0.0) > 1 for each in right])
    assert shares <= 0.07


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: privacy.curve([], [1]), "members: finite scores"),
        (lambda: privacy.area([1], [np.nan]), "others: finite scores"),
        (lambda: privacy.caught([1], [0], 2), "a share from 0 to 1"),
        (lambda: privacy.promise([2], 1, 0), "rates and δ"),
        (lambda: privacy.gaussian_delta(-1, 1), "an ε from 0"),
        (lambda: privacy.gaussian_epsilon(0, 1), "a δ above 0"),
        (lambda: privacy.spent(1, 0, 1, 1e-5), "out of range"),
        (lambda: privacy.spent(1, 1, 1, 1e-5, "moments"), "an accountant of rdp, pld"),
        (lambda: privacy.noise_for(0, 1, 1, 1e-5), "an ε above 0"),
        (lambda: privacy.noise_for(1e-9, 1, 1000, 1e-9), "an ε that a noise"),
        (lambda: federated.InProcess(federated.ClientApp(), 0), "at least one node"),
        (lambda: privacy.proved(3, 2, 4, 0), "right <= guesses"),
        (lambda: privacy.proved(1, 2, 4, 0, 0), "a level between"),
        (lambda: next_note.of_tune(tunes.load().pieces[0]).passages(0), "a length from 1"),
        (lambda: next_note.before_each(np.zeros((2, 2)), 1, 0), "notes \\(N,\\)"),
        (lambda: next_note.works([]), "lines and numbers from 1"),
    ],
)
def test_refuses_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def federation(nodes=3):
    app, seen = federated.ClientApp(), []

    @app.train()
    def train(message, context):
        number = context.node_config["partition-id"]
        arrays = message.content["arrays"].to_numpy_ndarrays()
        seen.append((number, message.content["config"]["server-round"]))
        arrays[0] += number
        metrics = federated.MetricRecord({"num-examples": number + 1})
        return federated.Message(
            federated.RecordDict({"arrays": federated.ArrayRecord(arrays), "metrics": metrics}), reply_to=message
        )

    @app.evaluate()
    def evaluate(message, context):
        metrics = federated.MetricRecord({"loss": float(context.node_config["partition-id"]), "num-examples": 1})
        return federated.Message(federated.RecordDict({"metrics": metrics}), reply_to=message)

    return federated.InProcess(app, nodes), seen


def test_flower_averages_in_one_process():
    grid, seen = federation()
    server, results = federated.ServerApp(), []

    @server.main()
    def main(given, context):
        first = federated.ArrayRecord([np.zeros(2), np.ones((2, 2))])
        results.append(federated.FedAvg().start(given, first, num_rounds=2))

    federated.run(server, grid)
    arrays = results[0].arrays.to_numpy_ndarrays()
    # Each round adds (1·0 + 2·1 + 3·2) / 6.
    np.testing.assert_allclose(arrays[0], 2 * 8 / 6)
    np.testing.assert_allclose(arrays[1], 1)
    assert results[0].evaluate_metrics_clientapp[2]["loss"] == pytest.approx(1)
    assert sorted(seen) == [(number, turn) for number in range(3) for turn in (1, 2)]
    # Each round sends six arrays of 8 bytes to each node to train and to evaluate, and gets them back once.
    assert grid.sent == 2 * 3 * 3 * 48


def test_flower_keeps_to_itself(monkeypatch):
    def refused(*args):
        raise AssertionError("a connection was wanted")

    newer, older = "flwr.supercore.telemetry", "flwr.common.telemetry"
    telemetry = import_module(newer if find_spec(newer) else older)
    assert os.environ["FLWR_TELEMETRY_ENABLED"] == telemetry.FLWR_TELEMETRY_ENABLED == "0"
    monkeypatch.setattr(socket.socket, "connect", refused)
    grid, seen = federation(2)
    server = federated.ServerApp()

    @server.main()
    def main(given, context):
        federated.FedAvg().start(given, federated.ArrayRecord([np.zeros(1)]), num_rounds=1)

    federated.run(server, grid)
    assert len(seen) == 2


def test_a_node_that_is_not_there():
    grid, _ = federation(2)
    federated._name_the_task()
    message = grid.create_message(federated.RecordDict(), "train", 9, "")
    with pytest.raises(ValueError, match="a node from 1 to 2"):
        grid.push_messages([message])


def test_a_line_has_the_passages_of_its_tune():
    for tune in tunes.load().pieces[:20]:
        assert next_note.of_tune(tune).passages(12) == tune.passages(12)


def test_the_notes_before_each_note():
    assert next_note.before_each(np.array([5, 6, 7]), 2, 0).tolist() == [[0, 0], [0, 5], [5, 6]]
    assert next_note.before_each(np.array([5]), 3, -1).tolist() == [[-1, -1, -1]]


def test_works_show_the_notes_before():
    line = next_note.of_chorale(chorales.load().pieces[0])
    made = next_note.works([line], notes=40, before=3)
    for place in (0, 1, 5, 20):
        blocks = made.inputs[0, place, :-1].reshape(3, -1)
        before = [line.tokens[place - back] if place >= back else 0 for back in (1, 2, 3)]
        assert blocks.argmax(axis=1).tolist() == before and (blocks.sum(axis=1) == 1).all()
        assert made.inputs[0, place, -1] == line.begins_bar[place] and made.targets[0, place] == line.tokens[place]
    assert made.weights.sum() == pytest.approx(1)
    assert len(made[:1]) == 1


def test_the_tonic_is_the_same_note_in_every_key():
    piece = chorales.load().pieces[0]
    here, there = (next_note.of_chorale(each) for each in (piece, piece.transposed(2)))
    assert set((here.tokens - there.tokens).tolist()) <= {0} or set((here.tokens - there.tokens) % 12) == {0}
    tonics = [60 + (7 * fifths % 12 if 7 * fifths % 12 < 7 else 7 * fifths % 12 - 12) for fifths in range(-6, 7)]
    assert min(tonics) == 55 and max(tonics) == 66


def test_dp_accounting_samples_by_poisson():
    assert dp_accounting.PoissonSampledDpEvent(0.5, dp_accounting.GaussianDpEvent(1.0)).sampling_probability == 0.5
