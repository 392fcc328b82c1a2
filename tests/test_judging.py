import numpy as np
import pytest

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
