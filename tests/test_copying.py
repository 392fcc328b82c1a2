"""The nearest known work: longest passages, sources, pictures; against plain search, and with bad input."""

import numpy as np
import pytest

from artbook.copying import Passage, closest_sources, longest_passages, nearest_pictures


def letters(text):
    return np.frombuffer(text.encode(), dtype=np.uint8)


def by_search(work, known):
    """The length of the longest passage, by trying all of them."""
    return max(
        (end - start for start in range(len(work)) for end in range(start, len(work) + 1)
         if any(work[start:end] in each for each in known)),
        default=0,
    )  # fmt: skip


def test_longest_passages_are_those_of_plain_search():
    rng = np.random.default_rng(0)
    known = ["".join(rng.choice(list("abc"), size)) for size in (0, 3, 40, 90)]
    works = ["".join(rng.choice(list("abcd"), size)) for size in rng.integers(0, 30, 40)] + ["", "zzz", known[2]]
    found = longest_passages([*map(letters, works)], [*map(letters, known)])
    assert [passage.length for passage in found] == [by_search(work, known) for work in works]
    for work, (length, start, number, known_start) in zip(works, found, strict=True):
        assert work[start : start + length] == known[number][known_start : known_start + length]
    assert found[-1] == Passage(40, 0, 2, 0)


def test_no_passage_runs_from_one_work_into_the_next():
    assert longest_passages([[1, 2, 3, 4]], [[1, 2], [3, 4]]) == [Passage(2, 0, 0, 0)]
    assert longest_passages([[1, 2], [3, 4]], [[1, 2, 3, 4]]) == [Passage(2, 0, 0, 0), Passage(2, 0, 0, 2)]
    assert longest_passages([[-5, 7]], [[9, -5, 7]]) == [Passage(2, 0, 0, 1)]
    assert longest_passages([], [[1]]) == []


def test_a_source_has_most_of_the_short_passages():
    known = [[1, 2, 3, 4, 5, 6], [1, 2, 3, 9, 9, 9], [7, 7, 7]]
    work = [1, 2, 3, 4, 5, 8]
    # Of its passages 12, 23, 34, 45, 58 the first four stand in the first known work.
    assert closest_sources([work], known, 2) == [(4 / 5, 0)]
    assert closest_sources([[9, 9, 9, 1]], known, 2) == [(1 / 2, 1)]
    assert closest_sources([[1], [], [8, 8]], known, 2) == [(0.0, 0)] * 3


def test_what_many_have_is_common_property():
    known = [[1, 2], [1, 2], [1, 2], [3, 4]]
    assert closest_sources([[1, 2, 3, 4]], known, 2, common=3)[0] == (1 / 3, 0)
    assert closest_sources([[1, 2, 3, 4]], known, 2, common=2)[0] == (1 / 3, 3)
    assert closest_sources([[1, 2]], known, 2, common=2)[0] == (0.0, 0)


@pytest.mark.parametrize("find", [longest_passages, lambda works, known: closest_sources(works, known, 2)])
@pytest.mark.parametrize(
    ("works", "known", "message"),
    [
        ([[1, 2]], [], "at least one known work was wanted"),
        ([[1.5, 2]], [[1]], r"works: whole symbols \(length,\) were wanted; float64"),
        ([[1]], [[[1, 2]]], r"known: whole symbols \(length,\) were wanted; int64 \(1, 2\)"),
        (["a text"], [[1]], "works: whole symbols"),
    ],
)
def test_bad_sequences_are_refused(find, works, known, message):
    with pytest.raises(ValueError, match=message):
        find(works, known)


@pytest.mark.parametrize(("length", "common"), [(0, 1), (2.0, 1), (1, 0), (True, 1)])
def test_bad_lengths_are_refused(length, common):
    with pytest.raises(ValueError, match="a length and a number of works from 1 were wanted"):
        closest_sources([[1]], [[1]], length, common)


@pytest.fixture
def known():
    return np.random.default_rng(1).random((20, 10, 12))


def test_a_likeness_is_a_correlation(known):
    asked = np.random.default_rng(2).random((5, 10, 12))
    found = nearest_pictures(asked, known)
    each = np.corrcoef(asked.reshape(5, -1), known.reshape(20, -1))[:5, 5:]
    np.testing.assert_allclose(found.likeness, each.max(axis=1), atol=1e-6)
    np.testing.assert_array_equal(found.known, each.argmax(axis=1))
    ordered = np.sort(each, axis=1)
    np.testing.assert_allclose(found.lead, ordered[:, -1] - ordered[:, -11:-1].mean(axis=1), atol=1e-6)


def test_noise_hides_the_likeness_of_a_copy_and_not_its_lead(known):
    rng = np.random.default_rng(4)
    copies = nearest_pictures(known + 0.4 * rng.normal(size=known.shape), known)
    others = nearest_pictures(rng.random((20, 10, 12)), known)
    assert np.median(copies.likeness) < 0.7
    assert np.median(copies.lead) > others.lead.max()


def test_with_one_known_picture_there_is_no_lead(known):
    assert nearest_pictures(known[:3], known[:1]).lead.tolist() == [0, 0, 0]
    assert nearest_pictures(known[:1], known[:2]).lead[0] == pytest.approx(
        1 - np.corrcoef(known[0].ravel(), known[1].ravel())[0, 1], abs=1e-6
    )


@pytest.mark.parametrize(
    ("change", "needs"),
    [
        (lambda pictures: pictures, {}),
        (lambda pictures: 0.2 * pictures + 0.5, {}),
        (lambda pictures: pictures[:, :, ::-1], {"mirrored": True}),
        (lambda pictures: 1 - pictures, {"inverted": True}),
        (lambda pictures: np.pad(pictures, ((0, 0), (2, 0), (0, 0)), mode="edge")[:, :10], {"shift": 2}),
    ],
)
def test_a_copy_is_found_whatever_was_done_to_it(known, change, needs):
    changed = change(known)
    found = nearest_pictures(changed, known, **needs)
    np.testing.assert_array_equal(found.known, np.arange(20))
    assert found.likeness.min() > (0.6 if "shift" in needs else 0.999)
    if needs:
        assert np.median(nearest_pictures(changed, known).likeness) < 0.5


def test_more_tries_never_find_less(known):
    asked = np.random.default_rng(3).random((7, 10, 12))
    plain = nearest_pictures(asked, known).likeness
    for needs in ({"shift": 1}, {"mirrored": True}, {"inverted": True}):
        assert (nearest_pictures(asked, known, **needs).likeness >= plain - 1e-6).all()


@pytest.mark.parametrize(
    ("pictures", "options", "message"),
    [
        (np.zeros((0, 4, 4)), {}, r"pictures: finite numbers \(n, H, W\) were wanted"),
        (np.ones((2, 10, 12)), {}, "pictures with more than one shade were wanted; 2 have one"),
        (np.full((1, 10, 12), np.nan), {}, "finite numbers"),
        (np.random.default_rng(0).random((1, 1, 1)), {}, "pictures with more than one shade"),
        (np.random.default_rng(0).random((1, 4, 4)), {}, "pictures of one size were wanted"),
        (np.random.default_rng(0).random((4, 4)), {}, r"finite numbers \(n, H, W\)"),
        (np.random.default_rng(0).random((1, 10, 12)), {"shift": 10}, "a shift of 0 to 9 pixels was wanted; 10"),
        (np.random.default_rng(0).random((1, 10, 12)), {"shift": -1}, "a shift of 0 to 9 pixels was wanted"),
        (np.array([[["a"]]]), {}, "finite numbers"),
    ],
)
def test_bad_pictures_are_refused(known, pictures, options, message):
    with pytest.raises(ValueError, match=message):
        nearest_pictures(pictures, known, **options)
