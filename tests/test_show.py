import base64
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import pyplot as plt
from music21 import converter
from music21 import note as music21_note

from artbook import show
from artbook.data.chorales import load
from artbook.data.keyboard import KEYS, to_roll, voice_runs
from artbook.notation import spell, to_mei

NAN = float("nan")
RATE = 22050
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
MOTIF = np.repeat([[60], [62], [64], [64]], 4, axis=0)
MEI = "{http://www.music-encoding.org/ns/mei}"


@pytest.fixture(autouse=True)
def figures_closed():
    show.use_style()
    yield
    plt.close("all")


def excerpt(name, steps):
    piece = load()[name]
    return {
        "pitches": piece.pitches[:steps],
        "onsets": piece.onsets[:steps],
        "position": piece.position[:steps],
        "fermatas": piece.fermatas[:steps],
        "beats_per_bar": piece.beats_per_bar,
        "fifths": piece.fifths,
    }


# The player


def test_a_player_carries_its_sound_and_says_what_is_heard():
    player = show.audio(TONE, RATE, 'The A of "concert pitch"')
    assert repr(player) == 'Sound: The A of "concert pitch" (1 s)'
    html = player._repr_html_()
    assert 'aria-label="The A of &quot;concert pitch&quot;"' in html
    assert 'src="data:audio/ogg;base64,' in html and "http" not in html
    assert base64.b64encode(player.ogg).decode() in html and player.seconds == 1


def test_ten_seconds_of_noise_still_fit_into_a_page():
    noise = np.random.default_rng(0).uniform(-1, 1, 10 * RATE)
    assert len(show.audio(noise, RATE, "noise")._repr_html_()) <= show.MAX_PLAYER_BYTES


@pytest.mark.parametrize(
    ("samples", "rate", "title", "message"),
    [
        (np.full(RATE, 1.5), RATE, "t", "between -1 and 1"),
        (np.zeros(10 * RATE + 1), RATE, "t", "at most 10 s"),
        (np.zeros(RATE), RATE, " ", "a title"),
    ],
)
def test_sounds_that_are_refused(samples, rate, title, message):
    with pytest.raises(ValueError, match=message):
        show.audio(samples, rate, title)


def test_a_player_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(show, "MAX_PLAYER_BYTES", 1000)
    with pytest.raises(ValueError, match="at most 1000 bytes"):
        show.audio(TONE, RATE, "t")


# Files


def test_a_file_is_behind_a_link_that_says_what_it_is():
    made = show.download(b"MThd", "my chorale.mid")
    assert repr(made) == "File: my chorale.mid (4 bytes)"
    page = made._repr_html_()
    assert 'download="my chorale.mid"' in page and "Download my chorale.mid (0.0 kB)" in page
    assert f'href="data:audio/midi;base64,{base64.b64encode(b"MThd").decode()}"' in page


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "a.mid", "1 to 200000 bytes"),
        (bytes(200_001), "a.mid", "1 to 200000 bytes"),
        (b"x", "a.exe", "a file name"),
        (b"x", "mid", "a file name"),
        (b"x", "up/a.mid", "a file name"),
        (b"x", 'a".mid', "a file name"),
    ],
)
def test_files_that_are_refused(content, name, message):
    with pytest.raises(ValueError, match=message):
        show.download(content, name)


# The table


def test_columns_of_numbers_stand_to_the_right():
    rows = [("Bach", 3.98, "4.1 ± 0.2", "exact"), ("*ours*", "**4**", "", "5 seeds of"), ("x", "+0.5", "-1", "<2")]
    lines = show.table(["maker", "cost", "spread", "note"], rows).data.splitlines()
    assert lines[:2] == ["| maker | cost | spread | note |", "| --- | --: | --: | --- |"]
    assert lines[2:4] == ["| Bach | 3.98 | 4.1 ± 0.2 | exact |", "| *ours* | **4** |  | 5 seeds of |"]


@pytest.mark.parametrize("cell", ["± 0.5", "nan", "−3", ">2", "31 %"])
def test_a_column_of_such_cells_stands_to_the_right(cell):
    assert show.table(["cost"], [(cell,), ("1.5",)]).data.splitlines()[1] == "| --: |"


@pytest.mark.parametrize(("head", "rows"), [([], [[]]), (["a"], []), (["a", "b"], [("1",)]), (["a"], [("1", "2")])])
def test_tables_that_are_refused(head, rows):
    with pytest.raises(ValueError, match=f"rows of {len(head)} cells were wanted"):
        show.table(head, rows)


# The score


def test_chord_symbols_stand_under_the_bar_that_has_them():
    options = excerpt("bwv269", 52)
    score = show.score(**options, chords={0: "G", 20: "A<7"}, alt="with chords")
    assert score.svg.count('class="harm"') == 2
    assert "A&lt;7" in score.svg
    assert "harm" not in show.score(**options, alt="without").svg


def test_a_chord_symbol_of_a_pickup_stands_in_the_pickup():
    mei = to_mei(**excerpt("bwv269", 52), chords={0: "G", 4: "C", 12: "D"})
    assert re.findall(r'tstamp="(\w+)" place="below">(\w)\xa0<', mei) == [("1", "G"), ("1", "C"), ("3", "D")]


def test_a_score_is_a_picture_with_a_description():
    score = show.score(**excerpt("bwv269", 52), alt='Four bars of "BWV 269"')
    assert repr(score) == 'Score: Four bars of "BWV 269"'
    root = ElementTree.fromstring(score._repr_svg_())
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'Four bars of "BWV 269"'
    assert "max-width:100%" in root.get("style")
    width, height = (float(side) for side in root.get("viewBox").split()[2:])
    assert (float(root.get("width")), float(root.get("height"))) == (width, height)
    assert 500 < width < 700 and 100 < height < 600
    assert score.svg.count('class="fermata"') == 1
    heads = len(re.findall(r'class="note"', score.svg))
    piece = load()["bwv269"]
    assert heads == piece.onsets[:52].sum()


def test_the_same_score_is_the_same_file_and_another_shares_no_identifier():
    one, again = (show.score(MOTIF, alt="a motif").svg for _ in range(2))
    other = show.score(MOTIF + 1, alt="a motif, higher").svg
    assert one == again
    identifiers = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in (one, other)]
    assert identifiers[0] and not identifiers[0] & identifiers[1]


def test_a_score_that_would_lose_its_end_is_refused(monkeypatch):
    monkeypatch.setattr(show.verovio.toolkit, "getPageCount", lambda self: 2)
    with pytest.raises(ValueError, match="music for one picture was wanted; 16 steps"):
        show.score(MOTIF, alt="a motif")


def test_a_score_without_a_description_is_refused():
    with pytest.raises(ValueError, match="alt text"):
        show.score(MOTIF, alt="")


@pytest.mark.parametrize("name", ["bwv269", "bwv66.6", "bwv244.54", "bwv27.6", "bwv354"])
def test_music21_reads_from_the_score_what_was_written(name):
    piece = load()[name]
    length = len(piece.pitches)
    mei = to_mei(**excerpt(name, length))
    stream = converter.parseData(mei, format="mei")
    read = []
    for voice in [voice for part in stream.parts for voice in voices_of(part)]:
        notes = [each for each in voice if not (each.tie and each.tie.type in ("stop", "continue"))]
        read.append([each.pitch.midi for each in notes])
    written = [[pitch for _, _, pitch in runs if pitch >= 0] for runs in voice_runs(piece.pitches, piece.onsets)]
    assert read == written


def voices_of(part):
    """The notes of each layer of a staff, in order."""
    layers = {}
    for measure in part.getElementsByClass("Measure"):
        streams = list(measure.voices) or [measure]
        for number, stream in enumerate(streams):
            layers.setdefault(number, []).extend(stream.recurse().getElementsByClass(music21_note.Note))
    return list(layers.values())


def notes_of(mei, layer=0):
    root = ElementTree.fromstring(mei)
    layers = root.findall(f".//{MEI}staff[@n='1']/{MEI}layer")
    return [each for one in layers for each in one.iter() if each.tag in (f"{MEI}note", f"{MEI}rest")]


def test_lengths_bars_ties_and_rests_by_hand():
    # Five sixteenths from the second on, then a rest to the bar line, then a note over the bar line.
    column = [60] + [62] * 5 + [-1] * 6 + [64] * 12
    signs = notes_of(to_mei(np.array(column)[:, None], beats_per_bar=4))
    kinds = [(each.get("pname"), each.get("dur"), each.get("dots"), each.get("tie")) for each in signs]
    assert kinds == [
        ("c", "16", None, None),
        ("d", "8", "1", "i"),
        ("d", "8", None, "t"),
        (None, "4", "1", None),
        ("e", "4", None, "i"),
        ("e", "2", None, "t"),
    ]


def test_lengths_that_no_sign_has_on_a_beat():
    signs = notes_of(to_mei(np.full((20, 1), 60), beats_per_bar=5))
    assert [(each.get("dur"), each.get("dots")) for each in signs] == [("1", None), ("4", None)]


def test_accidentals_last_to_the_bar_line():
    # In G major: F sharp needs none, F natural one, once; the sharp returns in the next bar by itself.
    column = np.repeat([66, 65, 65, 66, 66, 65], 4)[:, None]
    onsets = (np.arange(24) % 4 == 0)[:, None]
    signs = notes_of(to_mei(column, onsets, beats_per_bar=4, fifths=1))
    assert [each.get("accid") for each in signs] == [None, "n", None, "s", None, "n"]


def test_a_tied_accidental_is_written_once():
    column = np.array([61] * 8 + [62] * 4 + [61] * 4)[:, None]
    signs = notes_of(to_mei(column, beats_per_bar=1))
    assert [(each.get("accid"), each.get("tie")) for each in signs] == [
        ("s", "i"),
        (None, "t"),
        (None, None),
        ("s", None),
    ]


def test_beams_join_short_notes_within_a_beat():
    column = np.array([60, 60, 62, 62, 64, 64, 64, 64, 65, 65, -1, -1, 67, 67, 69, 71])[:, None]
    root = ElementTree.fromstring(to_mei(column))
    assert [len(beam) for beam in root.iter(f"{MEI}beam")] == [2, 3]


def test_a_pickup_and_a_fermata():
    root = ElementTree.fromstring(to_mei(**excerpt("bwv269", 52)))
    bars = root.findall(f".//{MEI}measure")
    assert [bar.get("n") for bar in bars] == ["0", "1", "2", "3", "4"]
    assert [bar.get("metcon") for bar in bars] == ["false", None, None, None, None]
    assert [note.get("fermata") for note in root.iter(f"{MEI}note")].count("above") == 1


def test_the_bars_of_an_excerpt_are_counted_from_the_beginning_of_the_piece():
    whole = excerpt("bwv269", 52)
    for start, numbers in ((16, ["2", "3", "4"]), (20, ["2", "3", "4"])):
        part = {name: each[start:] if np.ndim(each) else each for name, each in whole.items()}
        before = np.count_nonzero(whole["position"][:start] == 0)
        root = ElementTree.fromstring(to_mei(**part, bars_before=before))
        assert [bar.get("n") for bar in root.iter(f"{MEI}measure")] == numbers


def test_staves_and_clefs():
    def staves(pitches):
        root = ElementTree.fromstring(to_mei(np.array(pitches)))
        return [staff.get("clef.shape") for staff in root.iter(f"{MEI}staffDef")]

    assert staves([[72]]) == ["G"]
    assert staves([[40]]) == ["F"]
    assert staves([[72, 64, 55, 40]]) == ["G", "F"]
    assert staves([[84, 79, 72]]) == ["G", "G"]


@pytest.mark.parametrize(
    ("pitch", "fifths", "following", "name"),
    [
        (60, 0, -1, ("C", 0, 4)),
        (66, 1, -1, ("F", 1, 4)),
        (68, 0, 69, ("G", 1, 4)),
        (70, 0, -1, ("B", -1, 4)),
        (63, 0, 62, ("E", -1, 4)),
        (63, 0, 64, ("D", 1, 4)),
        (59, -7, -1, ("C", -1, 4)),
        (60, 7, -1, ("B", 1, 3)),
        (0, 0, -1, ("C", 0, -1)),
    ],
)
def test_spelling(pitch, fifths, following, name):
    assert spell(pitch, fifths, following) == name


def test_every_spelling_is_its_pitch():
    semitones = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True))
    for fifths in range(-7, 8):
        for pitch in range(128):
            letter, alteration, octave = spell(pitch, fifths)
            assert 12 * (octave + 1) + semitones[letter] + alteration == pitch
            assert abs(alteration) <= 2
    for pitch, fifths in ((-1, 0), (128, 0), (60, 8), (60, -8), (60.5, 0), (NAN, 0), (60, 0.5)):
        with pytest.raises(ValueError, match="were given"):
            spell(pitch, fifths)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pitches": np.zeros((0, 1), dtype=int)},
        {"pitches": np.full((4, 9), 60)},
        {"pitches": np.full((4, 0), 60)},
        {"pitches": np.full((4, 1), 60.0)},
        {"pitches": np.full((4, 1), NAN)},
        {"pitches": np.full((4, 1), 128)},
        {"onsets": np.ones((3, 1), dtype=bool)},
        {"position": np.zeros(3, dtype=int)},
        {"position": np.full(16, 0.5)},
        {"position": np.arange(-1, 15)},
        {"fermatas": np.zeros(16)},
        {"steps_per_quarter": 3},
        {"beats_per_bar": 0},
        {"beats_per_bar": NAN},
        {"fifths": 8},
        {"fifths": 1.0},
    ],
    ids=str,
)
def test_scores_that_are_refused(wrong):
    with pytest.raises(ValueError, match="wanted"):
        show.score(**{"pitches": MOTIF, "alt": "a motif"} | wrong)


# Piano rolls


def test_a_piano_roll_shows_the_keys_that_are_used():
    axes = show.piano_roll(to_roll([[60], [72]]), 1).axes
    assert len(axes) == 1
    assert axes[0].get_ylim() == (58.5, 73.5)
    assert axes[0].get_xlim() == (0, 2)


def test_a_key_that_stays_on_is_one_bar_and_one_that_comes_again_is_two():
    (bars,) = show.piano_roll(to_roll([[60, -1], [60, 72], [72, -1], [-1, -1], [72, -1]]), 2).axes[0].containers
    drawn = [(bar.get_x(), bar.get_width(), bar.get_y() + bar.get_height() / 2) for bar in bars]
    assert drawn == [(0, 1, 60), (0.5, 1, 72), (2, 0.5, 72)]


def test_a_roll_of_probabilities_has_a_scale():
    assert len(show.piano_roll(np.full((3, KEYS), 0.4), 4).axes) == 2


def test_a_silent_roll_shows_all_keys():
    assert show.piano_roll(np.zeros((3, KEYS))).axes[0].get_ylim() == (19.5, 109.5)


@pytest.mark.parametrize("roll", [np.zeros(88), np.zeros((0, 88)), np.zeros((2, 87)), [[2.0] * 88], [[NAN] * 88]])
def test_rolls_that_are_refused(roll):
    with pytest.raises(ValueError, match="wanted"):
        show.piano_roll(roll)


def test_voices_are_drawn_with_their_notes():
    piece = excerpt("bwv269", 52)
    figure = show.voice_roll(piece["pitches"], piece["onsets"])
    bars = figure.axes[0].containers
    assert [len(each) for each in bars] == piece["onsets"].sum(axis=0).tolist()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["soprano", "alto", "tenor", "bass"]
    first = bars[0].patches[0]
    assert (first.get_x(), first.get_y() + first.get_height() / 2) == (0, 67)
    assert not show.voice_roll(MOTIF).legends


def test_where_two_voices_sing_one_note_both_are_seen():
    upper, lower = show.voice_roll([[64, 60], [60, 60], [60, 55]]).axes[0].containers
    assert [bar.get_height() for bar in upper] == pytest.approx([0.9, 0.9])
    assert [bar.get_height() for bar in lower] == pytest.approx([0.35, 0.9])


def test_silence_has_a_roll():
    assert show.voice_roll(np.full((4, 1), -1)).axes[0].get_ylim() == (58.5, 61.5)


@pytest.mark.parametrize("pitches", [np.zeros((0, 1), dtype=int), np.full((4, 5), 60), [[60.0]], [[NAN]]])
def test_voices_that_are_refused(pitches):
    with pytest.raises(ValueError, match="wanted"):
        show.voice_roll(pitches)


@pytest.mark.parametrize("steps", [0, -1, 1.5, NAN, True, 961])
def test_grids_that_are_refused(steps):
    for call in (lambda: show.piano_roll(np.zeros((1, KEYS)), steps), lambda: show.voice_roll(MOTIF, None, steps)):
        with pytest.raises(ValueError, match="1 to 960 steps a quarter note"):
            call()
