import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import cdist, pdist

from artbook import judge


def gaussian(rows, seed, shift=0.0, width=3):
    return np.random.default_rng(seed).normal(size=(rows, width)) + shift


# Distances


@given(st.integers(0, 10**6), st.sampled_from([0.0, 1e6]), st.sampled_from([1e-3, 1.0]))
@settings(max_examples=20)
def test_distances_are_those_of_scipy(seed, shift, scale):
    x, y = scale * gaussian(7, seed) + shift, scale * gaussian(5, seed + 1) + shift
    np.testing.assert_allclose(judge.distances(x, y), cdist(x, y), rtol=1e-6)


def test_distances_of_whole_numbers_are_exact():
    x = np.random.default_rng(0).integers(0, 256, size=(50, 30), dtype=np.uint8)
    squares = cdist(x.astype(float), x.astype(float), "sqeuclidean")
    assert np.array_equal(np.rint(judge.distances(x, x) ** 2), squares)
    assert np.array_equal(judge.distances(x, x), np.sqrt(squares))


def test_a_row_has_no_distance_from_itself():
    x = 1e3 * gaussian(40, 0, shift=7.3, width=500)
    assert np.all(np.diag(judge.distances(x, x.copy())) == 0)


def test_mean_and_median_distance():
    x = gaussian(30, 1)
    assert judge.mean_distance(x) == pytest.approx(pdist(x).mean())
    assert judge.median_distance(x) == pytest.approx(np.median(pdist(x)))


def test_the_median_distance_of_equal_rows_is_no_bandwidth():
    with pytest.raises(ValueError, match="rows that differ were wanted"):
        judge.median_distance(np.ones((3, 2)))


# Two-sample tests


def test_the_kernel_distance_by_hand():
    # Two pairs of points on a line, at 0 and 2 and at 1 and 1, with the bandwidth 1.
    x, y = np.array([[0.0], [2.0]]), np.array([[1.0], [1.0]])
    by_hand = math.exp(-2) + 1 - 2 * math.exp(-1 / 2)
    assert judge.kernel_distance(x, y, bandwidth=1) == pytest.approx(by_hand)


def test_the_kernel_distance_agrees_with_two_loops():
    x, y, width = gaussian(6, 0), gaussian(4, 1), 0.7

    def kernel(a, b):
        return math.exp(-np.sum((a - b) ** 2) / (2 * width**2))

    within = [
        np.mean([kernel(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j]) for rows in (x, y)
    ]
    across = np.mean([kernel(a, b) for a in x for b in y])
    assert judge.kernel_distance(x, y, width) == pytest.approx(sum(within) - 2 * across)


def test_the_kernel_distance_is_unbiased_and_meets_the_closed_form():
    # Between two normal distributions on a line whose means are 1 apart, with a kernel of bandwidth 1:
    # the kernel's mean over two normal variables is that of a normal density of variance 3.
    population = 2 / math.sqrt(3) * (1 - math.exp(-1 / 6))
    far, same = [], []
    for seed in range(300):
        x, y, z = (gaussian(20, 3 * seed + part, width=1) for part in range(3))
        far.append(judge.kernel_distance(x, y + 1, 1))
        same.append(judge.kernel_distance(x, z, 1))
    for values, truth in ((far, population), (same, 0)):
        assert abs(np.mean(values) - truth) < 4 * np.std(values) / math.sqrt(300)
    assert min(same) < 0 < max(same)


def test_the_default_bandwidth_is_the_median_distance():
    x, y = gaussian(10, 0), gaussian(10, 1, shift=1)
    median = judge.median_distance(np.concatenate([x, y]))
    assert judge.kernel_distance(x, y) == judge.kernel_distance(x, y, median)


def test_the_noise_floor_is_that_of_new_samples():
    floor = judge.noise_floor(gaussian(2000, 0), 50, np.random.default_rng(1), 300, bandwidth=2)
    new = [judge.kernel_distance(gaussian(50, seed), gaussian(50, seed + 1), 2) for seed in range(2, 602, 2)]
    assert np.all(np.diff(floor) >= 0)
    assert stats.ks_2samp(floor, new).pvalue > 1e-3


def test_two_halves_are_all_of_the_data():
    real = gaussian(8, 0)
    floor = judge.noise_floor(real, 4, np.random.default_rng(1), 1, bandwidth=1)
    order = np.random.default_rng(1).permuted(np.arange(8)[np.newaxis], axis=1)[0]
    assert floor[0] == pytest.approx(judge.kernel_distance(real[order < 4], real[order >= 4], 1))


@pytest.mark.parametrize("test", [judge.kernel_test, judge.nearest_neighbour_two_sample])
def test_p_values_are_uniform_where_nothing_differs(test):
    values = []
    for seed in range(200):
        result = test(gaussian(20, seed), gaussian(20, seed + 1000), np.random.default_rng(seed), permutations=99)
        values.append(getattr(result, "test", result).p_value)
    assert np.mean(values) == pytest.approx(0.5, abs=0.08)
    # Exact: at most as often as the level says, up to the chance of 200 trials.
    assert np.mean(np.array(values) <= 0.05) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize("test", [judge.kernel_test, judge.nearest_neighbour_two_sample])
def test_the_tests_see_a_shift(test):
    result = test(gaussian(60, 0), gaussian(60, 1, shift=1.5), np.random.default_rng(0))
    assert getattr(result, "test", result).p_value == 1 / 501


def test_the_kernel_test_states_the_kernel_distance():
    x, y = gaussian(12, 0), gaussian(9, 1)
    result = judge.kernel_test(x, y, np.random.default_rng(0), permutations=50)
    assert result.statistic == pytest.approx(judge.kernel_distance(x, y))
    assert result.p_value == (1 + np.count_nonzero(result.chance >= result.statistic)) / 51


def test_nearest_neighbours_agree_with_loops():
    x, y = gaussian(15, 0), gaussian(15, 1, shift=0.5)
    pooled = cdist(np.concatenate([x, y]), np.concatenate([x, y]))
    np.fill_diagonal(pooled, np.inf)
    own = (pooled.argmin(axis=1) < 15) == (np.arange(30) < 15)
    result = judge.nearest_neighbour_two_sample(x, y, np.random.default_rng(0))
    assert (result.x, result.y, result.accuracy) == pytest.approx((own[:15].mean(), own[15:].mean(), own.mean()))


def test_neighbours_at_one_distance_share_the_vote():
    # Each row's neighbours are of the other sample, one or two of them.
    x, y = np.array([[0.0], [2.0]]), np.array([[1.0], [3.0]])
    result = judge.nearest_neighbour_two_sample(x, y, np.random.default_rng(0))
    assert (result.x, result.y, result.accuracy) == (0, 0, 0)
    # The row at 1 has one neighbour of each sample.
    result = judge.nearest_neighbour_two_sample([[0.0], [1.0]], [[2.0], [3.0]], np.random.default_rng(0))
    assert (result.x, result.y) == (0.75, 0.75)


def test_copies_have_the_original_for_their_neighbour():
    x = gaussian(40, 0)
    assert judge.nearest_neighbour_two_sample(x, x + 1e-4, np.random.default_rng(0)).accuracy == 0


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros(3), np.zeros((3, 1)), "x: numbers of shape"),
        (np.zeros((3, 1)), np.zeros((3, 0)), "y: numbers of shape"),
        (np.zeros((1, 1)), np.zeros((3, 1)), "at least 2"),
        (np.array([["a"], ["b"]]), np.zeros((2, 1)), "x: numbers"),
        (np.zeros((2, 1)), np.array([[0.0], [np.nan]]), "y: finite numbers were wanted; 1 are not"),
        (np.zeros((2, 1)), np.zeros((2, 2)), "were given"),
    ],
)
def test_the_tests_refuse_bad_rows(x, y, message):
    for test in (judge.kernel_test, judge.nearest_neighbour_two_sample):
        with pytest.raises(ValueError, match=message):
            test(x, y, np.random.default_rng(0))
    with pytest.raises(ValueError, match=message):
        judge.kernel_distance(x, y)


def test_the_tests_refuse_bad_settings():
    x, rng = gaussian(6, 0), np.random.default_rng(0)
    for bandwidth in (0, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match="a bandwidth above zero was wanted"):
            judge.kernel_distance(x, x + 1, bandwidth)
    for size in (1, 4, 2.5):
        with pytest.raises(ValueError, match="a size from 2 to half of the 6 rows was wanted"):
            judge.noise_floor(x, size, rng)
    with pytest.raises(ValueError, match="repeats were wanted; 0 was given"):
        judge.kernel_test(x, x + 1, rng, permutations=0)
    with pytest.raises(ValueError, match="two samples of one shape were wanted"):
        judge.nearest_neighbour_two_sample(x, x[:5], rng)
    with pytest.raises(ValueError, match="rows of one length were wanted"):
        judge.distances(x, x[:, :2])


# Diversity and copies


def test_diversity():
    x = gaussian(100, 0)
    assert judge.diversity(x, x) == pytest.approx(1)
    assert judge.diversity(2 * x + 5, x) == pytest.approx(2)
    assert judge.diversity(np.ones((5, 3)), x) == 0


def test_diversity_needs_a_reference_that_differs():
    with pytest.raises(ValueError, match="a reference with rows that differ was wanted"):
        judge.diversity(gaussian(4, 0), np.ones((4, 3)))
    with pytest.raises(ValueError, match="rows of one length were wanted"):
        judge.diversity(gaussian(4, 0), gaussian(4, 0, width=2))


def test_copies_are_found_and_honest_samples_are_not():
    training, held_out, honest = gaussian(500, 0), gaussian(2000, 1), gaussian(2000, 2)
    copies = training[:30] + 1e-4
    found = judge.copied(np.concatenate([honest[:70], copies]), training, held_out)
    assert found.distance == pytest.approx(cdist(np.concatenate([honest[:70], copies]), training).min(axis=1), abs=1e-7)
    assert np.array_equal(found.nearest[70:], np.arange(30))
    assert 0.3 <= found.share < 0.35
    # The share of honest rows that are called copies is the one that was allowed for.
    assert judge.copied(honest, training, held_out, mistaken=0.05).share == pytest.approx(0.05, abs=0.02)
    assert judge.copied(held_out, training, held_out, mistaken=0.05).share == pytest.approx(0.05, abs=1e-3)


def test_copies_cannot_be_told_where_held_out_rows_are_in_the_training_data():
    training = gaussian(50, 0)
    with pytest.raises(ValueError, match="compare longer passages"):
        judge.copied(training, training, training[:10], mistaken=0.1)


@pytest.mark.parametrize("mistaken", [0, 0.05, 1, np.nan])
def test_the_share_that_may_be_mistaken_is_at_least_one_row(mistaken):
    with pytest.raises(ValueError, match="a share from 1/10, one held-out row, to below 1 was wanted"):
        judge.copied(gaussian(5, 0), gaussian(5, 1), gaussian(10, 2), mistaken)


# Error bars


def test_the_bootstrap_draws_whole_groups():
    # Two groups of values 0 and 1: a mean over drawn groups is 0, a third, two thirds or 1, weighted by length.
    values, groups = np.array([0.0, 1.0, 1.0]), np.array([0, 1, 1])
    assert judge.bootstrap_interval(values, groups, np.random.default_rng(0)) == (0, 1)


def test_the_bootstrap_agrees_with_the_normal_approximation():
    rng = np.random.default_rng(1)
    values, groups = rng.normal(8, 1, size=4000), np.arange(4000)
    low, high = judge.bootstrap_interval(values, groups, rng)
    error = values.std() / math.sqrt(len(values))
    assert (high - low) == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert low < values.mean() < high


@pytest.mark.parametrize(
    ("values", "groups"),
    [
        (np.zeros(3), np.zeros(2, int)),
        (np.zeros((2, 2)), np.zeros((2, 2), int)),
        (np.array([np.nan]), np.array([0])),
        (np.zeros(0), np.zeros(0, int)),
        (np.zeros(2), np.zeros(2)),
    ],
)
def test_the_bootstrap_refuses_bad_input(values, groups):
    with pytest.raises(ValueError, match="wanted"):
        judge.bootstrap_interval(values, groups, np.random.default_rng(0))


@pytest.mark.parametrize("resamples", [0, -1, 1.5, np.nan])
def test_the_bootstrap_draws_at_least_once(resamples):
    with pytest.raises(ValueError, match="resamples were wanted"):
        judge.bootstrap_interval(np.zeros(2), np.array([0, 1]), np.random.default_rng(0), resamples)


def test_the_bootstrap_does_not_mind_a_group_that_is_left_out():
    values = np.random.default_rng(0).random(6)
    one, other = (
        judge.bootstrap_interval(values, np.array(groups), np.random.default_rng(1))
        for groups in ([0, 0, 1, 1, 2, 2], [0, 0, 5, 5, 7, 7])
    )
    assert one == other


# Votes and ratings


@given(st.integers(1, 80), st.floats(0.001, 0.999), st.sampled_from([0.01, 0.05, 0.2]))
@settings(max_examples=40, deadline=None)
def test_the_power_of_votes_is_that_of_scipys_binomial_test(votes, share, level):
    found = [stats.binomtest(wins, votes, 0.5).pvalue <= level for wins in range(votes + 1)]
    exact = stats.binom.pmf(np.arange(votes + 1), votes, share) @ found
    assert judge.preference_power(votes, share, level) == pytest.approx(exact, abs=1e-9)


def test_the_power_of_votes_meets_closed_forms():
    # Six unanimous votes are the fewest that are significant at five per cent.
    assert judge.preference_power(5, 0.9) == 0
    assert judge.preference_power(6, 0.9) == pytest.approx(0.9**6 + 0.1**6)
    assert judge.votes_needed(1.0) == 6


@pytest.mark.parametrize("share", [0.2, 0.55, 0.6, 0.75, 0.9])
@pytest.mark.parametrize("power", [0.3, 0.8, 0.95])
def test_from_the_votes_needed_on_the_power_does_not_fall_below_what_is_wanted(share, power):
    votes = judge.votes_needed(share, power)
    assert judge.preference_power(votes - 1, share) < power
    assert all(judge.preference_power(votes + more, share) >= power for more in range(60))
    # The normal approximation of the textbooks, corrected for whole votes, is near.
    z = stats.norm.ppf([0.975, power])
    approximate = (z[0] / 2 + z[1] * math.sqrt(share * (1 - share))) ** 2 / (share - 0.5) ** 2
    corrected = approximate / 4 * (1 + math.sqrt(1 + 2 / (approximate * abs(share - 0.5)))) ** 2
    assert votes == pytest.approx(corrected, rel=0.1, abs=6)


def test_the_power_of_ratings_agrees_with_simulated_raters():
    rng = np.random.default_rng(0)
    raters, works, trials = 12, 4, 4000
    strictness = rng.normal(scale=2, size=(trials, raters, 1, 1))
    opinion = np.array([0, 0.5]) + rng.normal(scale=0.3, size=(trials, raters, 1, 2)) * [0, 1]
    ratings = strictness + opinion + rng.normal(scale=0.8, size=(trials, raters, works, 2))
    means = ratings.mean(axis=2)
    found = stats.ttest_rel(means[..., 1], means[..., 0], axis=1).pvalue <= 0.05
    power = judge.rating_power(raters, difference=0.5, between=0.3, within=0.8, works=works)
    assert found.mean() == pytest.approx(power, abs=4 * math.sqrt(0.25 / trials))


def test_the_power_of_ratings_at_its_ends():
    assert judge.rating_power(10, 0, 1, 1, 1) == pytest.approx(0.05)
    assert judge.rating_power(10, 0, 1, 1, 1, level=0.2) == pytest.approx(0.2)
    assert judge.rating_power(50, 5, 0.1, 0.1, 10) == pytest.approx(1)
    assert judge.rating_power(9, -0.4, 1, 1, 1) == judge.rating_power(9, 0.4, 1, 1, 1)
    # With very many raters the t-test is the test of a known deviation.
    z = 0.02 / math.sqrt(1 + 2 * 4 / 8) * math.sqrt(20_000)
    normal = stats.norm.sf(1.96 - z) + stats.norm.cdf(-1.96 - z)
    assert judge.rating_power(20_000, 0.02, 1, 2, 8) == pytest.approx(normal, abs=1e-3)


@pytest.mark.parametrize(
    ("difference", "between", "within", "works"), [(0.3, 0.5, 1, 10), (2, 0, 1, 4), (0.1, 1, 1, 1)]
)
def test_the_raters_needed_are_the_fewest(difference, between, within, works):
    raters = judge.raters_needed(difference, between, within, works)
    assert judge.rating_power(raters, difference, between, within, works) >= 0.8
    assert raters == 2 or judge.rating_power(raters - 1, difference, between, within, works) < 0.8


def test_ratings_and_votes_refuse_bad_input():
    for votes in (0, 2.5, True):
        with pytest.raises(ValueError, match="at least one vote was wanted"):
            judge.preference_power(votes, 0.6)
    for share in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="a share from 0 to 1 was wanted"):
            judge.preference_power(10, share)
        with pytest.raises(ValueError, match="from one half, was wanted"):
            judge.votes_needed(share)
    with pytest.raises(ValueError, match="from one half, was wanted"):
        judge.votes_needed(0.501)
    for level in (0, 1, np.nan):
        with pytest.raises(ValueError, match="a level above 0 and below 1 was wanted"):
            judge.preference_power(10, 0.6, level)
    with pytest.raises(ValueError, match="a power above 0 and below 1 was wanted"):
        judge.votes_needed(0.6, power=1)
    with pytest.raises(ValueError, match="at least two raters and one work were wanted"):
        judge.rating_power(1, 1, 1, 1, 1)
    for bad in ((np.nan, 1, 1), (1, -1, 1), (1, 0, 0), (1, 1, np.inf)):
        with pytest.raises(ValueError, match="standard deviations from zero"):
            judge.rating_power(10, *bad, works=1)
    with pytest.raises(ValueError, match="a difference that a million raters can see was wanted"):
        judge.raters_needed(0, 1, 1, 1)
