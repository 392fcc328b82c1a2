"""Prices divided to the cent; the sales themselves are tested with the catalogue."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artbook.gallery.royalties import basis_points, split
from artbook.gallery.schema import WHOLE


@st.composite
def parts(draw: st.DrawFn) -> dict[str, int]:
    """The whole, cut at some places."""
    cuts = sorted(draw(st.sets(st.integers(1, WHOLE - 1), max_size=8)))
    return {f"holder {a}": b - a for a, b in zip([0, *cuts], [*cuts, WHOLE], strict=True)}


@given(st.integers(0, 10**15), parts())
def test_payments_sum_to_the_price_and_each_is_within_a_cent_of_its_part(cents: int, parts: dict[str, int]) -> None:
    paid = split(cents, parts)
    assert paid.keys() == parts.keys()
    assert sum(paid.values()) == cents
    assert all(abs(paid[holder] - Fraction(cents * part, WHOLE)) < 1 for holder, part in parts.items())
    assert split(cents, dict(reversed(parts.items()))) == paid, (
        "the order in which holders are named counts for nothing"
    )


@pytest.mark.parametrize(
    ("cents", "parts", "paid"),
    [
        (1000, {"a": 3333, "b": 3333, "c": 3334}, {"a": 333, "b": 333, "c": 334}),
        (1, {"a": 5000, "b": 5000}, {"a": 1, "b": 0}),
        (1, {"b": 5000, "a": 5000}, {"a": 1, "b": 0}),
        (100, {"a": 3333, "b": 3333, "c": 3334}, {"a": 33, "b": 33, "c": 34}),
        (99, {"artist": 7000, "engine": 3000}, {"artist": 69, "engine": 30}),
        (0, {"a": 10_000}, {"a": 0}),
    ],
)
def test_the_largest_remainders_get_the_cents_that_are_left(cents: int, parts: dict, paid: dict) -> None:
    assert split(cents, parts) == paid


@pytest.mark.parametrize("cents", [-1, 1.5, 1.0, True, "1", None])
def test_an_amount_is_whole_cents(cents: int) -> None:
    with pytest.raises(ValueError, match="whole cents"):
        split(cents, {"a": WHOLE})


@pytest.mark.parametrize("parts", [{}, {"a": 9999}, {"a": 0, "b": WHOLE}, {"a": 0.5, "b": 9999.5}, {"a": WHOLE + 1}])
def test_parts_sum_to_the_whole(parts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="basis points"):
        split(100, parts)


@given(st.dictionaries(st.text(min_size=1), st.floats(0.1, 10), min_size=1, max_size=8))
def test_parts_sum_to_the_whole_and_are_within_one_of_the_weights(weights: dict[str, float]) -> None:
    parts = basis_points(weights)
    assert parts.keys() == weights.keys()
    assert sum(parts.values()) == WHOLE
    total = sum(weights.values())
    assert all(abs(part - WHOLE * weights[holder] / total) < 1.001 for holder, part in parts.items())


def test_the_last_basis_point_goes_to_the_largest_remainder_and_among_equals_by_the_alphabet() -> None:
    assert basis_points({"c": 1, "b": 1, "a": 1}) == {"a": 3334, "b": 3333, "c": 3333}
    assert basis_points({"a": 10_001, "b": 9_999}) == {"a": 5001, "b": 4999}
    assert basis_points({"alone": 0.3}) == {"alone": WHOLE}


@pytest.mark.parametrize(
    "weights", [{}, {"a": 0.0}, {"a": -1.0, "b": 3.0}, {"a": 1.0, "b": 1e-9}, {"a": float("nan")}, {"a": float("inf")}]
)
def test_weights_are_large_enough_for_a_part(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="weights of at least one part in 10000"):
        basis_points(weights)


@given(st.lists(st.integers(0, 10**6), max_size=40), parts())
def test_a_statement_over_many_sales_sums_to_their_prices(sales: list[int], parts: dict[str, int]) -> None:
    paid = [split(cents, parts) for cents in sales]
    assert sum(sum(each.values()) for each in paid) == sum(sales)
    for holder, part in parts.items():
        exact = Fraction(sum(sales) * part, WHOLE)
        assert abs(sum(each[holder] for each in paid) - exact) <= len(sales), "each sale may be a cent off, and no more"
