"""Uncertain plans: quantiles, even draws, sensitivity against closed forms, fair shares against their axioms."""

import numpy as np
import pytest
from scipy import stats

from artbook.market.value import draw, lognormal, sensitivity, shapley, tornado

UNIFORM = stats.uniform(0, 1)


@pytest.mark.parametrize(("low", "high"), [(1.0, 2.0), (0.02, 0.05), (1e-6, 1e9)])
def test_one_value_in_ten_is_below_and_one_above(low: float, high: float) -> None:
    found = lognormal(low, high)
    assert found.cdf([low, high]) == pytest.approx([0.1, 0.9])
    assert found.median() == pytest.approx(np.sqrt(low * high))


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (2, 1), (1, 1), (1, float("inf")), (float("nan"), 1)])
def test_quantiles_are_above_nought_and_in_order(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="0 < low < high"):
        lognormal(low, high)


def test_sobol_draws_fill_each_input_evenly_and_are_seeded() -> None:
    inputs = {"a": UNIFORM, "b": stats.norm(3, 2)}
    drawn = draw(inputs, 256, seed=1)
    assert set(drawn) == {"a", "b"}
    # One draw in each of 256 equal steps: a property of the points, which random ones do not have.
    assert sorted((drawn["a"] * 256).astype(int)) == list(range(256))
    assert sorted((stats.norm(3, 2).cdf(drawn["b"]) * 256).astype(int)) == list(range(256))
    assert (draw(inputs, 256, seed=1)["b"] == drawn["b"]).all()
    assert (draw(inputs, 256, seed=2)["b"] != drawn["b"]).any()
    plain = draw(inputs, 256, seed=1, sobol=False)
    assert len(set((plain["a"] * 256).astype(int))) < 256


def test_even_draws_are_nearer_to_a_known_mean_than_plain_ones() -> None:
    inputs = {name: stats.expon() for name in "abcd"}

    def error(sobol: bool) -> float:
        drawn = (draw(inputs, 1024, seed, sobol) for seed in range(8))
        return float(np.mean([abs(np.prod([*each.values()], axis=0).mean() - 1) for each in drawn]))

    assert error(sobol=True) < error(sobol=False) / 2


@pytest.mark.parametrize("count", [0, 3, 100, -4, 1.5, True, 2**25])
def test_sobol_draws_are_a_power_of_two(count: object) -> None:
    with pytest.raises(ValueError, match="power of two"):
        draw({"a": UNIFORM}, count)  # type: ignore[arg-type]


def test_plain_draws_may_be_any_number_but_none() -> None:
    assert draw({"a": UNIFORM}, 100, sobol=False)["a"].shape == (100,)
    with pytest.raises(ValueError, match="number of draws was wanted; 0"):
        draw({"a": UNIFORM}, 0, sobol=False)


@pytest.mark.parametrize("sobol", [True, False])
def test_a_plan_has_inputs(sobol: bool) -> None:
    with pytest.raises(ValueError, match="at least one input"):
        draw({}, 4, sobol=sobol)


def test_a_tornado_moves_one_input_at_a_time_and_begins_with_the_widest() -> None:
    ends = tornado(lambda a, b, c: a - 10 * b + 0 * c, dict.fromkeys("abc", UNIFORM))
    assert list(ends) == ["b", "a", "c"]
    assert ends["a"] == pytest.approx((0.1 - 5, 0.9 - 5))
    assert ends["b"] == pytest.approx((0.5 - 1, 0.5 - 9))
    assert ends["c"] == pytest.approx((-4.5, -4.5))


def ishigami(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)


def test_sensitivity_has_the_closed_form_of_the_ishigami_function() -> None:
    found = sensitivity(ishigami, {name: stats.uniform(-np.pi, 2 * np.pi) for name in "xyz"}, 2**13)
    alone, second, joint = 0.5 * (1 + 0.1 * np.pi**4 / 5) ** 2, 7**2 / 8, 0.1**2 * np.pi**8 * 8 / 225
    variance = alone + second + joint
    assert list(found.first.values()) == pytest.approx(np.array([alone, second, 0]) / variance, abs=0.01)
    assert list(found.total.values()) == pytest.approx(np.array([alone + joint, second, joint]) / variance, abs=0.01)


def test_in_a_sum_first_and_total_are_each_inputs_share_of_the_variance() -> None:
    found = sensitivity(lambda a, b: 3 * a + 4 * b, {"a": stats.norm(), "b": stats.norm(7, 1)}, 2**12)
    assert found.first == pytest.approx({"a": 9 / 25, "b": 16 / 25}, abs=0.01)
    assert found.total == pytest.approx({"a": 9 / 25, "b": 16 / 25}, abs=0.01)


def test_in_a_product_around_nought_all_is_interaction() -> None:
    found = sensitivity(lambda a, b: a * b, {"a": stats.norm(), "b": stats.norm()}, 2**13)
    assert found.first == pytest.approx({"a": 0, "b": 0}, abs=0.03)
    assert found.total == pytest.approx({"a": 1, "b": 1}, abs=0.03)


def test_a_plan_that_never_varies_has_no_sensitivity() -> None:
    with pytest.raises(ValueError, match="always gives the same"):
        sensitivity(lambda a, b: 0 * a * b + 5, {"a": UNIFORM, "b": UNIFORM}, 8)


def worth(glove: frozenset[str]) -> float:
    """One left glove and two right ones: a pair is worth 1."""
    return float("left" in glove and bool(glove & {"right", "other"}))


def test_shares_of_the_glove_game_are_those_of_the_textbook() -> None:
    parts = shapley(["left", "right", "other"], worth)
    assert parts == pytest.approx({"left": 2 / 3, "right": 1 / 6, "other": 1 / 6})


def test_shares_sum_to_the_whole_and_who_adds_nothing_gets_nothing() -> None:
    sizes = {"a": 5.0, "b": 2.0, "c": 1.0, "idle": 0.0}
    parts = shapley(sizes, lambda group: sum(sizes[name] for name in group) ** 2)
    assert sum(parts.values()) == pytest.approx(64)
    assert parts["idle"] == pytest.approx(0)
    # Of a square, each pair's product is halved between the two.
    assert parts["a"] == pytest.approx(5 * 8)


@pytest.mark.parametrize("players", [[], ["a", "a"], [str(n) for n in range(9)]])
def test_players_have_names_of_their_own(players: list[str]) -> None:
    with pytest.raises(ValueError, match="1 to 8 players"):
        shapley(players, len)
