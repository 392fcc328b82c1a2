"""Tang poems, rhymes, quatrains as rows, and the models that write them."""

import keras
import numpy as np
import pytest

from artbook.data import rhymes as rhyme_data
from artbook.data import tang_poems
from artbook.words import poet, quatrains, training
from artbook.words.quatrains import Coding, Lines, is_regulated, reading, rhymes_today, split

# 登鸛雀樓, by Wang Zhihuan, and 春曉, by Meng Haoran: a regulated quatrain and one that is not.
STORKS = ("白日依山盡", "黃河入海流", "欲窮千里目", "更上一層樓")
SPRING = ("春眠不覺曉", "處處聞啼鳥", "夜來風雨聲", "花落知多少")


@pytest.fixture(scope="module")
def dictionary():
    return rhyme_data.load()


# The data


def test_the_poems_are_regular_and_have_known_ones():
    poems = tang_poems.load()
    assert 48_000 < len(poems) < 49_500
    assert all(len({len(line) for line in poem.lines}) == 1 and poem.author for poem in poems)
    found = {poem.lines: poem for poem in poems}
    assert STORKS in found and SPRING in found and found[SPRING].author == "孟浩然"


@pytest.mark.parametrize(
    "paragraphs",
    [
        [],
        [""],
        ["，。"],
        ["白日依山盡，黃河入海。"],
        ["冰□已鏤津，來朝麗景新。"],
        ["to be or，not to be。"],
        ["[爽]節在重九。"],
    ],
)
def test_what_is_no_regular_poem_is_left_out(paragraphs):
    assert tang_poems.lines_of(paragraphs) is None


def test_lines_end_at_punctuation():
    assert tang_poems.lines_of(["白日依山盡，黃河入海流。", "欲窮千里目？更上一層樓！"]) == STORKS


def test_the_dictionary_knows_what_mandarin_has_lost(dictionary):
    assert len(dictionary.names) == 106 and dictionary.level == 30
    # White had the entering tone, which was oblique; today it is read with a rising tone, which counts as level.
    assert dictionary.tones("白") == {"|"} and dictionary.tones("春") == {"-"} and dictionary.tones("x") == frozenset()
    assert not dictionary.groups.keys() & set("Publicdomainfalse")
    assert dictionary.shared("流", "樓") and not dictionary.shared("流", "山") and not dictionary.shared("流", "?")


# Quatrains


def test_rhymes_and_tones_of_known_poems(dictionary):
    assert quatrains.rhymes(STORKS, dictionary) and quatrains.rhymes(SPRING, dictionary)
    assert rhymes_today(SPRING) and not rhymes_today((*STORKS[:3], "更上一層山"))
    assert is_regulated(STORKS, dictionary) and not is_regulated(SPRING[:1] * 4, dictionary)


def test_no_line_stands_on_both_sides():
    parts = split(tang_poems.load(), held_out=100, seed=3)
    assert len(parts.test) == 100 and 90 <= len(parts.valid) <= 100
    held = {line for part in (parts.valid, parts.test) for quatrain in part for line in quatrain}
    learned = [*parts.quatrains, *parts.blocks, *parts.cut]
    assert not any(line in held for quatrain in learned for line in quatrain)
    assert not {line for q in parts.valid for line in q} & {line for q in parts.test for line in q}
    assert all(len(q) == 4 and all(len(line) == 5 for line in q) for q in learned)


@pytest.mark.parametrize("poems", [(), [tang_poems.Poem("a", "b", STORKS)] * 50])
def test_too_few_quatrains_are_refused(poems):
    with pytest.raises(ValueError, match="more than twice 10 quatrains"):
        split(poems, held_out=10)


def test_rows_come_back(dictionary):
    coding = Coding.of([STORKS, SPRING], dictionary, least=1)
    rows = coding.encode([STORKS, SPRING])
    assert rows.shape == (2, 21) and rows.dtype == np.int32
    assert coding.decode(rows) == [STORKS, SPRING] and coding.decode(rows[:, 1:]) == [STORKS, SPRING]
    planned = rows[:, 0] - len(coding.characters) - 1
    assert [dictionary.names[plan][-1] for plan in planned] == ["尤", "篠"]
    unrhymed = (*STORKS[:3], "更上一層山")
    assert coding.plan(unrhymed) == coding.no_rhyme == coding.vocabulary - 1
    assert coding.decode(coding.encode([("□日依山盡", *STORKS[1:])]))[0][0] == "□日依山盡"


def test_sounds_are_shares(dictionary):
    coding = Coding.of([STORKS, SPRING], dictionary, least=1)
    sounds = coding.sounds()
    assert sounds.shape == (coding.vocabulary, 109) and sounds[0].sum() == 0
    known = [character in dictionary.groups for character in coding.characters] + [True] * 106
    assert np.allclose(sounds[1:-1, :107].sum(axis=1), known) and np.allclose(sounds[1:-1, -2:].sum(axis=1), known)
    assert sounds[-1].tolist() == [*[0] * 106, 1, 0, 0]


@pytest.mark.parametrize("given", [[], [STORKS[:3]], [("白日依山", *STORKS[1:])], [("", "", "", "")], [STORKS * 1000]])
def test_what_is_no_quatrain_has_no_row(dictionary, given):
    coding = Coding.of([STORKS], dictionary, least=1)
    with pytest.raises(ValueError, match="wanted"):
        coding.encode(given)


@pytest.mark.parametrize("rows", [[], [[1] * 19], [[1.0] * 20], [[999] * 20], [[-1] * 20]])
def test_what_is_no_row_has_no_quatrain(dictionary, rows):
    with pytest.raises(ValueError, match="wanted"):
        Coding.of([STORKS], dictionary, least=1).decode(rows)


def test_an_unknown_script_has_no_tokens(dictionary):
    coding = Coding.of([STORKS], dictionary, least=1)
    assert not coding.encode([("ΑΒΓΔΕ", "ЖЗИЙК", "abcde", "あいうえお")])[0, 1:].any()
    with pytest.raises(ValueError, match="occur 6 times"):
        Coding.of([STORKS], dictionary)


def test_the_nearest_line_is_found():
    lines = Lines([STORKS, SPRING])
    assert lines.nearest("黃河入海流") == ("黃河入海流", 5)
    assert lines.nearest("白日上山盡") == ("白日依山盡", 4)
    assert lines.nearest("ABCDE").shared == 0
    with pytest.raises(ValueError, match="five characters"):
        lines.nearest("白日")
    with pytest.raises(ValueError, match="at least one"):
        Lines([])


def test_reading_is_pinyin():
    assert reading("春眠不覺曉") == "chūn mián bù jué xiǎo" and reading("□") == "□"


# The models


@pytest.fixture(scope="module")
def small(dictionary):
    parts = split(tang_poems.load()[::20], held_out=20)
    coding = Coding.of(parts.quatrains + parts.blocks, dictionary, least=12)
    rows = coding.encode(parts.blocks)
    counts = np.bincount(rows[:, 1:].ravel(), minlength=coding.vocabulary)
    vectors = poet.neighbour_vectors(rows, 1 + len(coding.characters), 16)
    # What a new poet costs depends on its random weights.
    keras.utils.set_random_seed(3)
    return coding, rows, poet.Poet(coding.sounds(), counts, vectors, width=16, depth=1)


def test_a_new_poet_begins_with_the_frequencies(small):
    coding, rows, model = small
    counts = np.bincount(rows[:, 1:].ravel(), minlength=coding.vocabulary) + 0.5
    frequencies = -np.log(counts / counts.sum())[rows[:20, 1:]]
    found = training.costs(model, rows[:20])
    assert found.shape == (20, 20) and abs(found.mean() - frequencies.mean()) < 0.05


def test_costs_do_not_see_what_comes_later(small):
    coding, rows, model = small
    changed = rows[:3].copy()
    changed[:, 10:] = 1
    assert np.allclose(training.costs(model, rows[:3])[:, :9], training.costs(model, changed)[:, :9], atol=1e-5)
    with pytest.raises(ValueError, match="at least one row"):
        training.costs(model, rows[:0])
    with pytest.raises(ValueError, match="counts were wanted"):
        poet.Poet(coding.sounds(), [1, 2], np.zeros((5, 16)), width=16, depth=1)
    with pytest.raises(ValueError, match="vectors"):
        poet.Poet(coding.sounds(), np.ones(coding.vocabulary), np.zeros((5, 8)), width=16, depth=1)


def test_vectors_know_who_stands_beside_whom():
    # In every line 1 is followed by 2 and 3 by 4, and 5 stands alone, or the pairs are the other way round.
    rows = np.array([[9, *[1, 2, 3, 4, 5] * 4], [9, *[3, 4, 1, 2, 5] * 4]] * 10)
    vectors = poet.neighbour_vectors(rows, 6, 8)
    follows = vectors[:, :4] @ vectors[:, 4:].T
    assert vectors.shape == (6, 8) and vectors.dtype == np.float32 and np.isclose(vectors.std(), 0.05)
    assert follows[1, 2] > max(follows[1, 4], follows[2, 1]) and follows[3, 4] > max(follows[3, 2], follows[4, 3])
    for width in (0, 3, 12):
        with pytest.raises(ValueError, match="even width"):
            poet.neighbour_vectors(rows, 6, width)


@pytest.mark.parametrize("told", [False, True])
def test_the_ngram_knows_its_place(small, told):
    coding, rows, _ = small
    count = 1 + len(coding.characters)
    rival = poet.PlacedNGram(rows, count, coding.vocabulary, 5, told)
    costs = rival.costs(rows[:2])
    for place in (0, 3, 9, 19):
        following = rival.following(rows[0, : place + 1].tolist())
        assert following.shape == (count,) and np.isclose(following.sum(), 1)
        # What little the counts leave to tokens that are no characters is shared out.
        shared_out = costs[0, place] + np.log(following[rows[0, place + 1]])
        assert -1e-9 < shared_out < 0.3


def test_a_mixture_is_never_worse_than_its_best_model():
    rng = np.random.default_rng(1)
    costs = rng.gamma(2, 1, size=(3, 200, 20))
    weights = poet.mixing_weights(costs)
    assert np.allclose(weights.sum(axis=0), 1)
    assert poet.mixed(costs, weights).mean() < costs.mean(axis=(1, 2)).min()
    # One model that is always better gets all the weight.
    sure = poet.mixing_weights(np.stack([costs[0], costs[0] + 3]), rounds=500)
    assert (sure[0] > 0.99).all()
    for wrong in ([], [[1.0]], np.ones((2, 0, 20))):
        with pytest.raises(ValueError, match="were wanted"):
            poet.mixing_weights(wrong)


def test_writing_keeps_to_the_seed_and_the_form(small):
    coding, rows, model = small
    count = 1 + len(coding.characters)
    rival = poet.PlacedNGram(rows, count, coding.vocabulary, 3)
    plans, halves = [count, count, coding.no_rhyme], np.full((2, 20), 0.5)
    written = poet.write(model, plans, count, 7, [rival], halves)
    assert np.array_equal(written, poet.write(model, plans, count, 7, [rival], halves))
    assert not np.array_equal(written, poet.write(model, plans, count, 8, [rival], halves))
    assert written[:, 0].tolist() == plans and written[:, 1:].min() >= 1 and written[:, 1:].max() < count
    assert len(coding.decode(written)) == 3


@pytest.mark.parametrize(
    "plans, weights, message",
    [
        ([], None, "one at least"),
        ([1.5], None, "whole plans"),
        ([0], None, "plans from"),
        ([10**6], None, "plans from"),
        (None, np.ones((2, 20)), r"weights \(1, 20\)"),
    ],
)
def test_what_cannot_be_written_is_refused(small, plans, weights, message):
    coding, _, model = small
    given = [coding.no_rhyme] if plans is None else plans
    with pytest.raises(ValueError, match=message):
        poet.write(model, given, 1 + len(coding.characters), 0, weights=weights)
