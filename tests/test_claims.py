"""The claims of the articles: each has a verdict and a place that shows it, and no section is left out."""

from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT

from artbook.press import claims
from artbook.press.book import Book
from artbook.press.claims import Verdict
from artbook.press.directives import claims_table

BOOK = Book(ROOT)
CLAIMS = claims.read(BOOK.pages / "claims.yml")

# The sections of the articles that say something, in their order.
SECTIONS = {
    "first": (
        "Summary 1 2.1 2.2 2.3 3.1 3.2 4.1 4.2 4.3 5.1 5.2 5.3.1 5.3.2 5.3.3 5.3.4 5.3.5 6.1 6.2 6.3 "
        "7.1 7.2 7.3 8.1 8.2 9.1 9.2 10"
    ),
    "second": (
        "Summary 1 2.1 2.2 2.3 2.4 3.1 3.2.1 3.2.2 3.2.3 3.2.4 3.3 3.4 4.1 4.1.1 4.1.2 4.2.1 4.2.2 "
        "4.3.1 4.3.2 4.3.3 4.3.4 5.1 5.2 5.3 5.4 6 7 8.1 8.2 8.3 9.1 9.2 9.3 9.4 10.1 10.2 10.3 End"
    ),
}


@pytest.mark.parametrize("article", SECTIONS)
def test_no_section_of_an_article_is_without_a_claim(article):
    found = dict.fromkeys(claim.section for claim in CLAIMS if claim.article == article)
    assert " ".join(found) == SECTIONS[article]


def test_no_claim_stands_twice():
    keys = [(claim.article, claim.text) for claim in CLAIMS]
    assert len(set(keys)) == len(keys)
    assert {claim.verdict for claim in CLAIMS} == set(Verdict)


@pytest.mark.parametrize("page", sorted({claim.page for claim in CLAIMS}))
def test_each_claim_is_shown_at_a_place_that_exists(page, profile):
    html = BeautifulSoup((BOOK.site(profile) / f"{page}.html").read_text(encoding="utf-8"), "html.parser")
    anchors = {tag["id"] for tag in html.find_all(id=True)}
    assert {claim.anchor for claim in CLAIMS if claim.page == page} - anchors == set()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "claims by article and section were wanted, list was given"),
        ("first: {'1': [{claim: a, shown: b#c}]}", "has claim, verdict and shown; given were claim, shown"),
        (
            "first: {'1': [{claim: a, verdict: true, shown: b#c}]}",
            "outdated, quoted; True",
        ),
        ("first: {'1': [{claim: a, verdict: 'true', shown: b}]}", "PAGE#ANCHOR; 'b' was given"),
    ],
)
def test_a_claim_of_another_form_is_refused(tmp_path: Path, text, message):
    path = tmp_path / "claims.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        claims.read(path)


def test_the_table_counts_the_verdicts_and_links_to_the_evidence():
    found = [claim for claim in CLAIMS if claim.section == "4.2"]
    titles = {claim.page: f"About {claim.page}" for claim in found}
    text = claims_table("first", found, lambda page: f"{page}.html", titles)
    assert text.startswith("3 claims: 1 true, 2 corrected, 0 unsupported, 0 outdated.")
    there = "mathematics/backpropagation.html#the-formula-of-section-4-2"
    assert f'href="{there}">About mathematics/backpropagation</a>' in text
