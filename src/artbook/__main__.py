"""``python -m artbook`` is the command ``artbook``."""

from artbook.press.cli import app

app(prog_name="artbook")
