import numpy as np
import pytest

from artbook.data import chorales
from artbook.data.keyboard import to_roll
from artbook.music import judging

C_MAJOR, G_SEVENTH, CLUSTER = [48, 64, 67, 72], [43, 65, 71, 74], [60, 61, 62, 63]


def test_pitch_classes_forget_the_octave():
    classes = judging.pitch_classes(to_roll([C_MAJOR, [21, 33, 45, 108]]))
    assert [row.nonzero()[0].tolist() for row in classes] == [[0, 4, 7], [0, 9]]


def test_clashes_are_neighbouring_pitch_classes():
    # The last frame holds B and C: neighbours although their numbers, 11 and 0, are not.
    frames = to_roll([C_MAJOR, G_SEVENTH, CLUSTER, [59, 72, 79, 79]])
    assert judging.semitone_clashes(frames).tolist() == [0, 0, 3, 1]
    assert judging.semitone_clashes(np.ones((1, 88), dtype=bool)).tolist() == [12]


def test_a_chord_is_known_in_any_octave_and_spacing():
    known = judging.known_chords(to_roll([[60, 64, 67, 76], CLUSTER]), to_roll([C_MAJOR, G_SEVENTH]))
    assert known.tolist() == [True, False]


def test_copies_are_passages_that_stand_in_the_reference():
    reference = [to_roll([C_MAJOR, G_SEVENTH, C_MAJOR])]
    played = [to_roll([C_MAJOR, G_SEVENTH, CLUSTER]), to_roll([C_MAJOR])]
    assert judging.copied_share(played, reference, 1) == 3 / 4
    assert judging.copied_share(played, reference, 2) == 1 / 2
    assert judging.copied_share(played, reference, 3) == 0
    assert judging.copied_share(reference, reference, 3) == 1


def test_a_held_chord_is_kept_once():
    roll = to_roll([C_MAJOR, C_MAJOR, G_SEVENTH, C_MAJOR, C_MAJOR])
    np.testing.assert_array_equal(judging.without_repeats(roll), to_roll([C_MAJOR, G_SEVENTH, C_MAJOR]))
    assert judging.without_repeats(roll[:0]).shape == (0, 88)


def test_a_passage_does_not_run_from_one_piece_into_the_next():
    reference = [to_roll([C_MAJOR]), to_roll([G_SEVENTH])]
    assert judging.copied_share([to_roll([C_MAJOR, G_SEVENTH])], reference, 2) == 0


@pytest.mark.parametrize("frames", [np.zeros((2, 87), bool), np.zeros(88, bool), np.full((2, 88), np.nan)])
def test_frames_have_88_keys_and_are_bool(frames):
    for judge in (judging.pitch_classes, judging.semitone_clashes, judging.without_repeats):
        with pytest.raises(ValueError, match="was wanted"):
            judge(frames)
    for call in (judging.known_chords, lambda *rolls: judging.copied_share(*([roll] for roll in rolls), 1)):
        for rolls in ((frames, to_roll([C_MAJOR])), (to_roll([C_MAJOR]), frames)):
            with pytest.raises(ValueError, match="was wanted"):
                call(*rolls)


def test_a_passage_has_a_length_that_some_piece_has():
    for length in (0, 1.5, np.nan):
        with pytest.raises(ValueError, match="at least 1 frame"):
            judging.copied_share([to_roll([C_MAJOR])], [], length)
    with pytest.raises(ValueError, match="at least 2 frames"):
        judging.copied_share([to_roll([C_MAJOR])], [], 2)


# Voices on a grid


def voices(*columns):
    """Pitches and onsets of voices, each a list of MIDI numbers of one step; -1 is a rest."""
    pitches = np.array(columns, dtype=np.int8).T
    onsets = np.zeros(pitches.shape, dtype=bool)
    onsets[0] = True
    onsets[1:] = pitches[1:] != pitches[:-1]
    return pitches, onsets & (pitches >= 0)


SILENCE = voices(*[[-1] * 8] * 4)
ONE_CHORD = voices(*[[pitch] * 64 for pitch in (72, 67, 64, 48)])
ONE_STEP = voices([72], [67], [64], [48])
NOTHING = (np.zeros((0, 4), np.int8), np.zeros((0, 4), bool))
ONE_NOTE = voices([-1, 60, -1, -1], [-1] * 4, [-1] * 4, [-1] * 4)
DEGENERATE = [SILENCE, ONE_CHORD, ONE_STEP, NOTHING, ONE_NOTE]
RANGES = [[60, 81], [53, 74], [48, 69], [36, 64]]


def test_pitch_classes_are_counted_from_the_tonic_and_by_time():
    pitches, _ = voices([62, 62, 74, 69], [-1, -1, -1, -1])
    shares = judging.pitch_class_shares(pitches, tonic=2)
    assert shares[[0, 7]].tolist() == [0.75, 0.25] and shares.sum() == 1


def test_melodic_intervals_go_from_note_to_note_and_not_over_a_rest():
    pitches, onsets = voices([60, 60, 62, 62, -1, 64, 50, 65])
    shares = judging.melodic_interval_shares(pitches, onsets)
    # Up two, down 14 and up 15, of which both are an octave or more; nothing over the rest.
    assert np.flatnonzero(shares).tolist() == [0, 14, 24] and np.allclose(shares[[0, 14, 24]], 1 / 3)
    onsets[1] = True
    assert np.isclose(judging.melodic_interval_shares(pitches, onsets)[12], 1 / 4)


def test_lengths_are_those_of_notes_and_not_of_rests():
    pitches, onsets = voices([60] * 4 + [-1] * 2 + [62] * 20 + [64])
    shares = judging.note_length_shares(pitches, onsets)
    assert np.flatnonzero(shares).tolist() == [0, 3, 15] and np.allclose(shares[[0, 3, 15]], 1 / 3)


def test_harmonic_intervals_are_measured_from_the_bass():
    pitches, _ = voices([72, 76], [67, -1], [64, 67], [48, 60])
    shares = judging.harmonic_interval_shares(pitches)
    assert np.allclose(shares[[0, 4, 7]], [1 / 5, 2 / 5, 2 / 5])
    pitches, _ = voices([72, 72], [48, -1])
    assert judging.harmonic_interval_shares(pitches)[0] == 1


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("minor", [False, True])
def test_a_scale_with_its_triad_is_in_its_key(tonic, minor):
    scale = [0, 2, 3, 5, 7, 8, 11] if minor else [0, 2, 4, 5, 7, 9, 11]
    line = [60 + tonic + step for step in [*scale, 0, 7, scale[2], 0, 12]]
    key = judging.find_key(np.array([line]).T)
    assert key[:2] == (tonic, minor) and 0.7 < key.clarity <= 1


def test_the_profile_itself_is_perfectly_clear():
    weights = (100 * np.array(judging.KRUMHANSL_KESSLER)).round().astype(int)
    for minor in (False, True):
        line = np.repeat(np.arange(12) + 60, np.roll(weights[int(minor)], 7))
        key = judging.find_key(line[:, np.newaxis])
        assert key[:2] == (7, minor) and np.isclose(key.clarity, 1)


def test_all_keys_at_once_are_no_key():
    assert judging.find_key(np.arange(60, 72)[:, np.newaxis]) == judging.Key(0, False, 0.0)
    assert judging.find_key(SILENCE[0]) == judging.Key(0, False, 0.0)
    with pytest.raises(ValueError, match="two profiles"):
        judging.find_key(ONE_CHORD[0], np.ones((2, 12)))


def test_the_found_key_is_mostly_the_declared_one():
    pieces = chorales.load().split()["valid"]
    found = [judging.find_key(piece.pitches) for piece in pieces]
    minor = [piece.key.endswith("minor") for piece in pieces]
    tonics = [(7 * piece.fifths + 9 * each) % 12 for piece, each in zip(pieces, minor, strict=True)]
    right = [key[:2] == both for key, both in zip(found, zip(tonics, minor, strict=True), strict=True)]
    assert np.mean(right) > 0.7


def test_ranges_are_those_of_the_notes():
    assert judging.voice_ranges([voices([60, 72], [-1, 50])[0], voices([58], [-1])[0]]).tolist() == [[58, 72], [50, 50]]
    for pieces in ([], [SILENCE[0]], [NOTHING[0]]):
        with pytest.raises(ValueError, match="every voice sounds"):
            judging.voice_ranges(pieces)


def marks(*columns, steps=1):
    return judging.faults(voices(*columns)[0], RANGES[: len(columns)], steps_per_quarter=steps)


def test_parallel_fifths_and_octaves():
    assert marks([67, 69, 69, 71], [60, 62, 62, 64]) == (50, 0, 0, 0)
    # A twelfth counts as a fifth, two octaves as one.
    assert marks([79, 81], [60, 62])[:2] == (50, 0)
    assert marks([72, 74], [60, 62])[:2] == (0, 50)
    # Contrary motion, a held fifth, a fifth reached from elsewhere, and a rest between are none.
    for upper, lower in (
        ([67, 74], [60, 55]),
        ([67, 67], [60, 60]),
        ([67, 69], [59, 62]),
        ([67, -1, 69], [60, -1, 62]),
    ):
        assert marks(upper, lower)[:2] == (0, 0)


def test_all_pairs_of_voices_are_searched():
    chord = np.array([72, 67, 60, 48])
    moved = voices(*np.stack([chord, chord + 2], axis=1))[0]
    # Soprano and tenor, soprano and bass, tenor and bass in octaves, alto with both lower voices in fifths.
    counted = judging.faults(moved, RANGES, steps_per_quarter=1)
    assert (counted.parallel_fifths, counted.parallel_octaves) == (2 * 50, 3 * 50)


def test_crossing_and_leaving_the_range_are_counted_in_beats():
    assert marks([60, 64, 72, 72], [64, 60, 67, 67]).crossed == 25
    assert marks([60, 64, -1, 72], [64, 60, 67, 67], steps=4).crossed == 25
    assert marks([82, 81, 59, 60], [60] * 4).out_of_range == 50
    assert marks([-1, 59], [52, 60]).out_of_range == 100


def test_what_returns_after_a_lag_is_similar():
    pitches, _ = voices([60, 62, 60, 62, 60], [50, -1, 50, -1, 51])
    assert np.allclose(judging.self_similarity(pitches, [1, 2, 4, 5, 9]), [0, 4 / 5, 1 / 2, 0, 0])
    with pytest.raises(ValueError, match="at least one step"):
        judging.self_similarity(pitches, [0])


def test_a_passage_is_found_in_any_key_with_its_rhythm():
    rng = np.random.default_rng(0)
    known = [voices(*rng.integers(48, 72, size=(4, 30))) for _ in range(3)]
    new = voices(*rng.integers(48, 72, size=(4, 40)))
    for part in new:
        part[5:17] = known[1][part.dtype == bool][8:20]
    new[0][5:17] += 3
    new[1][5:17][0] = True
    assert judging.longest_matches([new, known[2]], known) == [(12, 5, 1, 8), (30, 0, 2, 0)]
    new[1][10] ^= True
    assert judging.longest_matches([new], known)[0].steps == 7


def test_one_voice_alone_is_compared_with_one_voice():
    tune = voices([60, 62, 64, 65, 67])
    other = voices([71, 65, 67, 69, 70, 60])
    assert judging.longest_matches([tune], [other]) == [(4, 0, 0, 1)]
    with pytest.raises(ValueError, match="as many voices"):
        judging.longest_matches([tune], [ONE_CHORD])
    with pytest.raises(ValueError, match="known pieces"):
        judging.longest_matches([tune], [])
    assert judging.longest_matches([], [tune]) == []


def test_a_chorale_matches_itself_in_another_key_and_a_slow_search_agrees():
    pieces = chorales.load().split()
    known = [(piece.pitches[:60], piece.onsets[:60]) for piece in pieces["train"][:8]]
    moved = pieces["train"][3].transposed(-2)
    asked = [(moved.pitches[:60], moved.onsets[:60])]
    asked += [(piece.pitches[:40], piece.onsets[:40]) for piece in pieces["test"][:3]]
    found = judging.longest_matches(asked, known)
    assert found[0] == (60, 0, 3, 0)
    for (pitches, onsets), match in zip(asked[1:], found[1:], strict=True):
        assert match.steps == max(slowly(pitches, onsets, *piece) for piece in known)


def slowly(pitches, onsets, known, known_onsets):
    """The longest match by trying every pair of places."""
    longest = 0
    for start in range(len(pitches) - 1):
        for there in range(len(known) - 1):
            length = 1
            shift = int(known[there, 0]) - int(pitches[start, 0])
            while (
                start + length < len(pitches)
                and there + length < len(known)
                and (
                    known[there + length - 1 : there + length + 1] - pitches[start + length - 1 : start + length + 1]
                    == shift
                ).all()
                and (known_onsets[there + length] == onsets[start + length]).all()
            ):
                length += 1
            longest = max(longest, length if length > 1 else 0)
    return longest


@pytest.mark.parametrize("piece", DEGENERATE, ids=["silence", "one chord", "one step", "nothing", "one note"])
def test_degenerate_music_is_measured_and_breaks_nothing(piece):
    pitches, onsets = piece
    for shares in (
        judging.pitch_class_shares(pitches),
        judging.melodic_interval_shares(pitches, onsets),
        judging.note_length_shares(pitches, onsets),
        judging.harmonic_interval_shares(pitches),
    ):
        assert np.isclose(shares.sum(), 1) or not shares.any()
    assert np.isfinite(judging.find_key(pitches).clarity)
    assert np.isfinite(judging.faults(pitches, RANGES)).all()
    assert np.isfinite(judging.self_similarity(pitches, [1, 16, 100])).all()
    assert judging.longest_matches([piece], DEGENERATE)[0].steps in (0, len(pitches))


def test_no_move_is_counted_in_one_chord():
    assert not judging.melodic_interval_shares(*ONE_CHORD).any()
    assert judging.note_length_shares(*ONE_CHORD)[15] == 1


@pytest.mark.parametrize("pitches", [np.zeros(4, int), np.zeros((3, 0), int), np.zeros((3, 4)), np.full((3, 4), 128)])
def test_voices_are_whole_numbers_on_a_grid(pitches):
    onsets = np.zeros(pitches.shape, dtype=bool)
    for judge in (
        judging.pitch_class_shares,
        judging.harmonic_interval_shares,
        judging.find_key,
        lambda each: judging.voice_ranges([each]),
        lambda each: judging.faults(each, RANGES),
        lambda each: judging.self_similarity(each, [1]),
        lambda each: judging.longest_matches([(each, onsets)], [ONE_CHORD]),
    ):
        with pytest.raises(ValueError, match=r"w(as|ere) wanted"):
            judge(pitches)


def test_onsets_have_the_shape_of_the_pitches():
    for measure in (judging.melodic_interval_shares, judging.note_length_shares):
        with pytest.raises(ValueError, match="onsets"):
            measure(ONE_CHORD[0], ONE_CHORD[1][:3])
    with pytest.raises(ValueError, match="onsets"):
        judging.longest_matches([ONE_CHORD], [(ONE_CHORD[0], ONE_CHORD[1][:3])])


def test_tonic_ranges_and_grid_are_checked():
    with pytest.raises(ValueError, match="a tonic"):
        judging.pitch_class_shares(ONE_CHORD[0], tonic=12)
    with pytest.raises(ValueError, match="ranges of shape"):
        judging.faults(ONE_CHORD[0], RANGES[:2])
    with pytest.raises(ValueError, match="steps a quarter"):
        judging.faults(ONE_CHORD[0], RANGES, steps_per_quarter=0)
