"""Sounds as files: what is heard comes back, the same file each time, and what is no sound is refused."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from artbook.show import MAX_PLAYER_BYTES
from artbook.sound import encode

RATE = 22050
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(10 * RATE) / RATE)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
@pytest.mark.parametrize("seconds", [0.02, 1.3, 10])
def test_a_sound_comes_back_as_long_as_loud_and_as_high(rate, seconds):
    samples = 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(np.ceil(seconds * rate))) / rate)
    content = encode(samples, rate)
    assert content[:4] == b"OggS" and content[28:36] == b"OpusHead"
    heard, heard_rate = soundfile.read(io.BytesIO(content))
    assert len(heard) / heard_rate == pytest.approx(len(samples) / rate, abs=1e-3)
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(np.sqrt(np.mean(samples**2)), rel=0.05)
    if seconds > 1:
        spectrum = np.abs(np.fft.rfft(heard))
        assert spectrum.argmax() * heard_rate / len(heard) == pytest.approx(440, abs=1)


def test_what_is_heard_is_what_was_given_at_the_same_time():
    # A low noise that swells: nothing of it lies above what Opus keeps.
    rng = np.random.default_rng(0)
    smooth = np.convolve(rng.normal(size=48_000), np.hanning(48), mode="same") * np.linspace(0, 1, 48_000)
    samples = 0.8 * smooth / np.abs(smooth).max()
    heard, rate = soundfile.read(io.BytesIO(encode(samples, 48_000)))
    assert rate == 48_000
    error = np.mean((heard - samples) ** 2) / np.mean(samples**2)
    assert 10 * np.log10(error) < -10


@pytest.mark.parametrize("samples", [TONE, np.random.default_rng(0).uniform(-1, 1, 10 * RATE)])
def test_ten_seconds_are_below_200_kilobytes_in_the_page(samples):
    assert len(encode(samples, RATE)) * 4 / 3 < MAX_PLAYER_BYTES


def test_another_process_makes_the_same_file():
    program = (
        "import sys, numpy as np; from artbook.sound import encode;"
        "sys.stdout.buffer.write(encode(0.5 * np.sin(np.arange(22050) / 9), 22050))"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert made[0] == made[1] == encode(0.5 * np.sin(np.arange(22050) / 9), 22050)


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros((2, RATE)), RATE, r"samples of shape \(N,\), at least 0.02 s, were wanted; the shape \(2, 22050\)"),
        (np.zeros(0), RATE, "at least 0.02 s"),
        (np.zeros(RATE // 60), RATE, "at least 0.02 s"),
        (np.zeros(10 * RATE + 1), RATE, "at most 10 s were wanted; the samples last 10.0 s"),
        (np.full(RATE, np.nan), RATE, "between -1 and 1 were wanted; the largest is nan"),
        (np.full(RATE, 1.5), RATE, "between -1 and 1 were wanted; the largest is 1.5"),
        (np.zeros(RATE), 7999, "8000 to 48000 samples a second was wanted; 7999 was given"),
        (np.zeros(RATE), 96_000, "96000 was given"),
        (np.zeros(RATE), 22050.0, "22050.0 was given"),
    ],
)
def test_what_is_no_sound_is_refused(samples, rate, message):
    with pytest.raises(ValueError, match=message):
        encode(samples, rate)
