"""How the book is made: notebooks are run, results collected, claims checked, editions written."""

from enum import StrEnum


class Profile(StrEnum):
    """How much a run does: a change of profile changes sizes and steps, never the code."""

    SMOKE = "smoke"
    CPU = "cpu"
    GPU = "gpu"


PROFILES = tuple(Profile)
