"""The tunes: what the ABC files hold, every rule of the reading, music21's own reading, and what is refused."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from music21 import abcFormat
from music21.abcFormat import translate

from artbook.data import tunes
from artbook.data.package_files import installed_files
from artbook.data.tunes import COLLECTIONS, DURATIONS, MODES, REST, SPLITS, Tunes, load, read_tune, unrepeated

HEAD = "X:1\nT:A Test\nM:4/4\nL:1/8\nK:C\n"


def notes(body, head=HEAD):
    """The pitches, and the durations in eighths."""
    tune = read_tune("test", head + body)
    return tune.pitches.tolist(), (tune.durations / 24).tolist()


def in_c(pitches):
    names = {60: "C", 62: "D", 64: "E", 65: "F", 67: "G", 69: "A", 71: "B", REST: "z"}
    return "".join(names[pitch] for pitch in pitches)


# --- what the files hold ---


def test_every_tune_is_kept_or_has_a_reason():
    read = load()
    assert len(read.pieces) + len(read.dropped) == 2009 + 1180 + 1059
    assert len(read.dropped) < 500
    assert Counter(read.dropped.values()).most_common(1)[0][0] == "a jump"
    assert Counter(tune.collection for tune in read.pieces).keys() == set(COLLECTIONS)


def test_the_tunes_are_sound_and_cannot_be_written():
    for tune in load().pieces:
        assert len(tune.pitches) == len(tune.durations) == len(tune.begins_bar) > 0
        assert (tune.pitches.dtype, tune.durations.dtype, tune.begins_bar.dtype) == (np.int8, np.int16, bool)
        assert set(tune.durations.tolist()) <= set(DURATIONS)
        assert tune.mode in MODES and -7 <= tune.fifths <= 7
        assert (tune.pitches != REST).any() and ((tune.pitches == REST) | (tune.pitches >= 36)).all()
        assert not tune.pitches.flags.writeable and not tune.begins_bar.flags.writeable
    assert len({tune.name for tune in load().pieces}) == len(load().pieces)


def test_almost_every_bar_has_the_length_of_its_metre():
    lengths = []
    for tune in load().pieces:
        starts = np.cumsum(tune.durations) - tune.durations
        lengths.append(np.diff(starts[tune.begins_bar]) / (192 * tune.metre[0] / tune.metre[1]))
    assert (np.concatenate(lengths) == 1).mean() > 0.99


def test_a_known_tune_is_what_its_file_says():
    cockade = next(tune for tune in load().pieces if tune.name == "airdsAirs/book1/1")
    assert (cockade.title, cockade.metre, cockade.fifths, cockade.mode) == (
        "The Ranting Highlandman.",
        (2, 2),
        1,
        "major",
    )
    # AG|B2B2 B2AG|B2B2 B2g2| in G
    assert cockade.pitches[:10].tolist() == [69, 67, 71, 71, 71, 69, 67, 71, 71, 71]
    assert cockade.durations[:10].tolist() == [24, 24, 48, 48, 48, 24, 24, 48, 48, 48]
    assert np.flatnonzero(cockade.begins_bar)[:2].tolist() == [2, 7]
    # Its first part has 43 notes and is played twice.
    part = 43
    assert (cockade.pitches[:30] == cockade.pitches[part : part + 30]).all()


def test_music21_reads_the_same_notes():
    files = installed_files("music21/corpus/", [f"{folder}/*.abc" for folder in COLLECTIONS])
    texts = [t for name in sorted(files) for t in re.split(r"^(?=X:)", files[name].decode(), flags=re.MULTILINE)[1:]]
    compared = 0
    for text in texts[3::150]:
        # music21 loses notes after some ornaments, ties unequal notes and repeats other parts than the signs say.
        head, _, body = text.partition("\nK:")
        key, _, body = body.partition("\n")
        body = re.sub(r"::+|\|:+|:+\|", "|", re.sub(r'\{[^}]*\}|"[^"]*"|[~HTSMUkuv.-]|\((?!\d)|\)', "", body))
        plain = f"{head}\nK:{key}\n" + re.sub(r"\|[12]|\[[12]", "|", body)
        try:
            ours = read_tune("compared", plain)
        except ValueError:
            continue
        handler = abcFormat.ABCHandler(abcVersion=(2, 1, 0))
        handler.process(plain)
        part = translate.abcToStreamScore(handler).parts[0].stripTies()
        theirs = [
            (REST if note.isRest else max(pitch.midi for pitch in note.pitches), float(note.quarterLength) * 48)
            for note in part.recurse().notesAndRests
        ]
        assert list(zip(ours.pitches.tolist(), ours.durations.tolist(), strict=True)) == theirs, plain
        compared += 1
    assert compared > 15


def test_the_first_of_several_that_share_a_passage_is_kept():
    assert unrepeated([{b"a", b"b"}, {b"b", b"c"}, {b"c"}, set(), {b"a"}]) == [0, 2, 3]


def test_kept_tunes_share_no_passage_and_each_that_is_left_out_shares_one():
    passages = [tune.passages(12) for tune in load().pieces[:400]]
    kept = unrepeated(passages)
    together = set().union(*(passages[place] for place in kept))
    assert 0 < len(kept) < 400
    assert sum(len(passages[place]) for place in kept) == len(together)
    assert all(passages[place] & together for place in range(400) if place not in kept)


# --- the rules of the reading, one by one ---


@pytest.mark.parametrize(
    ("body", "pitches", "eighths"),
    [
        ("C,C c c'", [48, 60, 72, 84], [1, 1, 1, 1]),
        ("C2 C/ C/2 C3/2 C// C4", [60] * 6, [2, 0.5, 0.5, 1.5, 0.25, 4]),
        ("C>D E<F G>>A", [60, 62, 64, 65, 67, 69], [1.5, 0.5, 0.5, 1.5, 1.75, 0.25]),
        ("C2>D2 C > {e}D", [60, 62, 60, 62], [3, 1, 1.5, 0.5]),
        ("(3CDE F", [60, 62, 64, 65], [2 / 3, 2 / 3, 2 / 3, 1]),
        ("(3C/DE/", [60, 62, 64], [1 / 3, 2 / 3, 1 / 3]),
        ("(2CD (3:2:2CD E", [60, 62, 60, 62, 64], [1.5, 1.5, 2 / 3, 2 / 3, 1]),
        ("C-C D-E C2-|C2", [60, 62, 64, 60], [2, 1, 1, 4]),
        ("^C C|C =B _B B", [61, 61, 60, 71, 70, 70], [1] * 6),
        ("^c C|^^F __B", [73, 61, 67, 69], [1] * 4),
        ("z C2 x2", [REST, 60, REST], [1, 2, 2]),
        ('"Am"~C {de}vD (E .F) TG "^slow"A', [60, 62, 64, 65, 67, 69], [1] * 6),
        ("[CEG]2 [G2E2] C", [67, 67, 60], [2, 2, 1]),
        ("C[K:D]F[L:1/16]C[K:Bb]B", [60, 66, 61, 70], [1, 1, 0.5, 0.5]),
        ("C\nK:G\nF % a remark with D\nw: words\nC", [60, 66, 60], [1, 1, 1]),
        ("C`D\\\nE !trill!F!\nG", [60, 62, 64, 65, 67], [1] * 5),
    ],
)
def test_each_sign_is_read(body, pitches, eighths):
    found = notes(body)
    assert found[0] == pitches
    np.testing.assert_allclose(found[1], eighths)


@pytest.mark.parametrize(
    ("body", "order"),
    [
        ("C|D:|E|", "CDCDE"),
        ("C|:D:|E|", "CDDE"),
        ("|:C:||:D:|", "CCDD"),
        ("C::D:|", "CCDD"),
        ("C||D:|E|]", "CDDE"),
        ("|:C|1D:|2E||F:|", "CDCEFF"),
        ("C|[1D:|[2E|F|]", "CDCEF"),
        ("C|[1 D:|[2 E:|F:|", "CDCEFF"),
        ("|:C|1D|\n:|2E|]", "CDCE"),
    ],
)
def test_repeats_are_written_out(body, order):
    assert in_c(notes(body)[0]) == order


@pytest.mark.parametrize(
    ("key", "signs", "mode"),
    [
        ("C", 0, "major"),
        ("G", 1, "major"),
        ("Bb", -2, "major"),
        ("F#m", 3, "minor"),
        ("A Dorian", 1, "dorian"),
        ("Amix", 2, "mixolydian"),
        ("E Minor % a remark", 1, "minor"),
        ("Bphr", 1, "phrygian"),
        ("Glydian", 2, "lydian"),
    ],
)
def test_keys(key, signs, mode):
    tune = read_tune("key", f"X:1\nM:6/8\nK:{key}\nFCGDAEB")
    assert (tune.fifths, tune.mode, tune.metre) == (signs, mode, (6, 8))
    naturals = np.array([65, 60, 67, 62, 69, 64, 71])
    wanted = naturals + (np.arange(7) < signs) - (np.arange(7) >= 7 + signs)
    assert tune.pitches.tolist() == wanted.tolist()


def test_the_unit_length_follows_the_metre_when_it_is_not_given():
    assert read_tune("short", "X:1\nM:2/4\nK:C\nC").durations.tolist() == [12]
    assert read_tune("long", "X:1\nM:6/8\nK:C\nC").durations.tolist() == [24]


def test_bar_lines_that_repeats_divide_are_no_beginnings():
    tune = read_tune("bars", HEAD + "G|C4 D4|E4 F3:|G|A4 B4|C4 C3|]")
    assert in_c(tune.pitches) == "GCDEFGCDEFGABCC"
    assert np.flatnonzero(tune.begins_bar).tolist() == [1, 3, 6, 8, 11, 13]


@given(st.text(alphabet="ABCabcz^_=|:[]12/<>(3-{}\"~!, '\n", max_size=40))
def test_whatever_stands_there_is_read_or_refused(body):
    try:
        tune = read_tune("any", HEAD + body)
    except ValueError:
        return
    assert len(tune.pitches) == len(tune.durations) and set(tune.durations.tolist()) <= set(DURATIONS)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("X:1\nM:4/4\nC", "no key"),
        ("X:1\nK:C\nC", "the metre ''"),
        ("X:1\nM:17/23\nK:C\nC", "the metre '17/23'"),
        ("X:1\nM:4/4\nK:Hp\nC", "the key 'Hp'"),
        ("X:1\nM:4/4\nL:1/7\nK:C\nC", "the unit length '1/7'"),
        ("X:1\nM:4/4\nP:AABA\nK:C\nC", "a playing order"),
        (HEAD, "no notes"),
        (HEAD + "z4|z4|", "no notes"),
        (HEAD + "C & D", "the sign '&'"),
        (HEAD + "[CE&]", r"the sign '\[CE&\]'"),
        (HEAD + '"D.C."C', "a jump"),
        (HEAD + "C !segno! D", "a jump"),
        (HEAD + "[V:2]C", "more than one voice"),
        (HEAD + "C\nM:6/8\nD", "a change of metre"),
        (HEAD + "(5CDEFG", "a length between two ticks"),
        (HEAD + "C/0", "a length between two ticks"),
        (HEAD + "C///2", "the length ///2"),
        (HEAD + "C7", "a note of 168 ticks"),
        (HEAD + "C0", "a note of 0 ticks"),
        (HEAD + "C99", "a note of 2376 ticks"),
        (HEAD + "(3CD", "without its last note"),
        (HEAD + "C>", "without its last note"),
        (HEAD + "C>|D", "a broken rhythm across a bar line"),
        (HEAD + "|-C", "without a note before it"),
        (HEAD + "(1C", "a tuplet of 1"),
        (HEAD + "C|[3 D", "the ending 3"),
        (HEAD + "C|[2 D", "a second ending without a repeat"),
        (HEAD + "C,,,,,", "below C2 or above C8"),
    ],
)
def test_a_tune_that_is_not_read_says_why(text, reason):
    with pytest.raises(ValueError, match=reason):
        read_tune("bad", text)


# --- the split ---


def test_no_tune_stands_in_two_parts():
    parts = load().split(seed=3)
    names = [tune.name for part in SPLITS for tune in parts[part]]
    assert len(set(names)) == len(names) > 3000
    passages = {part: set().union(*(tune.passages(24) for tune in parts[part])) for part in SPLITS}
    assert not passages["train"] & passages["test"]
    assert not passages["train"] & passages["valid"]
    assert not passages["valid"] & passages["test"]


def test_a_transposed_tune_with_another_title_is_the_same_tune():
    body = "CDEFGABcdefgfedcBAGFEDCDEFGA"
    two = [
        read_tune(name, f"X:1\nT:{name}\nM:4/4\nK:{key}\n{body}")
        for name, key in (("oneills1850/a/1", "C"), ("airdsAirs/b/2", "C"))
    ]
    up = read_tune("ryansMammoth/c/3", "X:1\nM:4/4\nK:D\n" + "DEFGABcdefgagfedcBAGFEDEFGAB")
    assert two[0].passages(24) == two[1].passages(24) == up.passages(24) != set()
    parts = Tunes((*two, up), {}).split(held_out=0.34)
    assert sum(len(part) for part in parts.values()) == 1 and len(parts["test"]) == 1


def test_the_split_depends_on_its_seed_alone():
    few = Tunes(load().pieces[:200], {})
    names = [[tune.name for tune in few.split(seed)["test"]] for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]


def test_a_split_that_cannot_be_is_refused():
    for share in (0.0, 0.5, float("nan")):
        with pytest.raises(ValueError, match="a share above 0 and below 1/2"):
            load().split(held_out=share)
    with pytest.raises(ValueError, match="a length from 1 was wanted; 0"):
        load().split(shared_steps=0)


# --- the cache ---


def test_the_cache_holds_what_was_read(tmp_path, monkeypatch):
    files = installed_files("music21/corpus/", ["airdsAirs/book1.abc"])
    read = tunes._read_all(files)
    monkeypatch.setenv("ARTBOOK_CACHE", str(tmp_path))
    monkeypatch.setattr(tunes, "package_files", lambda *_: files)
    load.cache_clear()
    try:
        for _ in ("read from the files", "read from the cache"):
            again = load()
            assert dict(again.dropped) == dict(read.dropped) != {}
            for one, other in zip(again.pieces, read.pieces, strict=True):
                for field, value in vars(other).items():
                    np.testing.assert_array_equal(getattr(one, field), value)
            load.cache_clear()
            monkeypatch.setattr(tunes, "package_files", None)
    finally:
        load.cache_clear()
