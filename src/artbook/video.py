"""Moving pictures as files: MP4 with H.264 and AAC, written and read with PyAV (book chapter ``film``).

This pair of codecs is the one that Chromium, Firefox and Safari all play. The same pictures always give the same file.
"""

import io
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

from artbook.data.keyboard import is_whole

MAX_SECONDS = 10
SOUND_RATES = (16000, 22050, 24000, 32000, 44100, 48000)
_SIDES = range(16, 1025)
_RATES = (1, 60)
# Quality: 0 loses nothing, 51 nearly all. At 26 the lines of a drawing stay clean.
_QUALITY = "26"
_SOUND_BITS = 64_000
_AAC_FRAME = 1024

Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Video:
    """What is in a file.

    Attributes:
        frames: uint8 ``(T, H, W, 3)``, red, green, blue.
        rate: frames a second.
        sound: of one channel, float32 ``(N,)`` between -1 and 1; empty if there is none.
        sound_rate: samples a second; 0 if there is no sound.
    """

    frames: Frames
    rate: float
    sound: npt.NDArray[np.float32]
    sound_rate: int


def encode(frames: npt.ArrayLike, rate: int, sound: npt.ArrayLike | None = None, sound_rate: int = 22050) -> bytes:
    """Make an MP4 file of pictures, with or without sound.

    Args:
        frames: uint8 ``(T, H, W)``, grey, or ``(T, H, W, 3)``, red, green, blue; sides even, 16 to 1,024 pixels; at
            most ten seconds.
        rate: frames a second, whole, 1 to 60.
        sound: of one channel, ``(N,)`` between -1 and 1, as long as the pictures up to the length of one frame.
        sound_rate: samples a second, one of ``SOUND_RATES``.

    Returns:
        The file.

    Raises:
        ValueError: there is no frame, or an argument is not as above.
    """
    pictures = _checked_frames(frames, rate)
    samples = None if sound is None else _checked_sound(sound, sound_rate, len(pictures) / rate, 1 / rate)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": _QUALITY, "preset": "slow"})
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "yuv420p"
        # The result depends on the number of threads.
        stream.codec_context.thread_count = 1
        voice = None
        if samples is not None:
            voice = container.add_stream("aac", rate=sound_rate, layout="mono")
            voice.bit_rate = _SOUND_BITS
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
        if voice is not None and samples is not None:
            for begin in range(0, len(samples), _AAC_FRAME):
                piece = av.AudioFrame.from_ndarray(samples[np.newaxis, begin : begin + _AAC_FRAME], "fltp", "mono")
                piece.sample_rate, piece.pts, piece.time_base = sound_rate, begin, Fraction(1, sound_rate)
                container.mux(voice.encode(piece))
            container.mux(voice.encode())
    return file.getvalue()


def decode(content: bytes) -> Video:
    """Read a file of moving pictures, as a browser does.

    Args:
        content: the bytes of the file.

    Raises:
        ValueError: it is no such file, or it has no pictures.
    """
    try:
        with av.open(io.BytesIO(content), "r") as container:
            stream = container.streams.video[0]
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
            rate = float(stream.average_rate or 0)
        sound, sound_rate = _sound_of(content)
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(
            f"a file with moving pictures was wanted; {len(content)} bytes that are none: {error}"
        ) from error
    if not frames:
        raise ValueError("a file with moving pictures was wanted; it has no frame")
    return Video(np.stack(frames), rate, sound, sound_rate)


def _sound_of(content: bytes) -> tuple[npt.NDArray[np.float32], int]:
    with av.open(io.BytesIO(content), "r") as container:
        if not container.streams.audio:
            return np.zeros(0, np.float32), 0
        stream = container.streams.audio[0]
        pieces = [frame.to_ndarray()[0] for frame in container.decode(stream)]
        return np.concatenate(pieces), stream.rate


def _checked_frames(frames: npt.ArrayLike, rate: int) -> Frames:
    if not is_whole(rate, *_RATES):
        raise ValueError(f"a whole rate of {_RATES[0]} to {_RATES[1]} frames a second was wanted; {rate!r} was given")
    pictures = np.asarray(frames)
    if pictures.ndim not in (3, 4) or pictures.dtype != np.uint8 or pictures.shape[3:] not in ((), (3,)):
        raise ValueError(
            "uint8 frames of shape (T, H, W) or (T, H, W, 3) were wanted;"
            f" {pictures.dtype} of shape {pictures.shape} was given"
        )
    if not len(pictures):
        raise ValueError("at least one frame was wanted; none was given")
    if any(side not in _SIDES or side % 2 for side in pictures.shape[1:3]):
        raise ValueError(
            f"even sides of {_SIDES[0]} to {_SIDES[-1]} pixels were wanted; frames of {pictures.shape[1:3]} were given"
        )
    if len(pictures) > MAX_SECONDS * rate:
        raise ValueError(f"at most {MAX_SECONDS} s were wanted; {len(pictures) / rate:.1f} s were given")
    coloured = pictures if pictures.ndim == 4 else np.repeat(pictures[..., np.newaxis], 3, axis=3)
    return np.ascontiguousarray(coloured)


def _checked_sound(sound: npt.ArrayLike, rate: int, seconds: float, slack: float) -> npt.NDArray[np.float32]:
    samples = np.asarray(sound, dtype=np.float32)
    if samples.ndim != 1 or not len(samples):
        raise ValueError(f"samples of shape (N,) were wanted; the shape {samples.shape} was given")
    if not np.abs(samples).max() <= 1:
        raise ValueError(f"samples between -1 and 1 were wanted; the largest is {np.abs(samples).max()}")
    if rate not in SOUND_RATES:
        raise ValueError(f"one of the rates {SOUND_RATES} was wanted for the sound; {rate!r} was given")
    if abs(len(samples) / rate - seconds) > slack:
        raise ValueError(
            f"sound as long as the pictures, {seconds:.2f} s, was wanted; it lasts {len(samples) / rate:.2f} s"
        )
    return samples
