import base64
import json

import numpy as np
import pytest
from bs4 import BeautifulSoup

from artbook import judge
from artbook.listening import Clip, ListeningTest, chances

CLIPS = [Clip(True, "Bach, BWV 1"), Clip(False, 'a "machine" <b>')]


def form(clips=CLIPS):
    return BeautifulSoup(ListeningTest(clips, "Bach", "a machine & co")._repr_html_(), "html.parser").form


def test_the_chances_are_those_of_a_coin():
    table = chances(8)
    assert [len(row) for row in table] == list(range(2, 10))
    assert np.isclose(table[7][8][0], 2 / 2**8) and np.isclose(table[7][7][0], 2 * 9 / 2**8) and table[7][4][0] == 1
    for p_value, low, high in table[7]:
        assert 0 < p_value <= 1 and 0 <= low < high <= 1
    # None of 8 right leaves open what happens with a probability of 2.5 % or more.
    assert np.isclose(table[7][0][2], 1 - 0.025 ** (1 / 8))
    # A listener who is always right is found as soon as the package's power says so.
    assert [chances(n)[-1][-1][0] <= 0.05 for n in (5, 6)] == [judge.preference_power(n, 1) == 1 for n in (5, 6)]


@pytest.mark.parametrize("clips", [0, 41, 2.5, None])
def test_the_number_of_clips_is_checked(clips):
    with pytest.raises(ValueError, match="clips were wanted"):
        chances(clips)


def test_each_clip_has_a_labelled_question():
    questions = form().find_all("fieldset")
    assert [question.legend.text for question in questions] == ["Clip 1", "Clip 2"]
    for question in questions:
        labels = question.find_all("label")
        assert [label.text.strip() for label in labels] == ["Bach", "a machine & co"]
        assert len({label.input["name"] for label in labels}) == 1
    assert form().find("button")["type"] == "button"


def test_the_answers_are_in_the_page_and_not_in_sight():
    page = form()
    assert "BWV" not in page.text and "BWV" not in str(page)
    told = json.loads(base64.b64decode(page["data-answers"]))
    assert told["clips"] == [list(clip) for clip in CLIPS] and len(told["chances"]) == 2


def test_no_address_is_in_the_form():
    text = ListeningTest(CLIPS, "Bach", "a machine")._repr_html_()
    assert not any(word in text for word in ("http", "src=", "fetch(", "href"))


def test_two_tests_in_one_page_have_names_of_their_own():
    assert form()["id"] != form(CLIPS[::-1])["id"]
    assert repr(ListeningTest(CLIPS, "Bach", "a machine")) == "Listening test: 2 clips, Bach or a machine?"


def test_a_source_or_a_name_is_not_empty():
    for clips, human in (([Clip(True, " ")], "Bach"), (CLIPS, "")):
        with pytest.raises(ValueError, match="one of them is empty"):
            ListeningTest(clips, human, "a machine")
    with pytest.raises(ValueError, match="clips were wanted"):
        ListeningTest([], "Bach", "a machine")
