"""Sounds as files: Opus in Ogg, written with PyAV.

Chromium, Firefox and Safari from 18.4 on play it. The same samples always give the same file.
"""

import io
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

from artbook.data.keyboard import is_whole

MAX_SECONDS = 10
RATES = (8000, 48000)
# In bits a second; plucked strings and an organ of one channel sound as before.
_BITS = 64_000
# Opus itself has no other rate.
_OPUS_RATE = 48_000
# What a frame of Opus holds, in seconds: less than one is no sound.
_SHORTEST = Fraction(20, 1000)


def encode(samples: npt.ArrayLike, rate: int) -> bytes:
    """Make an Ogg file of a sound.

    Args:
        samples: of one channel, ``(N,)``, between -1 and 1, a fiftieth of a second to ten seconds.
        rate: samples a second, 8,000 to 48,000.

    Returns:
        The file, of about 10 kB a second.

    Raises:
        ValueError: another shape, NaN, louder than 1, too short or too long, or another rate.
    """
    sound = np.asarray(samples, dtype=np.float32)
    if not is_whole(rate, *RATES):
        raise ValueError(f"a whole rate of {RATES[0]} to {RATES[1]} samples a second was wanted; {rate!r} was given")
    if sound.ndim != 1 or len(sound) < _SHORTEST * rate:
        raise ValueError(
            f"samples of shape (N,), at least {float(_SHORTEST)} s, were wanted; the shape {sound.shape} was given"
        )
    if len(sound) > MAX_SECONDS * rate:
        raise ValueError(f"at most {MAX_SECONDS} s were wanted; the samples last {len(sound) / rate:.1f} s")
    if not np.abs(sound).max() <= 1:
        raise ValueError(f"samples between -1 and 1 were wanted; the largest is {np.abs(sound).max()}")
    whole = av.AudioFrame.from_ndarray(sound[np.newaxis], "fltp", "mono")
    whole.sample_rate, whole.pts, whole.time_base = rate, 0, Fraction(1, rate)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=_OPUS_RATE)
    file = io.BytesIO()
    # Otherwise the muxer draws the number of the stream at random.
    with av.open(file, "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=_OPUS_RATE, layout="mono")
        stream.bit_rate = _BITS
        for piece in (*resampler.resample(whole), *resampler.resample(None)):
            container.mux(stream.encode(piece))
        container.mux(stream.encode())
    return file.getvalue()
