"""Moving pictures: what is encoded comes back, and what is no film is refused."""

import re

import numpy as np
import pytest

from artbook import show, video

RATE = 22050
# A bright square that walks to the right over a grey page.
WALK = np.full((20, 48, 64), 90, dtype=np.uint8)
for number, frame in enumerate(WALK):
    frame[16:32, 2 * number : 2 * number + 16] = 220
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)
NAN = float("nan")


def test_pictures_and_sound_come_back():
    read = video.decode(video.encode(WALK, 10, TONE, RATE))
    assert read.frames.shape == (20, 48, 64, 3) and read.rate == 10 and read.sound_rate == RATE
    assert np.abs(read.frames[..., 0].astype(float) - WALK).mean() < 3
    assert len(read.sound) / RATE == pytest.approx(2, abs=0.1)
    spectrum = np.abs(np.fft.rfft(read.sound))
    assert spectrum.argmax() * RATE / len(read.sound) == pytest.approx(440, abs=2)


def test_the_same_pictures_give_the_same_file():
    assert video.encode(WALK, 10, TONE) == video.encode(WALK, 10, TONE)


def test_colours_stay_and_silence_is_no_sound():
    red = np.zeros((3, 32, 32, 3), dtype=np.uint8)
    red[..., 0] = 200
    read = video.decode(video.encode(red, 5))
    assert len(read.sound) == 0 and read.sound_rate == 0
    assert np.abs(read.frames.mean(axis=(0, 1, 2)) - [200, 0, 0]).max() < 12


HUGE = np.broadcast_to(np.uint8(0), (2, 10_000, 10_000))


@pytest.mark.parametrize(
    ("frames", "rate", "message"),
    [
        (WALK[:0], 10, "at least one frame"),
        (np.zeros((3, 1, 1), np.uint8), 10, r"even sides of 16 to 1024 pixels were wanted; frames of \(1, 1\)"),
        (np.zeros((3, 33, 32), np.uint8), 10, "even sides"),
        (HUGE, 10, r"frames of \(10000, 10000\)"),
        (WALK / 255, 10, "uint8 frames of shape"),
        (WALK[0], 10, "uint8 frames of shape"),
        (np.zeros((3, 32, 32, 4), np.uint8), 10, "uint8 frames of shape"),
        (WALK, 0, "a whole rate of 1 to 60 frames a second was wanted; 0 was given"),
        (WALK, 12.5, "a whole rate"),
        (WALK, 61, "a whole rate"),
        (WALK, 1, "at most 10 s were wanted; 20.0 s"),
    ],
)
def test_frames_that_are_refused(frames, rate, message):
    with pytest.raises(ValueError, match=message):
        video.encode(frames, rate)


@pytest.mark.parametrize(
    ("sound", "rate", "message"),
    [
        (TONE[:RATE], RATE, r"as long as the pictures, 2.00 s, was wanted; it lasts 1.00 s"),
        (np.concatenate([TONE, TONE]), RATE, "it lasts 4.00 s"),
        (TONE, 8000, "one of the rates"),
        (3 * TONE, RATE, "between -1 and 1"),
        (np.full(2 * RATE, NAN), RATE, "between -1 and 1"),
        (np.zeros((2, RATE)), RATE, r"samples of shape \(N,\)"),
        (TONE[:0], RATE, r"samples of shape \(N,\)"),
    ],
)
def test_sounds_that_are_refused(sound, rate, message):
    with pytest.raises(ValueError, match=message):
        video.encode(WALK, 10, sound, rate)


@pytest.mark.parametrize("content", [b"", b"no film", video.encode(WALK, 10)[:200]])
def test_what_is_no_file_of_moving_pictures(content):
    with pytest.raises(ValueError, match="a file with moving pictures was wanted"):
        video.decode(content)


# The player


def test_a_clip_has_controls_and_a_poster_and_does_not_start_by_itself():
    clip = show.clip(WALK, 10, 'A "square" walks', TONE, RATE, poster=3)
    assert repr(clip) == 'Film: A "square" walks (2 s)'
    html = clip._repr_html_()
    assert 'aria-label="A &quot;square&quot; walks"' in html and " controls " in html
    assert 'poster="data:image/png;base64,' in html and 'src="data:video/mp4;base64,' in html
    assert 'width="64" height="48"' in html
    assert not re.search("autoplay|loop|http", html)
    assert len(html) <= show.MAX_CLIP_BYTES


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"title": " "}, "a title"),
        ({"poster": 20}, "the number of one of 20 frames"),
        ({"poster": 0.5}, "the number of one of 20 frames"),
        ({"rate": 0}, "a whole rate"),
        ({"frames": WALK[:0]}, "at least one frame"),
    ],
)
def test_clips_that_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        show.clip(**{"frames": WALK, "rate": 10, "title": "a walk"} | changed)


def test_a_film_too_large_for_a_page_is_refused():
    noise = np.random.default_rng(0).integers(0, 256, (12, 256, 256), dtype=np.uint8)
    with pytest.raises(ValueError, match="a film of at most 400000 bytes"):
        show.clip(noise, 10, "noise")
