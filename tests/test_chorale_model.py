"""The model of the chorales: tokens and their way back, exact likelihood, no leak, the same step by step; composing."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from conftest import passes_on_the_other_backend

from artbook.data import chorales
from artbook.music import chorale_training
from artbook.music.chorale_model import ORDER
from artbook.music.chorale_tokens import (
    BEAT,
    FEATURES,
    GOAL,
    HOLD,
    HORIZON,
    MAX_STEPS,
    SILENCE,
    UNTOLD,
    VOCABULARY,
    Piece,
    Plan,
    copy_hints,
    rows,
    to_sounds,
    to_tokens,
    to_voices,
)
from artbook.music.chorale_training import Recipe, build, token_costs, train, trained
from artbook.music.composing import (
    FREE,
    RANGES,
    compose,
    harmonise,
    melody_on_grid,
    melody_plan,
    soprano_given,
)
from artbook.music.hymn_tunes import BASE, HymnTunes
from artbook.music.piano_roll import Note
from artbook.music.plans import PlanCounts

SMALL = Recipe(steps=3, memory=12, hidden=10, batch=4, beats=16, pieces=4)


@pytest.fixture(scope="module")
def pieces():
    return [Piece.of(chorales.load()[name]) for name in ("bwv269", "bwv320", "bwv386")]


@pytest.fixture(scope="module")
def model(pieces):
    # One of the pieces is among the tunes that it knows.
    made = build(pieces[:2], SMALL, seed=1)
    rng = np.random.default_rng(1)
    # Weights so large that every input matters.
    made.set_weights([weight + rng.normal(0, 0.3, weight.shape) for weight in made.get_weights()])
    return made


def plan_of(length, **changes):
    position = (np.arange(length) % 16).astype(np.int16)
    fermatas = np.zeros(length, dtype=bool)
    fermatas[-4:] = True
    return replace(Plan(0, False, 4, position, fermatas), **changes)


def test_the_other_backend_passes_the_same_tests():
    # How a model is trained there, the chapter shows.
    passes_on_the_other_backend(__file__, without="training or trained")


# --- plans and tokens ---


def test_a_plan_by_hand():
    plan = plan_of(12, tonic=7, minor=True)
    assert (plan.length, plan.shift, plan.fifths) == (12, 5, -2)
    assert plan.features[:, 0].tolist() == [0, 1, 2, 3] * 3
    assert plan.features[:, 1].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert plan.features[:, 2].tolist() == [8, 7, 6, 5, 4, 3, 2, 1] + [HORIZON + k for k in (4, 3, 2, 1)]
    assert plan.features[:, 3].tolist() == list(range(12))
    assert plan.features[:, 4].tolist() == list(range(11, -1, -1))
    assert set(plan.features[:, GOAL]) == {0}
    assert set(plan.features[:, 6]) == {19}
    told = replace(plan, goals=np.array([UNTOLD, *range(11)], dtype=np.int8))
    assert told.features[:, GOAL].tolist() == list(range(12))


def test_lines_end_with_their_fermatas():
    held = np.array([0, 0, 1, 1, 0, 1, 0], dtype=bool)
    assert plan_of(7, fermatas=held).lines == [(0, 4), (4, 6)]
    assert plan_of(7, fermatas=np.zeros(7, dtype=bool)).lines == []
    assert plan_of(2, fermatas=np.ones(2, dtype=bool)).lines == [(0, 2)]


def test_the_goal_of_a_line_is_the_bass_on_which_it_ends(pieces):
    for piece in pieces:
        pitches, plan = to_voices(piece.tokens, piece.plan)[0], piece.plan
        assert len(plan.lines) > 3
        for begin, end in plan.lines:
            assert plan.fermatas[end - 1] and not plan.fermatas[end : end + 1].any()
            assert set(plan.goals[begin:end]) == {(pitches[end - 1, 3] - plan.tonic) % 12}
    # The last line of a piece in major leads home.
    assert pieces[0].plan.goals[pieces[0].plan.lines[-1][0]] == 0


def test_every_chorale_has_a_plan_and_comes_back_from_its_tokens():
    for chorale in chorales.load().pieces[::7]:
        played, piece = chorale.performed(), Piece.of(chorale)
        assert (piece.plan.features >= 0).all() and (piece.plan.features < FEATURES).all()
        assert piece.plan.fifths == chorale.fifths
        pitches, onsets = to_voices(piece.tokens, piece.plan)
        np.testing.assert_array_equal(pitches, played.pitches)
        np.testing.assert_array_equal(onsets, played.onsets)


def test_tokens_by_hand():
    pitches = np.array([[60, 55, -1, 48], [60, 55, -1, 48], [62, 55, 52, -1]])
    onsets = np.array([[1, 1, 0, 1], [0, 1, 0, 0], [1, 0, 1, 0]], dtype=bool)
    tokens = to_tokens(pitches, onsets, plan_of(3))
    assert tokens.tolist() == [[32, 27, HOLD, 20], [HOLD, 27, HOLD, HOLD], [34, HOLD, 24, SILENCE]]
    assert to_sounds(tokens).tolist() == [[31, 26, 0, 19], [31, 26, 0, 19], [33, 26, 23, 0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tonic": 12}, "a tonic from 0 to 11"),
        ({"beats_per_bar": 0}, "1 to 6 beats"),
        ({"position": np.zeros(3, dtype=np.int16)}, "of one shape"),
        ({"position": np.full(8, -1)}, "whole positions from 0"),
        ({"position": np.zeros(8)}, "whole positions from 0"),
        ({"fermatas": np.zeros(8)}, "bool fermatas"),
        ({"goals": np.zeros(7, dtype=int)}, r"whole goals \(8,\)"),
        ({"goals": np.zeros(8)}, "whole goals"),
        ({"goals": np.full(8, 12)}, "whole goals"),
        ({"goals": np.full(8, -2)}, "whole goals"),
        ({"position": np.zeros(0, dtype=int), "fermatas": np.zeros(0, dtype=bool)}, "T from 1"),
        (
            {"position": np.zeros(MAX_STEPS + 1, dtype=int), "fermatas": np.zeros(MAX_STEPS + 1, dtype=bool)},
            f"T from 1 to {MAX_STEPS}",
        ),
    ],
)
def test_what_is_no_plan_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        plan_of(8, **change)


def test_what_cannot_become_tokens_is_refused():
    plan, none = plan_of(1), np.zeros((1, 4), dtype=bool)
    with pytest.raises(ValueError, match="of shape"):
        to_tokens(np.zeros((2, 4), dtype=int), none, plan)
    with pytest.raises(ValueError, match="pitches from 30 to 87 were wanted; 20"):
        to_tokens(np.array([[60, 60, 60, 20]]), none, plan)
    with pytest.raises(ValueError, match="tokens from 0 to"):
        to_voices(np.full((1, 4), VOCABULARY), plan)
    with pytest.raises(ValueError, match="whole tokens"):
        to_voices(np.zeros((1, 4)), plan)


def test_a_hint_is_what_followed_the_longest_match():
    frames = np.repeat(np.arange(10, 16), 4).reshape(6, 4)
    tokens = np.concatenate([frames, frames])
    hints = copy_hints(tokens)
    # Two chords are the shortest match: eight notes.
    assert (hints[:8] == 0).all()
    assert hints[8:].tolist() == [[12 + step] * 4 + [1 + (step > 1)] for step in range(4)]


def test_a_chord_that_is_held_gives_no_hint():
    held = np.concatenate([np.full((1, 4), 30), np.full((40, 4), HOLD)])
    assert (copy_hints(np.concatenate([held, held + (held > 0)])) == 0).all()


def test_rows_have_every_frame_once(pieces):
    votes = [np.full((piece.plan.length, VOCABULARY), 1 / VOCABULARY, np.float32) for piece in pieces]
    laid_out = rows(pieces, votes, 16)
    assert laid_out.tokens.shape[1:] == (16, BEAT, 4)
    assert laid_out.weights.sum() == sum(piece.plan.length for piece in pieces)
    whole = rows(pieces, votes)
    assert len(whole.tokens) == 3
    with pytest.raises(ValueError, match="at least one piece"):
        rows([], [])
    with pytest.raises(ValueError, match="at least 4 beats"):
        rows(pieces, votes, 3)


# --- the tunes that are known ---


def test_a_tune_is_heard_by_hand():
    """Two tunes of four frames; what follows the first note of one, and of neither."""
    tunes = [np.array(each)[:, None] for each in ([40, HOLD, 42, HOLD], [40, HOLD, 45, HOLD])]
    known = HymnTunes.of([Piece(plan_of(4), np.tile(tune, 4).astype(np.int32)) for tune in tunes])
    new = Piece(plan_of(4), np.tile([[40], [HOLD], [42], [HOLD]], 4).astype(np.int32))
    votes = known.votes(new)
    np.testing.assert_allclose(votes.sum(axis=1), 1, rtol=1e-6)
    assert votes[0, 40] == votes[1, HOLD] == 1
    assert votes[2, 42] == votes[2, 45] == 0.5
    # Two notes match in the first tune, none in the second.
    assert votes[3, HOLD] == 1
    alone = known.votes(new, owner=0)
    assert alone[2, 45] == 1


def test_a_longer_match_has_more_votes():
    lines = [[40, 42, 44, 46], [41, 42, 44, 47], [43, 50, 44, 48]]
    known = HymnTunes.of([Piece(plan_of(4), np.tile(np.array(line)[:, None], 4).astype(np.int32)) for line in lines])
    votes = known.votes(Piece(plan_of(4), np.tile(np.array([[40], [42], [44], [46]]), 4).astype(np.int32)))[3]
    assert votes[46] / votes[47] == pytest.approx(BASE)
    assert votes[47] / votes[48] == pytest.approx(BASE)
    with pytest.raises(ValueError, match="at least one piece"):
        HymnTunes.of([])


def test_a_piece_is_no_help_to_itself(pieces):
    known = HymnTunes.of(pieces)
    index = np.arange(pieces[0].plan.length), pieces[0].tokens[:, 0]
    assert known.votes(pieces[0])[index].mean() > 0.9 > known.votes(pieces[0], owner=0)[index].mean()


# --- the model ---


def test_the_probabilities_of_a_frame_sum_to_one(model, pieces):
    """Of two voices of a frame, with the rest as it is: every pair of tokens."""
    laid_out = rows(pieces[:1], [model.tunes.votes(pieces[0])], 4)
    inputs = laid_out.inputs(slice(1))
    pairs = np.stack(np.meshgrid(np.arange(VOCABULARY), np.arange(VOCABULARY)), axis=-1).reshape(-1, 2)
    many = [np.repeat(each, len(pairs), axis=0) for each in inputs]
    first, second = ORDER[:2]
    many[-1][:, 2, 1, first], many[-1][:, 2, 1, second] = pairs.T
    frames = np.ones((len(pairs), 4, 1), dtype=np.int32)
    logits = keras.ops.convert_to_numpy(model([*many, frames]))[:, 2, 0].astype(float)
    log_p = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    index = np.arange(len(pairs))
    both = log_p[index, first, pairs[:, 0]] + log_p[index, second, pairs[:, 1]]
    assert np.exp(both).sum() == pytest.approx(1, abs=1e-4)


def test_what_comes_later_changes_nothing_before(model, pieces):
    piece = pieces[0]
    changed = piece.tokens.copy()
    changed[50, ORDER[1]] = 40
    before, after = (token_costs(model, [replace(piece, tokens=each)])[0] for each in (piece.tokens, changed))
    np.testing.assert_allclose(before[:50], after[:50], atol=1e-5)
    assert before[50, ORDER[0]] == pytest.approx(after[50, ORDER[0]], abs=1e-5)
    assert (np.abs(before[50] - after[50])[list(ORDER[1:])] > 1e-4).all()
    assert np.abs(before[51:] - after[51:]).max() > 1e-3


def test_the_sampler_pays_for_tokens_what_the_model_asks(model, pieces):
    taught = token_costs(model, pieces)
    written = compose(model, [piece.plan for piece in pieces], [piece.tokens for piece in pieces])
    for piece, costs, composition in zip(pieces, taught, written, strict=True):
        np.testing.assert_array_equal(composition.tokens, piece.tokens)
        np.testing.assert_allclose(composition.costs, costs, atol=1e-4)


def test_samples_cost_what_the_model_asks_and_stay_in_range(model, pieces):
    plan = pieces[1].plan
    composition = compose(model, [plan, plan], temperature=1.2, top_p=0.9, seed=3)[1]
    pitches, _ = composition.voices
    for voice, (low, high) in enumerate(RANGES):
        sounding = pitches[:, voice][pitches[:, voice] >= 0]
        assert sounding.min() >= low and sounding.max() <= high
    [costs] = token_costs(model, [Piece(plan, composition.tokens)])
    np.testing.assert_allclose(composition.costs, costs, atol=1e-4)


def test_a_goal_is_heard_and_means_the_same_as_a_sound(model, pieces):
    """A goal changes what is paid, and its own logits go to the tokens of its pitch class."""

    def paid(goals):
        return token_costs(model, [replace(pieces[0], plan=replace(pieces[0].plan, goals=goals))])[0]

    untold, home, third = (np.full(pieces[0].plan.length, goal, dtype=np.int8) for goal in (UNTOLD, 0, 4))
    assert np.abs(paid(untold) - paid(home)).max() > 0.1 < np.abs(paid(home) - paid(third)).max()
    np.testing.assert_array_equal(paid(untold), paid(None))
    weights = model.get_weights()
    try:
        for variable in model.variables:
            variable.assign(np.zeros(variable.shape))
        # All hidden units at 1, and a score for the pitch class of the goal alone.
        model.deepen.bias.assign(np.ones(model.hidden))
        model.from_goal.kernel.assign(np.eye(12)[0] * np.ones((model.hidden, 1)))
        costs = paid(third)
    finally:
        model.set_weights(weights)
    tokens = pieces[0].tokens
    struck = tokens > SILENCE
    # The pitch class E, four semitones above the tonic, which is C in the tokens.
    goal = struck & ((tokens - 2 + 30) % 12 == 4)
    assert goal.any() and costs[goal].max() < 2 < model.hidden < costs[struck & ~goal].min()


def test_other_tunes_may_lead_the_soprano(model, pieces, monkeypatch):
    piece, others = pieces[0], HymnTunes.of(pieces[1:2])
    own, led = (compose(model, [piece.plan], [piece.tokens], tunes=tunes)[0].costs for tunes in (None, others))
    monkeypatch.setattr(model, "tunes", others)
    np.testing.assert_allclose(led, token_costs(model, [piece])[0], atol=1e-4)
    assert np.abs(led - own)[:, 0].max() > 0.1
    np.testing.assert_allclose(led[:, 1:], own[:, 1:], atol=1e-4)


@pytest.mark.parametrize("steer", [False, True])
def test_what_is_given_stays(model, pieces, steer):
    piece = pieces[0]
    given = np.full((piece.plan.length, 4), FREE)
    given[:, 0] = piece.tokens[:, 0]
    given[:9] = piece.tokens[:9]
    written = compose(model, [piece.plan] * 3, [given] * 3, seed=1, steer=steer)
    again = compose(model, [piece.plan] * 3, [given] * 3, seed=1, steer=steer)
    for one, other in zip(written, again, strict=True):
        np.testing.assert_array_equal(one.tokens[given != FREE], given[given != FREE])
        np.testing.assert_array_equal(one.tokens, other.tokens)
        [costs] = token_costs(model, [Piece(piece.plan, one.tokens)])
        np.testing.assert_allclose(one.costs, costs, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "a temperature above 0"),
        ({"temperature": float("nan")}, "a temperature above 0"),
        ({"top_p": 0.0}, "top_p above 0"),
        ({"top_p": 1.1}, "top_p above 0"),
        ({"seed": -1}, "a seed from 0"),
        ({"given": [np.zeros((8, 3), dtype=int)]}, "were wanted for each plan"),
        ({"given": [np.full((8, 4), VOCABULARY)]}, "were wanted for each plan"),
        ({"given": [np.zeros((8, 4))]}, "were wanted for each plan"),
        ({"given": [np.full((8, 4), -2)]}, "were wanted for each plan"),
    ],
)
def test_what_cannot_be_composed_is_refused(model, options, message):
    with pytest.raises(ValueError, match=message):
        compose(model, [plan_of(8)], **options)


def test_no_plan_and_different_plans_to_steer_are_refused(model):
    with pytest.raises(ValueError, match="at least one plan"):
        compose(model, [])
    with pytest.raises(ValueError, match="the same for all"):
        compose(model, [plan_of(8), plan_of(12)], steer=True)


@pytest.mark.parametrize("places", [np.arange(1, 9), np.array([0, 1, 2, 3, 0, 1, 3, 2]), np.zeros(8, dtype=int)])
def test_a_plan_that_is_off_the_beat_is_refused(model, places):
    with pytest.raises(ValueError, match="sixteenth by sixteenth"):
        compose(model, [plan_of(8), plan_of(8, position=places.astype(np.int16))])


# --- training ---


def test_training_lowers_the_cost():
    result = train(chorale_training.pieces()["train"], replace(SMALL, steps=30, learning_rate=1e-2), seed=0)
    assert result.losses[-5:].mean() < 0.8 * result.losses[:5].mean()
    assert result.cpu_seconds > 0


def test_a_batch_that_cannot_be_filled_is_refused(pieces):
    with pytest.raises(ValueError, match="at least 400 rows"):
        train(pieces, replace(SMALL, batch=400))


def test_a_model_is_trained_once_and_read_again(monkeypatch, tmp_path):
    monkeypatch.setenv("ARTBOOK_CACHE", str(tmp_path))
    first = trained(SMALL, seed=5)
    monkeypatch.setattr(chorale_training, "train", None)
    second = trained(SMALL, seed=5)
    for one, other in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(first.losses, second.losses)
    with pytest.raises(TypeError):
        trained(SMALL, seed=6)


@pytest.mark.parametrize("options", [{"memory": 0}, {"hidden": 1.5}, {"dropout": 1.0}])
def test_impossible_sizes_are_refused(pieces, options):
    with pytest.raises(ValueError, match="sizes from 1"):
        build(pieces, replace(SMALL, **options), seed=0)


# --- melodies ---

SCALE = [Note(67 + step, float(beat), 1.0) for beat, step in enumerate((0, 2, 4, 5))] + [Note(74, 4.0, 2.0)]


def test_a_melody_and_its_plan_by_hand():
    pitches, onsets = melody_on_grid(SCALE)
    assert pitches.tolist() == [67] * 4 + [69] * 4 + [71] * 4 + [72] * 4 + [74] * 8
    assert np.flatnonzero(onsets).tolist() == [0, 4, 8, 12, 16]
    plan = melody_plan(pitches, onsets, 7, pickup=1)
    assert plan.position.tolist() == [12, 13, 14, 15, *range(16), 0, 1, 2, 3]
    assert np.flatnonzero(plan.fermatas).tolist() == list(range(16, 24))
    given = soprano_given(pitches, onsets, plan)
    assert (given[:, 1:] == FREE).all()
    assert given[:6, 0].tolist() == [67 + 5 - 28, HOLD, HOLD, HOLD, 69 + 5 - 28, HOLD]


def test_a_melody_is_harmonised(model):
    pitches, onsets = melody_on_grid(SCALE)
    plan = melody_plan(pitches, onsets, 7)
    written = harmonise(model, plan, soprano_given(pitches, onsets, plan), tries=4)
    np.testing.assert_array_equal(written.voices[0][:, 0], pitches)
    with pytest.raises(ValueError, match="at least one try"):
        harmonise(model, plan, soprano_given(pitches, onsets, plan), tries=0)


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ([], "the piece is empty"),
        ([Note(40, 0, 1)], "that a soprano can sing"),
        ([Note(96, 0, 1)], "that a soprano can sing"),
        ([Note(60, 0, 2), Note(64, 1, 1)], "one note at a time"),
        ([Note(60, 60.0 * minute, 60.0) for minute in range(60)], f"at most {MAX_STEPS} sixteenths"),
        ([Note(60, -1, 1)], "start from 0"),
    ],
)
def test_melodies_that_no_one_can_sing_are_refused(notes, message):
    with pytest.raises(ValueError, match=message):
        melody_on_grid(notes)


def test_silence_and_an_impossible_pickup_make_no_plan():
    silence = np.full(8, -1, dtype=np.int16)
    with pytest.raises(ValueError, match="it is silent"):
        melody_plan(silence, np.zeros(8, dtype=bool), 0)
    with pytest.raises(ValueError, match="a pickup of 0 to 3"):
        melody_plan(*melody_on_grid(SCALE), 0, pickup=4)


# --- what a plan is worth ---


def test_plans_have_probabilities():
    plans = [piece.plan for piece in chorale_training.pieces()["train"]]
    counts = PlanCounts.fit(plans[:150], strength=1.0)
    costs = [counts.cost(plan) for plan in plans]
    assert min(costs) > 0
    assert np.mean(costs[:150]) < np.mean(costs[150:])
    # Of two ways to end a plan of two steps and of all longer ones: no more than 1 together.
    place = np.array([0, 1], dtype=np.int16)
    two = [plan_of(2, position=place, fermatas=np.array([False, held])) for held in (False, True)]
    assert sum(np.exp(-counts.cost(plan)) for plan in two) < 1


def test_goals_have_a_price_of_their_own():
    home, away = (np.full(8, goal, dtype=np.int8) for goal in (0, 5))
    counts = PlanCounts.fit([plan_of(8, goals=home)] * 3 + [plan_of(8, goals=away)], strength=1.0)
    bare = counts.cost(plan_of(8))
    asked = [np.full(8, goal, dtype=np.int8) for goal in range(-1, 12)]
    prices = [counts.cost(plan_of(8, goals=goals)) - bare for goals in asked]
    assert np.exp(-np.array(prices)).sum() == pytest.approx(1)
    assert prices[1] == min(prices) > 0
    assert prices[6] == sorted(prices)[1]


def test_a_plan_that_was_counted_often_costs_little():
    counts = PlanCounts.fit([plan_of(8)] * 1000, strength=0.01)
    assert counts.cost(plan_of(8)) < 0.01
    assert counts.cost(plan_of(8, tonic=3)) > 5
    with pytest.raises(ValueError, match="a strength above 0"):
        PlanCounts.fit([plan_of(8)], 0)
    with pytest.raises(ValueError, match="plans and a strength"):
        PlanCounts.fit([], 1)
