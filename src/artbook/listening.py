"""A blind listening test that a page carries in itself: questions, answers and statistics, without any request."""

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scipy import stats

MOST_CLIPS = 40


class Clip(NamedTuple):
    """What was played, as the page tells when it is asked.

    Attributes:
        real: whether it is by a human, and not made by a machine.
        source: what it is, in words.
    """

    real: bool
    source: str


def chances(clips: int) -> list[list[tuple[float, float, float]]]:
    """What every number of right answers says, for up to that many answers.

    Args:
        clips: how many can be answered, 1 to 40.

    Returns:
        For ``n`` answers of which ``k`` are right, ``[n - 1][k]``: the two-sided p-value of the sign test, and
        the exact 95 % interval of the share that is right in the long run (Clopper and Pearson 1934).

    Raises:
        ValueError: the number is not as described.
    """
    if clips not in range(1, MOST_CLIPS + 1):
        raise ValueError(f"1 to {MOST_CLIPS} clips were wanted; {clips!r} was given")
    return [[_chance(right, answers) for right in range(answers + 1)] for answers in range(1, clips + 1)]


def _chance(right: int, answers: int) -> tuple[float, float, float]:
    test = stats.binomtest(right, answers)
    low, high = test.proportion_ci()
    return float(test.pvalue), float(low), float(high)


@dataclass(frozen=True)
class ListeningTest:
    """A form with one question a clip, and a button that tells the answers and what they say.

    The statistics hold if a fair coin decided about each clip whether it is real. The answers stand in the page
    in Base64: not secret, but not to be read by accident. Works in a rendered page, in JupyterLab and in Colab.

    Attributes:
        clips: in the order in which they are played, 1 to 40, at least one source each.
        human: what to call the real ones, in the question.
        machine: what to call the others.
    """

    clips: Sequence[Clip]
    human: str
    machine: str

    def __post_init__(self) -> None:
        chances(len(self.clips))
        if not all(text.strip() for text in (self.human, self.machine, *(clip.source for clip in self.clips))):
            raise ValueError("two names and a source for each clip were wanted; one of them is empty")

    def __repr__(self) -> str:
        return f"Listening test: {len(self.clips)} clips, {self.human} or {self.machine}?"

    def _repr_html_(self) -> str:
        secret = {"clips": [list(clip) for clip in self.clips], "chances": chances(len(self.clips))}
        encoded = base64.b64encode(json.dumps(secret).encode()).decode()
        name = "listening-" + hashlib.sha256(encoded.encode()).hexdigest()[:8]
        questions = "".join(self._question(number, name) for number in range(1, len(self.clips) + 1))
        return (
            f'<form id="{name}" class="listening-test" data-answers="{encoded}">{questions}'
            '<button type="button" style="margin-top:1rem">Show the answers</button><div role="status"></div></form>'
            f"<script>{_SCRIPT.replace('FORM', name)}</script>"
        )

    def _question(self, number: int, name: str) -> str:
        choices = "".join(
            f'<label style="margin:0 1rem"><input type="radio" name="{name}-{number}" value="{value}"> {text}</label>'
            for value, text in (("1", html.escape(self.human)), ("0", html.escape(self.machine)))
        )
        return f'<fieldset><legend style="font-size:1rem">Clip {number}</legend>{choices}</fieldset>'


# One table looked up, so that the page computes no statistics of its own.
_SCRIPT = """
(() => {
  const form = document.getElementById("FORM");
  const {clips, chances} = JSON.parse(new TextDecoder().decode(
    Uint8Array.from(atob(form.dataset.answers), c => c.charCodeAt(0))));
  const told = form.querySelector("[role=status]");
  const line = (tag, text, into) => {
    const element = into.appendChild(document.createElement(tag));
    element.textContent = text;
    return element;
  };
  form.querySelector("button").addEventListener("click", () => {
    const given = clips.map((_, i) => form.querySelector(`input[name="FORM-${i + 1}"]:checked`)?.value);
    told.replaceChildren();
    const answered = given.filter(value => value !== undefined).length;
    if (!answered) {
      line("p", "No clip is answered yet.", told);
      return;
    }
    const right = given.filter((value, i) => value !== undefined && (value === "1") === clips[i][0]).length;
    const [p, low, high] = chances[answered - 1][right];
    const percent = share => `${Math.round(100 * share)} %`;
    line("p", `${right} of ${answered} right. Whoever tosses a coin comes at least as far from one half`
      + ` with a probability of ${p.toFixed(3)}. In the long run you would be right in`
      + ` ${percent(low)} to ${percent(high)} of such clips (95 % interval).`, told);
    const list = line("ol", "", told);
    clips.forEach(([real, source], i) => {
      const verdict = given[i] === undefined ? "not answered" : (given[i] === "1") === real ? "right" : "wrong";
      line("li", `${source} (${verdict})`, list);
    });
  });
})();
"""
