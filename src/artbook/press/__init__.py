"""How the book is made: notebooks are run, results collected, claims checked, editions written."""

PROFILES = ("smoke", "cpu", "gpu")
