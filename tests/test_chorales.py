import io
import json
import re
import zipfile
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from music21 import corpus

from artbook.data import chorales, package_files
from artbook.data.chorales import REST, VOICES, NotFourVoicesError, load, read_score
from artbook.data.keyboard import to_roll
from artbook.data.manifest import corpus as entry_of

# From the corpus: a piece without anything special, one with a pickup and repeats, one with first and
# second endings, one among instruments, one with a change of time signature, one with grace notes.
SPECIAL = ("bwv66.6", "bwv269", "bwv8.6", "bwv248.23-2", "bwv27.6", "bwv299")


@pytest.fixture(scope="module")
def read():
    return load()


def test_every_score_is_kept_or_has_a_reason(read):
    assert len(read.pieces) + len(read.dropped) == 410
    assert len(read.pieces) == 406
    assert read.dropped["bwv846"] == "no soprano among its parts: Piano"
    assert sum(reason.startswith("the same notes as") for reason in read.dropped.values()) == 3


def test_arrays_are_sound_and_shared_ones_cannot_be_written(read):
    for piece in read.pieces:
        length = len(piece.pitches)
        assert piece.pitches.shape == piece.onsets.shape == (length, 4)
        assert piece.pitches.dtype == np.int8 and piece.onsets.dtype == bool
        assert piece.fermatas.shape == piece.position.shape == (length,)
        sounding = piece.pitches != REST
        assert piece.pitches[sounding].min() >= 36 and piece.pitches[sounding].max() <= 81
        assert not piece.onsets[~sounding].any()
        # A pitch that differs from the one before has begun.
        changed = piece.pitches[1:] != piece.pitches[:-1]
        assert (piece.onsets[1:] | ~changed | ~sounding[1:]).all()
        assert all(0 <= start < stop <= length for start, stop in piece.sections)
        assert piece.sections[-1][1] == length
    with pytest.raises(ValueError, match="read-only"):
        read.pieces[0].pitches[0] = 60


def music21_grid(score, length):
    pitches = np.full((length, 4), REST)
    onsets = np.zeros((length, 4), dtype=bool)
    for voice, name in enumerate(VOICES):
        part = next(part for part in score.parts if re.match(rf"{name}\b", part.partName))
        for note in part.flatten().notes:
            if not note.duration.isGrace:
                begin, end = (int(np.ceil(4 * float(at))) for at in (note.offset, note.offset + note.quarterLength))
                pitches[begin:end, voice] = note.pitches[0].midi
                if end > begin:
                    onsets[begin, voice] = note.tie is None or note.tie.type == "start"
    return pitches, onsets


@pytest.mark.parametrize("name", [name for name in SPECIAL if name != "bwv248.23-2"])
def test_music21_reads_the_same_notes(read, name):
    piece = read[name]
    pitches, onsets = music21_grid(corpus.parse(f"bach/{name}"), len(piece.pitches))
    np.testing.assert_array_equal(piece.pitches, pitches)
    np.testing.assert_array_equal(piece.onsets, onsets)


@pytest.mark.parametrize("name", ["bwv269", "bwv8.6"])
def test_music21_writes_out_the_same_repeats(read, name):
    piece = read[name].performed()
    score = corpus.parse(f"bach/{name}").expandRepeats()
    pitches, onsets = music21_grid(score, len(piece.pitches))
    np.testing.assert_array_equal(piece.pitches, pitches)
    np.testing.assert_array_equal(piece.onsets, onsets)


def test_bars_where_only_instruments_play_are_left_out(read):
    piece = read["bwv248.23-2"]
    score = corpus.parse("bach/bwv248.23-2")
    pitches, _ = music21_grid(score, int(4 * score.highestTime))
    sung = pitches[(pitches != REST).any(axis=1)]
    kept = piece.pitches[(piece.pitches != REST).any(axis=1)]
    np.testing.assert_array_equal(kept, sung)
    assert len(piece.pitches) < len(pitches)


def test_a_known_piece(read):
    piece = read["bwv269"]
    assert (piece.title, piece.key, piece.fifths, piece.beats_per_bar) == ("BWV 269", "G major", 1, 3.0)
    assert piece.pitches[0].tolist() == [67, 62, 59, 43]
    assert piece.position[:5].tolist() == [8, 9, 10, 11, 0]
    assert piece.sections == ((0, 84), (0, 252))
    assert np.flatnonzero(piece.fermatas)[0] == 40
    with pytest.raises(KeyError, match="no chorale 'bwv1000'"):
        read["bwv1000"]


def test_the_beat_is_kept_across_repeats(read):
    for piece in read.pieces:
        position = piece.performed().position
        jumps = np.flatnonzero(np.diff(position) != 1)
        assert (position[jumps + 1] % 4 == 0).all(), piece.name


def test_transposing(read):
    piece = read["bwv269"]
    up = piece.transposed(5)
    assert (up.key, up.fifths) == ("C major", 0)
    np.testing.assert_array_equal(up.pitches, piece.pitches + 5)
    np.testing.assert_array_equal(up.transposed(-5).pitches, piece.pitches)
    assert piece.transposed(12).key == piece.key
    assert read["bwv66.6"].key == "F♯ minor"
    assert read["bwv66.6"].transposed(-6).key == "C minor"
    with_rests = read["bwv8.6"]
    np.testing.assert_array_equal(with_rests.transposed(3).pitches == REST, with_rests.pitches == REST)
    for semitones in (100, -50):
        with pytest.raises(ValueError, match="MIDI range"):
            piece.transposed(semitones)
    for semitones in (0.5, float("nan"), True, "2"):
        with pytest.raises(ValueError, match="whole number"):
            piece.transposed(semitones)


def test_on_beats_keeps_what_sounds_on_each_beat(read):
    piece = read["bwv269"]
    beats = piece.on_beats()
    np.testing.assert_array_equal(beats.pitches, piece.pitches[::4])
    np.testing.assert_array_equal(beats.onsets, piece.onsets[::4])
    assert beats.position[:4].tolist() == [2, 0, 1, 2]
    assert beats.sections == ((0, 21), (0, 63))
    np.testing.assert_array_equal(beats.performed().pitches, piece.performed().pitches[::4])


def test_a_short_pickup_keeps_its_first_step(read):
    piece = read["bwv248.23-2"]
    assert piece.position[0] % 4 == 2
    np.testing.assert_array_equal(piece.on_beats().pitches[:3], piece.pitches[[0, 2, 6]])


def test_no_chorale_stands_in_two_parts(read):
    split = read.split()
    assert {part: len(pieces) for part, pieces in split.items()} == {"train": 224, "valid": 73, "test": 77}
    names = [piece.name for pieces in split.values() for piece in pieces]
    assert len(set(names)) == len(names)
    table = json.loads(files("artbook.data").joinpath("chorale_split_by_bwv.json").read_text())
    assert "Boulanger-Lewandowski" in table["origin"]
    for part, pieces in split.items():
        assert [piece.name for piece in pieces] == [name for name in table["bwv"][part] if name]
        missing = [name is None for name in table["bwv"][part]]
        assert missing == [shift is None for shift in table["shift_from_original_key"][part]]


def test_the_benchmark_has_the_properties_of_the_classic_one(read):
    rolls = read.benchmark()
    frames = {part: np.concatenate(pieces) for part, pieces in rolls.items()}
    assert {part: len(pieces) for part, pieces in rolls.items()} == {"train": 224, "valid": 73, "test": 77}
    # The classic one has 13,807, 4,602 and 4,725 frames in 229, 76 and 77 pieces, of at most 4 notes, 3.9 on average.
    for part, classic in {"train": 13_807, "valid": 4_602, "test": 4_725}.items():
        assert abs(len(frames[part]) / classic - 1) < 0.05
        assert frames[part].sum(axis=1).max() == 4
        assert 3.8 < frames[part].sum(axis=1).mean() < 4
    used = np.flatnonzero(frames["train"].any(axis=0)) + 21
    assert (used.min(), used.max()) == (43, 96)
    # "Note 1-gram" of Boulanger-Lewandowski et al. 2012: 11.06 nats per frame.
    rate = (frames["train"].sum(axis=0) + 1) / (len(frames["train"]) + 2)
    test = frames["test"]
    nats = -(test * np.log(rate) + ~test * np.log(1 - rate)).sum(axis=1).mean()
    assert nats == pytest.approx(11.06, abs=0.05)
    finals = [piece[-1].argmax() + 21 for pieces in rolls.values() for piece in pieces]
    assert np.mean([final % 12 == 0 for final in finals]) > 0.9


# The beginning of the first test piece of the classic benchmark, BWV 60.5, as MIDI numbers.
CLASSIC = "72 76 79 84|72 76 79 84|71 74 79 86|73 77 81 88|75 81 83 90|75 81 83 90||71 75 83 90|76 83 91|71 79 83 86"


def test_the_benchmark_begins_like_the_classic_one(read):
    roll = read.benchmark()["test"][0]
    for frame, notes in zip(roll, CLASSIC.split("|"), strict=False):
        assert (frame.nonzero()[0] + 21).tolist() == [int(note) for note in notes.split()]


def moved_by(part):
    table = json.loads(files("artbook.data").joinpath("chorale_split_by_bwv.json").read_text(encoding="utf-8"))
    pairs = zip(table["bwv"][part], table["shift_from_original_key"][part], strict=True)
    return [shift for name, shift in pairs if name is not None]


def test_the_benchmark_in_its_own_keys_is_the_same_music_moved(read):
    own, in_c, shifts = read.benchmark(original_keys=True)["test"], read.benchmark()["test"], moved_by("test")
    assert len(own) == len(in_c) == len(shifts) and len(set(shifts)) > 5
    for roll, shifted, shift in zip(own, in_c, shifts, strict=True):
        assert np.array_equal(np.roll(roll, shift, axis=1), shifted)


def test_off_beats_are_what_sounds_an_eighth_after_each_beat(read):
    late, pieces, shifts = read.off_beats(), read.split()["train"], moved_by("train")
    assert len(late) == len(pieces) == len(shifts)
    regular = 0
    for roll, piece, shift in zip(late, pieces, shifts, strict=True):
        played = piece.transposed(shift).performed()
        if np.array_equal(played.position % 4, np.arange(len(played.position)) % 4):
            assert np.array_equal(roll, to_roll(played.pitches[2::4]))
            regular += 1
    assert regular > 100


def score_of(measures, names=VOICES, key="<key><fifths>0</fifths><mode>major</mode></key>"):
    parts = "".join(f'<score-part id="P{n}"><part-name>{name}</part-name></score-part>' for n, name in enumerate(names))
    begin = (
        f"<attributes><divisions>2</divisions>{key}<time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
    )
    music = "".join(
        f'<part id="P{n}">'
        + "".join(f"<measure>{begin if m == 0 else ''}{body}</measure>" for m, body in enumerate(measures))
        + "</part>"
        for n in range(len(names))
    )
    return f"<score-partwise><part-list>{parts}</part-list>{music}</score-partwise>".encode()


def note(step, duration, extra=""):
    return f"<note><pitch><step>{step}</step><octave>4</octave></pitch><duration>{duration}</duration>{extra}</note>"


def test_a_small_score_by_hand():
    bars = [
        # A pickup, with a grace note that takes no time.
        note("G", 2).replace("<note>", "<note><grace/>").replace("<duration>2</duration>", "") + note("G", 2),
        note("C", 6) + "<note><rest/><duration>2</duration></note>",
        # A chord keeps its first note, a tie begins no note, and what lies between two sixteenths is lost.
        note("E", 2)
        + note("G", 2, "").replace("<note>", "<note><chord/>")
        + note("E", 1, '<tie type="stop"/>')
        + "<backup><duration>1</duration></backup><forward><duration>5</duration></forward>",
    ]
    piece = read_score("small", score_of(bars))
    soprano = piece.pitches[:, 0].tolist()
    assert soprano == [67] * 4 + [60] * 12 + [REST] * 4 + [64] * 6
    assert np.flatnonzero(piece.onsets[:, 0]).tolist() == [0, 4, 20]
    assert piece.position[:6].tolist() == [12, 13, 14, 15, 0, 1]
    assert piece.key == "C major"


def test_a_note_between_two_sixteenths_is_lost():
    bars = [note("C", 1) + note("D", 1) + note("E", 2)]
    score = score_of(bars).replace(b"<divisions>2<", b"<divisions>8<")
    piece = read_score("fast", score)
    assert piece.pitches[:, 0].tolist() == [60, 64]
    assert piece.lost_notes == 4


@pytest.mark.parametrize(
    ("marks", "order"),
    [
        (("", "", ""), "CDE"),
        (("", "R", ""), "CDCDE"),
        (("", "FR", "R"), "CDDEE"),
        (("", "1R", "2"), "CDCE"),
    ],
)
def test_repeats(marks, order):
    xml = {
        "F": '<repeat direction="forward"/>',
        "R": '<repeat direction="backward"/>',
        "1": '<ending number="1" type="start"/><ending number="1" type="stop"/>',
        "2": '<ending number="2" type="start"/><ending number="2" type="stop"/>',
    }
    bars = [
        note(step, 8) + "".join(f"<barline>{xml[mark]}</barline>" for mark in signs)
        for step, signs in zip("CDE", marks, strict=True)
    ]
    played = read_score("repeats", score_of(bars)).performed()
    names = {60: "C", 62: "D", 64: "E"}
    assert "".join(names[pitch] for pitch in played.pitches[::16, 0].tolist()) == order


def test_scores_that_are_none_are_refused():
    with pytest.raises(NotFourVoicesError, match="no tenor among its parts: Soprano, Alto, Bass"):
        read_score("three", score_of([note("C", 8)], ("Soprano", "Alto", "Bass")))
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    for content in (b"", b"no xml", b"PK no zip", empty.getvalue(), b"<score-partwise>"):
        with pytest.raises(ValueError, match="a MusicXML score was wanted"):
            read_score("bad", content)
    uneven = score_of([note("C", 8)]).replace(b"</measure></part></score", b"</measure><measure/></part></score")
    with pytest.raises(ValueError, match="1, 1, 1, 2 bars"):
        read_score("uneven", uneven)
    with pytest.raises(ValueError, match="a key in major or minor"):
        read_score("dorian", score_of([note("C", 8)], key="<key><fifths>0</fifths><mode>dorian</mode></key>"))


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ARTBOOK_CACHE", str(tmp_path))
    load.cache_clear()
    yield tmp_path
    load.cache_clear()


def corpus_folder():
    return next(path for path in corpus.getCorePaths() if path.parent.name == "bach").parent


def test_other_bytes_than_those_of_the_manifest_are_refused(empty_cache, monkeypatch):
    monkeypatch.setattr(package_files, "installed_files", lambda *_: {"bwv1.6.mxl": b"other"})
    monkeypatch.setattr(package_files, "fetch", lambda source: empty_cache.parent / source.file)
    monkeypatch.setattr(package_files, "contents", lambda archive, under: {under + "bwv1.6.mxl": b"others again"})
    with pytest.raises(ValueError, match="its files have the digest"):
        load()
    assert not list(empty_cache.rglob("*"))


def test_the_pinned_wheel_serves_where_the_installed_scores_differ(empty_cache, monkeypatch):
    folder = corpus_folder()
    inside = {f"music21/corpus/bach/{path.name}": path.read_bytes() for path in folder.iterdir() if path.is_file()}
    monkeypatch.setattr(package_files, "installed_files", lambda *_: {})
    monkeypatch.setattr(package_files, "fetch", lambda source: empty_cache / source.file)
    monkeypatch.setattr(package_files, "contents", lambda archive, under: inside)
    assert len(chorales._scores(entry_of("music21"))) == 410


def test_without_music21_there_are_no_installed_scores(monkeypatch):
    monkeypatch.setattr(package_files.importlib.util, "find_spec", lambda name: None)
    assert package_files.installed_files("music21/corpus/bach/", ["*"]) == {}


@pytest.fixture
def few_scores(monkeypatch):
    """The corpus is the pieces of ``SPECIAL``, one that is kept beside them and two that are not."""
    names = [*SPECIAL, "bwv190.7", "bwv190.7-inst", "bwv846"]
    monkeypatch.setattr(
        chorales, "_scores", lambda source: {f"{n}.mxl": (corpus_folder() / f"{n}.mxl").read_bytes() for n in names}
    )


def test_the_cache_holds_what_was_read(read, empty_cache, few_scores, monkeypatch):
    for _ in ("read from the scores", "read from the cache"):
        few = load()
        assert [path.suffix for path in empty_cache.iterdir()] == [".npz"]
        assert few.dropped == {name: read.dropped[name] for name in ("bwv846", "bwv190.7")}
        assert [piece.name for piece in few.pieces] == sorted([*SPECIAL, "bwv190.7-inst"])
        for piece in few.pieces:
            for field, value in vars(read[piece.name]).items():
                np.testing.assert_array_equal(getattr(piece, field), value)
        load.cache_clear()
        # The second time nothing may be read from the scores.
        monkeypatch.setattr(chorales, "_scores", None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<pitch><step>C</step><octave>4</octave></pitch>", "<rest/>"),
        ("<divisions>2<", "<divisions>0<"),
        ("<beats>4<", "<beats>0<"),
        ("<beat-type>4<", "<beat-type>0<"),
        ("<step>C<", "<step>H<"),
        ("<octave>4<", "<octave>44<"),
        ("<octave>4<", "<octave>nan<"),
        ("<duration>8<", "<duration>eight<"),
        ("<note>", "<backup><duration>16</duration></backup><note>"),
    ],
)
def test_a_damaged_or_empty_score_is_refused(old, new):
    whole = score_of([note("C", 8)])
    assert read_score("whole", whole).pitches[:, 0].tolist() == [60] * 16
    with pytest.raises(ValueError, match="bad: a MusicXML score was wanted"):
        read_score("bad", whole.replace(old.encode(), new.encode()))


@given(st.data())
def test_a_score_with_other_bytes_is_a_chorale_or_a_value_error(data):
    content = bytearray(score_of([note("C", 8), note("D", 4) + note("E", 4)]))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(32, 126))
    try:
        piece = read_score("changed", bytes(content))
    except ValueError:
        return
    assert piece.pitches.shape == (len(piece.position), 4)


@pytest.mark.parametrize(
    "damage", [lambda whole: whole[:1000], lambda whole: b"", lambda whole: whole[:-20] + bytes(20)]
)
def test_a_damaged_cache_is_made_anew(read, empty_cache, few_scores, damage):
    load()
    [path] = empty_cache.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    load.cache_clear()
    again = load()
    assert path.read_bytes() == whole
    assert [piece.name for piece in again.pieces] == sorted([*SPECIAL, "bwv190.7-inst"])
    for piece in again.pieces:
        np.testing.assert_array_equal(piece.pitches, read[piece.name].pitches)
