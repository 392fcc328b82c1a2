"""The rendered pages, as a reader's browser shows them."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from artbook.press.book import Book
from artbook.press.render import render

BOOK = Book.here(Path(__file__))
TOC = yaml.safe_load((BOOK.root / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [TOC["root"], *(entry["file"] for part in TOC["parts"] for entry in part["chapters"])]
WIDTHS = {"desktop": 1280, "phone": 390}
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="session")
def site(profile: str) -> Path:
    folder = BOOK.site(profile)
    if not (folder / "index.html").is_file():
        render(BOOK, profile)
    return folder


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=site))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        found = [shutil.which(name) for name in BROWSERS] + [own if Path(own).is_file() else None]
        executable = next((path for path in found if path), None)
        if executable is None:
            why = f"no Chromium or Chrome was found; looked for {', '.join(BROWSERS)} and Playwright's own"
            pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A loaded page, and what went wrong while it loaded and since."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        note = self.complaints.append
        self.page.on("console", lambda m: note(f"console: {m.text}") if m.type == "error" else None)
        self.page.on("pageerror", lambda error: note(f"error: {error}"))
        self.page.on("requestfailed", lambda request: note(f"failed: {request.url[:200]}"))
        self.page.on("response", lambda r: note(f"{r.status}: {r.url[:200]}") if r.status >= 400 else None)
        self.page.on("request", lambda r: note(f"foreign: {r.url}") if self.is_foreign(r.url) else None)

    def is_foreign(self, url: str) -> bool:
        return not url.startswith((self.address, "data:", "blob:"))

    def go(self, path: str) -> None:
        self.page.goto(self.address + path, wait_until="networkidle")
        self.settle()

    def settle(self) -> None:
        """Wait until equations are typeset and diagrams drawn; what never is, ends the wait and is found later."""
        self.page.wait_for_function(
            """() => (!window.MathJax?.startup?.promise || window.mathsDone
                || (MathJax.startup.promise.then(() => { window.mathsDone = true }), false))
                && [...document.querySelectorAll('pre.mermaid')].filter(e => e.offsetParent)
                    .every(e => e.querySelector('svg'))"""
        )

    def count(self, selector: str) -> int:
        return self.page.locator(selector).count()


@pytest.fixture(scope="session")
def contexts(browser: Browser) -> dict[str, BrowserContext]:
    """One for each width, so that the pages share what they load."""
    made = {}
    for device, width in WIDTHS.items():
        made[device] = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
        made[device].set_default_timeout(20_000)
    return made


@pytest.fixture
def visit(contexts: dict[str, BrowserContext], address: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    visit = Visit(contexts[request.param].new_page(), address)
    yield visit
    visit.page.close()


def soup_of(site: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


# Loading a page takes most of the time, so each is visited twice and all is looked at on the way: from a server
# at the width of a desk, from the disk at that of a phone.


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("visit", ["desktop"], indirect=True)
def test_page_is_whole_at_a_desk(visit: Visit, name: str) -> None:
    visit.page.emulate_media(color_scheme="light")
    visit.go(f"{name}.html")
    look(visit, "light")
    look(visit, "dark")
    play(visit.page)
    take_away(visit.page, NOT_LOOKED_AT)
    assert violations(visit.page, runOnly=["color-contrast"]) == [], "in the dark"
    visit.page.emulate_media(color_scheme="light")
    visit.page.wait_for_function("document.documentElement.dataset.theme == 'light'")
    assert violations(visit.page) == []
    assert visit.complaints == []


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("visit", ["phone"], indirect=True)
def test_page_is_whole_on_a_phone_and_from_the_disk(visit: Visit, site: Path, name: str) -> None:
    visit.address = "file://"
    visit.page.emulate_media(color_scheme="light")
    visit.go(f"{site}/{name}.html")
    look(visit, "light")
    look(visit, "dark")
    if name in BOOK.chapters:
        unfold_solution(visit.page)
    assert visit.complaints == []


def look(visit: Visit, theme: str) -> None:
    """Whether all is there and fits in a theme."""
    visit.page.emulate_media(color_scheme=theme)
    visit.page.wait_for_function(f"document.documentElement.dataset.theme == {theme!r}")
    visit.settle()
    assert overflow(visit.page) == [], f"wider than the window in {theme}"
    assert broken_images(visit.page) == []
    assert visit.count(".math, .math-wrapper") == 0 or visit.count("mjx-container") > 0
    assert visit.count("mjx-merror, [data-mjx-error]") == 0
    assert visit.count("pre.mermaid .error-icon") == 0


def play(page: Page) -> None:
    """Whether every player has a sound of a fit length, and the first one plays it."""
    page.wait_for_function("[...document.querySelectorAll('audio')].every(e => e.readyState >= 1)")
    durations = page.evaluate("[...document.querySelectorAll('audio')].map(e => e.duration)")
    assert all(0 < seconds <= 10.5 for seconds in durations), durations
    if durations:
        page.evaluate("() => { const e = document.querySelector('audio'); e.muted = true; return e.play() }")
        page.wait_for_function("document.querySelector('audio').currentTime > 0.1")


def unfold_solution(page: Page) -> None:
    """Whether the first solution is folded, and says that it is right when it is opened."""
    solution = page.locator(".solution").first
    output = solution.locator(".cell_output").last
    assert not output.is_visible()
    solution.locator(".toggle-button").first.click()
    output.wait_for(state="visible")
    assert output.inner_text().startswith("Right")


def overflow(page: Page) -> list[str]:
    """What makes the page wider than the window, if it is."""
    return page.evaluate(
        """() => document.documentElement.scrollWidth <= window.innerWidth ? []
            : [...document.querySelectorAll('body *')]
                .filter(e => e.getBoundingClientRect().right > window.innerWidth + 1)
                .map(e => `${e.tagName} ${e.className}`).slice(0, 10)"""
    )


def broken_images(page: Page) -> list[str]:
    return page.evaluate(
        "[...document.images].filter(e => e.complete && !e.naturalWidth).map(e => e.src.slice(0, 100))"
    )


AXE = {
    "preload": False,
    "resultTypes": ["violations"],
    # It does not count the MathML that a screen reader reads; another test looks at these titles.
    "rules": {"summary-name": {"enabled": False}},
}


# The code above a chapter's first section stands for all of its code; that and the equations would take most of the
# time. To exclude them is not enough: axe-core walks through what it does not judge.
NOT_LOOKED_AT = "section section .cell_input, mjx-container"


def take_away(page: Page, selector: str) -> None:
    page.evaluate("selector => document.querySelectorAll(selector).forEach(e => e.remove())", selector)


def violations(page: Page, **options: object) -> list[str]:
    """The serious and critical violations of the accessibility rules that axe-core finds, of all or of some rules."""
    found = Axe().run(page, options=AXE | options).response["violations"]
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("visit", ["desktop"], indirect=True)
def test_listening_tests_answer_to_the_keyboard(visit: Visit, site: Path) -> None:
    asking = [name for name in PAGES if soup_of(site, name).find("form", class_="listening-test")]
    assert asking
    for name in asking:
        visit.go(f"{name}.html")
        form = visit.page.locator("form.listening-test")
        form.locator("input").first.focus()
        visit.page.keyboard.press("Space")
        form.locator("button").focus()
        visit.page.keyboard.press("Enter")
        told = form.locator("[role=status]").inner_text()
        assert re.match(r"[01] of 1 right", told)
        assert told.count("not answered") == form.locator("fieldset").count() - 1
    assert visit.complaints == []


@pytest.mark.parametrize("visit", ["desktop"], indirect=True)
def test_search_finds(visit: Visit) -> None:
    visit.go("search.html?q=backpropagation")
    visit.page.locator("#search-results li a").first.wait_for()
    assert any(
        "backpropagation" in each.get_attribute("href") for each in visit.page.locator("#search-results a").all()
    )
    assert visit.complaints == []


def test_internal_links_and_anchors_resolve(site: Path) -> None:
    anchors: dict[Path, set[str]] = {}

    def anchors_of(path: Path) -> set[str]:
        if path not in anchors:
            text = path.read_text(encoding="utf-8")
            anchors[path] = set(re.findall(r'\b(?:id|name)="([^"]+)"', text))
        return anchors[path]

    broken = []
    for page in site.rglob("*.html"):
        if "_static" in page.relative_to(site).parts:
            continue
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        for tag, attribute in (("a", "href"), ("img", "src"), ("script", "src"), ("link", "href")):
            for element in soup.find_all(tag, **{attribute: True}):
                url = urlsplit(element[attribute])
                if url.scheme or url.netloc:
                    continue
                target = (page.parent / unquote(url.path)).resolve() if url.path else page
                target = target / "index.html" if target.is_dir() else target
                if not target.is_file() or (
                    target.suffix == ".html" and url.fragment and unquote(url.fragment) not in anchors_of(target)
                ):
                    broken.append(f"{page.relative_to(site)}: {element[attribute]}")
    assert broken == []


@pytest.mark.parametrize("name", PAGES)
def test_article_has_one_title_and_words_for_all_to_see_or_hear(site: Path, name: str) -> None:
    article = soup_of(site, name).find("article")
    assert len(article.find_all("h1")) == 1
    for image in article.find_all("img"):
        assert image.get("alt", "").strip(), f"no alternative text: {str(image)[:200]}"
        assert not re.search(r"\.(png|svg|jpe?g)$|^_images", image["alt"]), f"a file's name: {image['alt']}"
    for player in article.find_all("audio"):
        assert player.get("aria-label", "").strip()
    for title in article.find_all("summary"):
        assert title.get_text(strip=True), "a fold without a title"


def test_the_front_page_lets_hear_what_the_book_makes(site: Path) -> None:
    assert soup_of(site, TOC["root"]).find("audio")


@pytest.mark.parametrize("name", BOOK.chapters)
def test_chapter_can_be_opened_in_colab_and_downloaded(site: Path, name: str) -> None:
    links = [link["href"] for link in soup_of(site, name).find_all("a", href=True)]
    repository = BOOK.config["repository"]["url"].removeprefix("https://github.com/")
    assert f"https://colab.research.google.com/github/{repository}/blob/colab/{name}.ipynb" in links
    assert any(link.endswith(f"_sources/{name}.ipynb") for link in links)
