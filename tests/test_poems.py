"""Tang poems, rhymes, quatrains as rows, and the models that write them."""

import keras
import numpy as np
import pytest

from artbook.data import rhymes as rhyme_data
from artbook.data import tang_poems
from artbook.words import poet, quatrains, training
from artbook.words.quatrains import PATTERNS, Coding, Lines, is_regulated, reading, rhymes_today, split, tone_pattern

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
    groups, kinds = coding.parts_of(rows[:, 0])
    assert [dictionary.names[group][-1] for group in groups] == ["尤", "篠"] and kinds.tolist() == [1, 2]
    unrhymed = (*STORKS[:3], "更上一層山")
    assert [int(part) for part in coding.parts_of(coding.plan(unrhymed))] == [106, 1]
    for wrong in (0, coding.vocabulary, 1.5):
        with pytest.raises(ValueError, match="plans from"):
            coding.parts_of([wrong])
    assert coding.decode(coding.encode([("□日依山盡", *STORKS[1:])]))[0][0] == "□日依山盡"


def test_sounds_are_shares(dictionary):
    coding = Coding.of([STORKS, SPRING], dictionary, least=1)
    sounds, characters = coding.sounds(), 1 + len(coding.characters)
    assert sounds.shape == (coding.vocabulary, 112) and sounds[0].sum() == 0
    known = [character in dictionary.groups for character in coding.characters]
    assert np.allclose(sounds[1:characters, :107].sum(axis=1), known)
    assert np.allclose(sounds[1:characters, 107:109].sum(axis=1), known) and not sounds[1:characters, 109:].any()
    assert (sounds[characters:, :107].sum(axis=1) == 1).all() and (sounds[characters:, 109:].sum(axis=1) == 1).all()
    assert sounds[-1].tolist() == [*[0] * 106, 1, 0, 0, 0, 0, 1]
    # The plan of a level rhyme has the level tone.
    assert np.flatnonzero(sounds[coding.plan(STORKS)])[1:].tolist() == [107, 110]


def test_the_patterns_of_tones(dictionary):
    assert tone_pattern(STORKS, dictionary) == PATTERNS[1] and tone_pattern(SPRING, dictionary) == ""
    # What each pattern is follows from its first tone: differ in the line, oppose in the couplet, begin as before.
    other = {"-": "|", "|": "-"}
    for pattern in PATTERNS:
        pairs = [pattern[at : at + 2] for at in range(0, 8, 2)]
        assert all(second == other[first] for first, second in pairs)
        assert pairs[1] == pairs[0][::-1] == pairs[2] == pairs[3][::-1]
    assert PATTERNS[0] == "".join(other[sign] for sign in PATTERNS[1])


def test_a_poem_is_allowed_by_its_own_plan_and_only_what_keeps_it(dictionary):
    coding = Coding.of([STORKS, SPRING], dictionary, least=1)
    rows = coding.encode([STORKS, SPRING])
    allowed = coding.allowed(rows[:, 0])
    assert allowed.shape == (2, 20, 1 + len(coding.characters)) and allowed[..., 0].all()
    assert np.take_along_axis(allowed, rows[:, 1:, None], axis=2).all()
    ends = {c for c, may in zip(coding.characters, allowed[0, 9, 1:], strict=True) if may}
    assert ends == {c for c in coding.characters if c in dictionary.members[coding.parts_of(rows[0, 0])[0]]}
    second = {c for c, may in zip(coding.characters, allowed[0, 1, 1:], strict=True) if may}
    assert second == {c for c in coding.characters if dictionary.tones(c) != {"-"}}
    # The other poem is free in its tones, and nothing is laid down between.
    assert allowed[1, 1].all() and allowed[:, 0].all() and not allowed[1, 9].all()
    # A group of which no character is known is not asked for.
    groups = [group for group, members in enumerate(dictionary.members) if not set(members) & set(coding.characters)]
    assert coding.allowed([1 + len(coding.characters) + 3 * groups[0] + 2]).all()


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
    # Enough rows that the random weights even out: with 20, some seeds are further away than this bound.
    frequencies = -np.log(counts / counts.sum())[rows[:400, 1:]]
    found = training.costs(model, rows[:400])
    assert found.shape == (400, 20) and abs(found.mean() - frequencies.mean()) < 0.05


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


def test_the_ngram_knows_its_place(small):
    coding, rows, _ = small
    count = 1 + len(coding.characters)
    rival = poet.PlacedNGram(rows, count, 5)
    found = rival(rows[:2])
    assert found.shape == (2, 20, count) and np.allclose(found.sum(axis=2), 1)
    # Counted in another way: the whole row through the n-gram that it holds.
    placed = np.stack([count + np.arange(20) % 5, rows[0, 1:]], axis=1).ravel()
    costs = rival.ngram.costs(placed)[1::2]
    # What little the counts leave to tokens that are no characters is shared out.
    shared_out = costs + np.log(np.take_along_axis(found[0], rows[0, 1:, None], axis=1)[:, 0])
    assert (shared_out > -1e-9).all() and (shared_out < 0.3).all()


def test_a_voice_costs_what_training_says(small):
    coding, rows, model = small
    count, some = 1 + len(coding.characters), rows[:60]
    seen = poet.judge(poet.voice(model, count), some, coding)
    costs = training.costs(model, some)
    assert seen.free.shape == seen.share.shape == (60, 20)
    # The model also leaves something to tokens that are no characters.
    assert (costs - seen.free > -1e-4).all() and np.ptp(costs - seen.free) < 0.5
    with pytest.raises(ValueError, match="at least one row"):
        poet.judge(poet.voice(model, count), rows[:0], coding)


def test_who_keeps_to_the_plan_pays_less(small):
    coding, rows, _ = small
    count = 1 + len(coding.characters)
    rng = np.random.default_rng(2)
    chances = rng.gamma(1, 1, size=count)
    chances /= chances.sum()
    seen = poet.judge(lambda some: np.broadcast_to(chances, (len(some), 20, count)), rows[:70], coding)
    assert np.allclose(seen.free, -np.log(chances[rows[:70, 1:]])) and (seen.held <= seen.free + 1e-9).all()
    for number in (0, 69):
        allowed = coding.allowed(rows[number : number + 1, 0])[0]
        mine = [-np.log(chances[c] / chances[may].sum()) for c, may in zip(rows[number, 1:], allowed, strict=True)]
        assert np.allclose(seen.held[number], mine)


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
    rival = poet.PlacedNGram(rows, count, 3)
    plans, halves = [count, count + 1, coding.vocabulary - 1], np.full((2, 20), 0.5)
    written = poet.write(model, plans, count, 7, [rival], halves)
    assert np.array_equal(written, poet.write(model, plans, count, 7, [rival], halves))
    assert not np.array_equal(written, poet.write(model, plans, count, 8, [rival], halves))
    assert written[:, 0].tolist() == plans and written[:, 1:].min() >= 1 and written[:, 1:].max() < count
    assert len(coding.decode(written)) == 3


def test_writing_keeps_to_what_is_allowed(small, dictionary):
    coding, rows, model = small
    count = 1 + len(coding.characters)
    plans = np.repeat(count + 3 * np.arange(3), 20) + np.tile([0, 1], 30)
    allowed = coding.allowed(plans)
    halves = np.full((2, 20), 0.5)
    written = poet.write(model, plans, count, 1, [poet.PlacedNGram(rows, count, 3)], halves, allowed)
    assert np.take_along_axis(allowed, written[:, 1:, None], axis=2).all()
    poems = coding.decode(written)
    assert all(quatrains.rhymes(poem, dictionary) and is_regulated(poem, dictionary) for poem in poems)
    for wrong in (allowed[:1], allowed & (np.arange(count) == 0)):
        with pytest.raises(ValueError, match="allowed character"):
            poet.write(model, plans, count, 1, allowed=wrong)


def test_draws_follow_the_probabilities(small):
    coding, rows, model = small
    count = 1 + len(coding.characters)
    rival = poet.PlacedNGram(rows, count, 3)
    plans = np.full(4000, coding.vocabulary - 1)
    # The rival alone speaks, and only the first character is looked at.
    drawn = poet.write(model, plans, count, 1, [rival], np.repeat([[0.0], [1.0]], 20, axis=1))[:, 1]
    wanted = rival.following(rows[:1], 0)[0, 1:]
    found = np.bincount(drawn, minlength=count)[1:] / len(plans)
    assert abs(found - wanted / wanted.sum()).sum() < 2.5 * np.sqrt(count / len(plans))


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
    given = [coding.vocabulary - 1] if plans is None else plans
    with pytest.raises(ValueError, match=message):
        poet.write(model, given, 1 + len(coding.characters), 0, weights=weights)
