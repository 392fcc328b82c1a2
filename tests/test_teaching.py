"""Item response, real answers, simulated learners, and the book's own questions."""

import nbformat
import numpy as np
import pytest
from conftest import ROOT
from scipy import integrate, optimize, stats

from artbook.data import answers
from artbook.press import notebooks, quiz
from artbook.press.book import Book
from artbook.teaching import item_response as rasch
from artbook.teaching import learners
from artbook.teaching.quiz import load

BOOK = Book(ROOT)


# Item response


def test_probability_and_information_of_known_cases():
    assert rasch.probability(1.0, 1.0) == 0.5
    assert rasch.probability(np.log(3), 0) == pytest.approx(0.75)
    assert rasch.information(np.log(3), 0) == pytest.approx(0.1875)
    ability, step = 0.7, 1e-5
    slope = (rasch.probability(ability + step, 0.2) - rasch.probability(ability - step, 0.2)) / (2 * step)
    assert rasch.information(ability, 0.2) == pytest.approx(slope, rel=1e-6)
    assert rasch.probability([-1000, 1000], 0).tolist() == [0, 1]


def test_the_marginal_likelihood_agrees_with_an_integral():
    difficulty, spread, given = np.array([-0.5, 0.3, 1.1]), 1.3, np.array([[1, 0, 0], [1, 1, 1]])

    def weighted(ability, row):
        right = rasch.probability(ability, difficulty)
        return np.prod(np.where(row, right, 1 - right)) * stats.norm.pdf(ability, scale=spread)

    whole = sum(np.log(integrate.quad(weighted, -12, 12, args=(row,))[0]) for row in given)
    assert -rasch.cost(np.append(difficulty, np.log(spread)), given)[0] == pytest.approx(whole, abs=1e-6)


def test_the_gradient_agrees_with_finite_differences():
    rng = np.random.default_rng(0)
    given, place = rng.random((40, 6)) < 0.6, rng.normal(size=7)
    numeric = optimize.approx_fprime(place, lambda at: rasch.cost(at, given)[0], 1e-6)
    assert rasch.cost(place, given)[1] == pytest.approx(numeric, abs=1e-3)


def test_the_law_school_test_has_its_published_values():
    model = rasch.fit(answers.law_school().given)
    # Rizopoulos (2006), Journal of Statistical Software 17(5), section 4.
    assert model.difficulty / model.spread == pytest.approx([-3.6153, -1.3224, -0.3176, -1.7301, -2.7802], abs=2e-3)
    assert model.spread == pytest.approx(0.7551, abs=1e-3)
    assert model.log_likelihood == pytest.approx(-2466.938, abs=1e-3)


def test_a_known_model_is_recovered_and_better_with_more_persons():
    rng = np.random.default_rng(1)
    difficulty = rng.normal(size=12)
    errors = []
    for persons in (100, 3000):
        given = rng.random((persons, 12)) < rasch.probability(rng.normal(0, 1.5, (persons, 1)), difficulty)
        model = rasch.fit(given)
        errors.append(np.sqrt(np.mean((model.difficulty - difficulty) ** 2)))
    assert errors[1] < 0.12 < errors[0]
    assert model.spread == pytest.approx(1.5, rel=0.1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "of two persons to two items or more"),
        ([[0, 1]], "of two persons to two items or more"),
        ([[0, 2], [1, 0]], "answers 0 and 1"),
        ([[0, np.nan], [1, 0]], "answers 0 and 1"),
        ([["yes", "no"], ["no", "no"]], "answers 0 and 1"),
        ([[1, 0], [1, 1]], "one is answered alike by all"),
    ],
)
def test_what_are_no_answers_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        rasch.fit(given)


def test_learning_is_the_rule_of_bayes():
    belief = rasch.prior(2, spread=1.5)
    assert belief.sum(axis=1) == pytest.approx([1, 1])
    after = rasch.learn(belief, [0.4, 0.4], [True, False])

    def posterior_mean(right):
        def weight(ability):
            chance = rasch.probability(ability, 0.4)
            return (chance if right else 1 - chance) * stats.norm.pdf(ability, scale=1.5)

        return integrate.quad(lambda a: a * weight(a), -9, 9)[0] / integrate.quad(weight, -9, 9)[0]

    assert rasch.estimate(after) == pytest.approx([posterior_mean(True), posterior_mean(False)], abs=2e-3)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"a belief \(persons, 121\)"):
        rasch.learn(np.ones((2, 5)), [0, 0], [True, False])
    with pytest.raises(ValueError, match="a difficulty and an answer a person"):
        rasch.learn(rasch.prior(2), [0], [True, False])
    with pytest.raises(ValueError, match="at least one person and a spread above 0"):
        rasch.prior(0)
    with pytest.raises(ValueError, match="at least one person and a spread above 0"):
        rasch.prior(3, spread=0)


# Real answers


def test_real_answers_are_whole():
    test, questionnaire = answers.law_school(), answers.verbal_aggression()
    assert test.given.shape == (1000, 5)
    # As Rizopoulos (2006) describes them.
    assert test.given.mean(axis=0).tolist() == [0.924, 0.709, 0.553, 0.763, 0.87]
    assert questionnaire.given.shape == (316, 24)
    assert "S1WantCurse" in questionnaire.items
    assert not questionnaire.given.flags.writeable


# Simulated learners


def lesson(teacher, kind="in a zone at 65 %", steps=15, **options):
    rng = np.random.default_rng(0)
    ability, difficulty = rng.normal(size=60), rng.normal(0, 1.5, 50)
    return learners.teach(ability, difficulty, steps, teacher, learners.KINDS[kind], rng, **options)


@pytest.mark.parametrize("teacher", learners.TEACHERS)
def test_nobody_gets_an_exercise_twice(teacher):
    course = lesson(teacher)
    assert course.exercises.shape == (60, 15)
    assert all(len(set(row)) == 15 for row in course.exercises.tolist())
    assert course.ability.shape == course.estimate.shape == (60, 16)
    assert (np.diff(course.ability, axis=1) >= 0).all()


def test_where_any_exercise_teaches_alike_no_teacher_is_better():
    gains = [lesson(teacher, "from any exercise").gain for teacher in learners.TEACHERS]
    assert gains == [pytest.approx(np.full(60, 15 * 0.08 * 0.5))] * 4


def test_in_a_zone_the_teacher_that_knows_most_is_best():
    gains = [lesson(teacher).gain.mean() for teacher in ("random", "adaptive", "oracle")]
    assert gains == sorted(gains)
    assert gains[1] > 1.3 * gains[0]


def test_the_oracle_aims_at_the_target():
    rng = np.random.default_rng(0)
    items = np.linspace(-6, 6, 400)
    course = learners.teach(rng.normal(size=20), items, 10, "oracle", learners.zone(0.65), rng)
    success = rasch.probability(course.ability[:, :-1], items[course.exercises])
    assert success == pytest.approx(np.full((20, 10), 0.65), abs=0.04)


def test_the_ladder_goes_from_the_easiest_to_the_hardest():
    course = lesson("ladder")
    assert (course.exercises == course.exercises[0]).all()
    rng = np.random.default_rng(0)
    rng.normal(size=60)
    difficulty = rng.normal(0, 1.5, 50)
    rungs = difficulty[course.exercises[0]]
    assert (np.diff(rungs) > 0).all()
    assert (rungs[0], rungs[-1]) == (difficulty.min(), difficulty.max())


def test_a_belief_that_grows_keeps_its_mass_and_moves_by_as_much():
    belief = rasch.prior(3, spread=0.5)
    grown = learners._grown(belief, np.full(belief.shape, 0.234))
    assert grown.sum(axis=1) == pytest.approx([1, 1, 1])
    assert rasch.estimate(grown) == pytest.approx(np.full(3, 0.234))
    pushed = learners._grown(belief, np.full(belief.shape, 100.0))
    assert rasch.estimate(pushed) == pytest.approx(np.full(3, rasch.ABILITIES[-1]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"teacher": "Socrates"}, "one of random, ladder, adaptive, oracle"),
        ({"teacher": "random", "steps": 51}, "learners and 51 items or more"),
        ({"teacher": "random", "steps": 0}, "learners and 0 items or more"),
        ({"teacher": "random", "rate": 0}, "a rate above 0"),
        ({"teacher": "adaptive", "target": 1.0}, "a probability between 0 and 1"),
    ],
)
def test_a_course_that_cannot_be_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        lesson(**change)


# The book's own questions


def test_the_collected_questions_stand_in_their_chapters():
    found = {chapter: [] for chapter in BOOK.chapters}
    for each in load():
        found.setdefault(each.chapter, []).append(each)
    for chapter, stored in found.items():
        if stored and chapter in BOOK.chapters:
            asked = quiz.questions(chapter, notebooks.read(BOOK.notebook(chapter)))
            assert stored == asked, f"{chapter}: call python -m artbook.press.quiz"
    assert len(load()) >= 100


QUIZ = """## Quiz

**1. What is wanted?**

:::{dropdown} A number
Right. It is.
:::

:::{dropdown} A name
No. It is not.
:::

## What to remember

**2. No question of the quiz?**
"""


def toy(text):
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_markdown_cell(text)]
    )


def test_questions_are_read_with_their_answers():
    assert quiz.questions("a/b", toy("text\n\n" + QUIZ)) == [("a/b", "What is wanted?", ("A number", "A name"), 0)]
    assert quiz.questions("a/b", toy("no quiz")) == []


def test_a_question_without_a_right_answer_is_refused():
    with pytest.raises(ValueError, match="a/b: one right answer was wanted; 0 are there for 'What is wanted"):
        quiz.questions("a/b", toy("text\n\n" + QUIZ.replace("Right", "No")))


def test_the_file_reads_back_what_was_written(tmp_path, monkeypatch):
    asked = quiz.questions("a/b", toy("text\n\n" + QUIZ))
    path = tmp_path / "quiz.json"
    path.write_text(quiz.as_text(asked), encoding="utf-8")
    monkeypatch.setattr("artbook.teaching.quiz.FILE", path)
    load.cache_clear()
    try:
        assert list(load()) == asked
    finally:
        load.cache_clear()
