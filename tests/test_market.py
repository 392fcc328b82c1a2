"""Recommendation and forecasts: the audience, factors, rankings, bandits, smoothing, scores."""

from itertools import permutations

import numpy as np
import pytest
from scipy import sparse, stats

from artbook.market import audience, bandits, factors, forecast, ranking


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# The simulated audience


def test_the_appeal_follows_what_the_simulation_says(rng):
    content = rng.normal(size=(400, 5))
    plain = audience.simulate_audience(content, 300, rng, seen_in_content=0, hidden=0, popular=0, base=-2.0)
    assert np.allclose(plain.appeal, 1 / (1 + np.exp(2)))
    liked = audience.simulate_audience(content, 300, rng, seen_in_content=0, hidden=0, popular=1.0, base=0.0)
    assert np.allclose(liked.appeal[0], 1 / (1 + np.exp(-liked.popularity)))
    assert np.corrcoef(liked.popularity, liked.favour)[0, 1] == pytest.approx(0.6, abs=0.1)
    assert liked.answers(rng).mean() == pytest.approx(liked.appeal.mean(), abs=0.01)


def test_likes_fall_with_the_place_as_looks_do(rng):
    crowd = audience.simulate_audience(np.ones((10, 1)), 20000, rng, seen_in_content=0, hidden=0, popular=0, base=0.0)
    looked = audience.looks(4, 1.0)
    assert np.allclose(looked, [1, 1 / 2, 1 / 3, 1 / 4])
    page = audience.visit(crowd, np.tile([3, 1, 4, 5], (20000, 1)), looked, 7, rng)
    share = np.bincount(page.place[page.liked], minlength=4) / 20000
    assert np.allclose(share, looked / 2, atol=0.015)
    assert set(page.day.tolist()) == {7} and page.work[:4].tolist() == [3, 1, 4, 5]
    both = page.where(page.place == 0).and_then(page.where(page.place == 3))
    assert len(both.visitor) == len(both.liked) == 40000 and set(both.work.tolist()) == {3, 5}


def test_the_house_hangs_its_favourites_first_and_leaves_the_store_alone(rng):
    favour = np.array([0, 3, -np.inf, 1, 2.0])
    walls = audience.house_walls(favour, 50, 3, rng)
    assert walls.shape == (50, 3) and 2 not in walls
    assert (np.diff(favour[walls], axis=1) <= 0).all()
    assert all(len(set(wall)) == 3 for wall in walls.tolist())


@pytest.mark.parametrize(
    "call",
    [
        lambda r: audience.simulate_audience([1.0, 2.0], 3, r),
        lambda r: audience.simulate_audience([[np.nan]], 3, r),
        lambda r: audience.simulate_audience([[1.0]], 0, r),
        lambda r: audience.looks(0),
        lambda r: audience.looks(3, -1),
        lambda r: audience.house_walls([1.0, -np.inf], 3, 2, r),
        lambda r: audience.visit(audience.simulate_audience(np.eye(3), 2, r), [[0, 1]], np.ones(2), 0, r),
        lambda r: audience.visit(audience.simulate_audience(np.eye(3), 2, r), [[0, 3], [0, 1]], np.ones(2), 0, r),
        lambda r: audience.visit(audience.simulate_audience(np.eye(3), 2, r), [[0, 1.5]] * 2, np.ones(2), 0, r),
    ],
)
def test_an_absurd_audience_is_refused(rng, call):
    with pytest.raises(ValueError, match="wanted"):
        call(rng)


# Factors


def test_each_row_solves_its_own_weighted_regression(rng):
    weights = sparse.random_array((6, 9), density=0.4, rng=rng, format="csr")
    fixed, penalty = rng.normal(size=(9, 3)), 0.7
    found = factors.weighted_rows(weights, fixed, penalty)
    for row, weight in zip(found, weights.toarray(), strict=True):
        left = np.r_[np.sqrt(1 + weight)[:, np.newaxis] * fixed, np.sqrt(penalty) * np.eye(3)]
        right = np.r_[np.sqrt(1 + weight) * (weight > 0), np.zeros(3)]
        assert np.allclose(row, np.linalg.lstsq(left, right, rcond=None)[0])


def test_without_weights_and_penalty_the_factors_are_those_of_the_svd(rng):
    likes = (rng.random((8, 6)) < 0.4).astype(float)
    # Weights that hardly count leave the plain squared error.
    rows, columns = factors.factorise(sparse.csr_array(1e-9 * likes), 2, 1e-9, rng, rounds=300)
    left, size, right = np.linalg.svd(likes)
    assert np.allclose(rows @ columns.T, left[:, :2] * size[:2] @ right[:2], atol=1e-4)


def test_factors_find_two_groups(rng):
    groups = np.kron(np.eye(2), np.ones((10, 8))) * (rng.random((20, 16)) < 0.6)
    rows, columns = factors.factorise(sparse.csr_array(5 * groups), 2, 1.0, rng)
    scores = rows @ columns.T
    assert scores[:10, :8].min() > scores[:10, 8:].max()


def test_absurd_factors_are_refused(rng):
    weights = sparse.csr_array(np.eye(3))
    for call in (
        lambda: factors.weighted_rows(weights, np.ones((2, 1)), 1.0),
        lambda: factors.weighted_rows(weights, np.ones((3, 1)), 0.0),
        lambda: factors.weighted_rows(-weights, np.ones((3, 1)), 1.0),
        lambda: factors.factorise(weights, 0, 1.0, rng),
        lambda: factors.factorise(weights, 1, 1.0, rng, rounds=0),
    ):
        with pytest.raises(ValueError, match="wanted"):
            call()


# Rankings


def test_ndcg_and_recall_against_brute_force():
    relevant = np.array([[True, False, True, False, True]])

    def gain(order):
        return sum(relevant[0, work] / np.log2(place + 2) for place, work in enumerate(order))

    for k in (1, 2, 4):
        best = max(gain(order[:k]) for order in permutations(range(5)))
        for order in permutations(range(5)):
            assert ranking.ndcg([order[:k]], relevant)[0] == pytest.approx(gain(order[:k]) / best)
            hits = len({0, 2, 4} & set(order[:k]))
            assert ranking.recall([order[:k]], relevant)[0] == pytest.approx(hits / 3)


def test_a_visitor_who_likes_nothing_has_no_score():
    assert np.isnan(ranking.ndcg([[0]], [[False, False]])).all()
    assert np.isnan(ranking.recall([[0]], [[False, False]])).all()


def test_the_top_is_sorted_and_leaves_out_what_is_known(rng):
    scores = rng.normal(size=(4, 30))
    assert np.array_equal(ranking.top(scores, 7), np.argsort(-scores, axis=1)[:, :7])
    known = np.zeros((4, 30), dtype=bool)
    known[:, 5:] = True
    assert set(ranking.top(scores, 5, known)[0].tolist()) == {0, 1, 2, 3, 4}
    for bad in (0, 31):
        with pytest.raises(ValueError, match="wanted"):
            ranking.top(scores, bad)
    with pytest.raises(ValueError, match="wanted"):
        ranking.top(np.full((1, 2), np.nan), 1)
    with pytest.raises(ValueError, match="wanted"):
        ranking.recall([[0]], [[True], [False]])


def test_coverage_and_the_effective_number():
    lists = [[0, 1], [0, 2]]
    assert ranking.coverage(lists, 6) == 0.5
    assert ranking.effective_number([[0, 1, 2, 3]]) == pytest.approx(4)
    assert ranking.effective_number(lists) == pytest.approx(np.exp(0.5 * np.log(2) + 0.5 * np.log(4)))


# Bandits


def test_an_arm_is_a_ridge_regression(rng):
    contexts, rewards = rng.normal(size=(40, 3)), rng.random(40)
    arms = bandits.LinearArms(2, 3)
    for context, reward in zip(contexts, rewards, strict=True):
        arms.learn(1, context, reward)
    square = contexts.T @ contexts + np.eye(3)
    assert np.allclose(arms.weights[1], np.linalg.solve(square, contexts.T @ rewards))
    assert np.allclose(arms.weights[0], 0)
    asked = rng.normal(size=3)
    assert arms.means(asked)[1] == pytest.approx(arms.weights[1] @ asked)
    assert arms.widths(asked)[1] == pytest.approx(np.sqrt(asked @ np.linalg.inv(square) @ asked))


def test_who_explores_finds_the_best_arm(rng):
    contexts = np.ones((800, 1))
    chances = np.tile([0.2, 0.3, 0.8], (800, 1))
    for policy in (bandits.upper_bound(1.0), bandits.thompson(0.5), bandits.epsilon_greedy(0.1)):
        lost = bandits.play(policy, contexts, chances, rng)
        assert (np.diff(lost) >= 0).all()
        assert lost[-1] < 0.4 * bandits.play(bandits.epsilon_greedy(1.0), contexts, chances, rng)[-1]
    assert bandits.play(bandits.epsilon_greedy(1.0), contexts, chances, rng)[-1] == pytest.approx(800 * 0.367, rel=0.1)


def test_absurd_bandits_are_refused(rng):
    for contexts, chances in ((np.ones((2, 1)), np.ones((3, 1))), (np.ones((2, 1)), np.full((2, 1), 2.0))):
        with pytest.raises(ValueError, match="wanted"):
            bandits.play(bandits.greedy, contexts, chances, rng)
    with pytest.raises(ValueError, match="wanted"):
        bandits.LinearArms(0, 1)


# Forecasts


def test_as_last_year_is_what_was_a_season_ago():
    values = np.arange(10.0) ** 2
    found = forecast.seasonal_naive(values, 4, 5)
    assert np.isnan(found[:3]).all()
    assert found[3].tolist() == [0, 1, 4, 9, 0]
    assert found[9].tolist() == [36, 49, 64, 81, 36]
    assert np.array_equal(forecast.ahead(values, 2)[7], [64, 81])
    assert np.isnan(forecast.ahead(values, 2)[9]).all()


def test_smoothing_is_the_power_series_of_its_state(rng):
    values, (alpha, beta, gamma, phi) = rng.normal(size=30), (0.3, 0.2, 0.4, 0.9)
    found = forecast.holt_winters(values, 3, 4, [[alpha, beta, gamma, phi]])[1][0, -1]
    turn = np.zeros((5, 5))
    turn[0, :2], turn[1, 1] = [1, phi], phi
    turn[2, 3] = turn[3, 4] = turn[4, 2] = 1
    look, gain = np.array([1, phi, 1, 0, 0]), np.array([alpha, alpha * beta, 0, 0, gamma])
    level = values[:3].mean()
    state = np.array([level, (values[3:6].mean() - level) / 3, *(values[:3] - level)])
    step = turn - np.outer(gain, look)
    state = np.linalg.matrix_power(step, 27) @ state + sum(
        np.linalg.matrix_power(step, 26 - t) @ gain * y for t, y in enumerate(values[3:])
    )
    assert np.allclose(found, [look @ np.linalg.matrix_power(turn, h) @ state for h in range(4)])


def test_what_repeats_and_grows_is_foretold_exactly():
    values = np.tile([3.0, 1, 2, 6], 8) + 0.5 * np.repeat(np.arange(8), 4)
    settings = [[0.0, 0.0, 0.0, 1.0]]
    repeated = np.tile([3.0, 1, 2, 6], 8)
    errors, forecasts = forecast.holt_winters(repeated, 4, 8, settings)
    assert np.allclose(errors[0, 4:], 0) and np.allclose(forecasts[0, -1], np.tile([3, 1, 2, 6], 2))
    line = 2.0 * np.arange(20) + 1
    grown = forecast.rolling_holt_winters(np.stack([values[:20], line]), 4, 4)
    assert np.abs(grown[1, -1] - (2.0 * np.arange(20, 24) + 1)).max() < 1.5


def test_many_series_and_settings_at_once_are_each_alone(rng):
    many = rng.normal(size=(3, 20))
    errors, forecasts = forecast.holt_winters(many, 4, 2)
    alone = forecast.holt_winters(many[1], 4, 2, forecast.SETTINGS[[17]])
    assert np.allclose(errors[17, 1], alone[0][0], equal_nan=True)
    assert np.allclose(forecasts[17, 1], alone[1][0], equal_nan=True)
    rolled = forecast.rolling_holt_winters(many, 4, 2)
    best = np.nansum(errors[:, 2] ** 2, axis=1).argmin()
    assert np.allclose(rolled[2, -1], forecasts[best, 2, -1])


def test_a_forecast_does_not_know_the_future(rng):
    values = rng.normal(size=30)
    changed = values.copy()
    changed[20:] += 100
    for rule in (forecast.seasonal_naive, forecast.rolling_holt_winters):
        assert np.array_equal(rule(values, 4, 3)[:20], rule(changed, 4, 3)[:20], equal_nan=True)


def test_the_scale_is_that_of_the_rule():
    values = np.array([40, 60, 50, 90, 44, 66, 50, 98.0])
    assert forecast.seasonal_scale(values, 4) == pytest.approx(18 / 4)
    with pytest.raises(ValueError, match="repeats itself"):
        forecast.seasonal_scale(np.tile([1.0, 2], 4), 2)


def test_the_pinball_loss_is_least_at_the_true_quantile(rng):
    draws = rng.normal(size=20000)
    tried = np.linspace(0, 1.6, 33)
    losses = forecast.pinball(draws[:, np.newaxis], np.tile(tried[:, np.newaxis], (20000, 1, 1)), [0.8]).mean(axis=0)
    assert tried[losses.ravel().argmin()] == pytest.approx(stats.norm.ppf(0.8), abs=0.06)
    assert forecast.pinball(90, [80.0], [0.9]).tolist() == pytest.approx([9])
    assert forecast.pinball(70, [80.0], [0.9]).tolist() == pytest.approx([1])


def test_conformal_intervals_hold_what_they_say(rng):
    held = []
    for _ in range(4000):
        errors = rng.standard_t(3, size=40)
        low, high = forecast.conformal_quantiles(errors[:39], [0.025, 0.975])
        held.append(low <= errors[39] <= high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.012)
    assert forecast.conformal_quantiles(np.arange(1.0, 40), [0.025, 0.5, 0.975]).tolist() == pytest.approx([1, 20, 39])
    assert forecast.conformal_quantiles([1.0, 2.0], [0.01, 0.99]).tolist() == [1, 2]


@pytest.mark.parametrize(
    "call",
    [
        lambda: forecast.seasonal_naive([1.0, 2], 2, 1),
        lambda: forecast.seasonal_naive([1.0, 2, 3], 0, 1),
        lambda: forecast.seasonal_naive([1.0, 2, 3], 2, 0),
        lambda: forecast.holt_winters([1.0, 2, 3], 2, 1),
        lambda: forecast.holt_winters([1.0, np.nan, 3, 4], 2, 1),
        lambda: forecast.holt_winters([1.0, 2, 3, 4], 2, 1, [[0.1, 0.1, 0.1, 2]]),
        lambda: forecast.holt_winters([1.0, 2, 3, 4], 2, 1, [0.1]),
        lambda: forecast.pinball(1.0, [1.0, 2.0], [0.5]),
        lambda: forecast.pinball(1.0, [1.0], [1.0]),
        lambda: forecast.conformal_quantiles([], [0.5]),
        lambda: forecast.conformal_quantiles([np.inf], [0.5]),
        lambda: forecast.conformal_quantiles([1.0], [0.0]),
    ],
)
def test_absurd_forecasts_are_refused(call):
    with pytest.raises(ValueError, match="wanted"):
        call()
