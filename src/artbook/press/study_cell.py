"""The process of one cell of a study: ``python -m artbook.press.study_cell MODULE CASE SEED``.

It writes ``{"cpu_seconds": …, "figures": …}`` to standard output; what the case prints goes to standard error.
"""

import importlib
import json
import sys
import time
from contextlib import redirect_stdout
from operator import methodcaller


def main(module: str, case: str, seed: str) -> None:
    """Run a case and write its figures as JSON.

    Args:
        module: the study, dotted.
        case: one of its ``CASES``.
        seed: a whole number.

    Raises:
        ValueError: a figure is not finite.
    """
    with redirect_stdout(sys.stderr):
        figures = importlib.import_module(module).CASES[case](int(seed))
    result = {"cpu_seconds": round(time.process_time(), 1), "figures": figures}
    # NumPy's numbers and arrays have this method.
    print(json.dumps(result, allow_nan=False, default=methodcaller("tolist")))


if __name__ == "__main__":
    main(*sys.argv[1:])
