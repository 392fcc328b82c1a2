"""``python -m artbook`` is the command ``artbook``."""

from artbook.press.cli import main

main()
