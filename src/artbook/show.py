"""Every plot, player and score of the book, in one style."""

import matplotlib as mpl
from cycler import cycler

# Okabe and Ito's palette, told apart with the common kinds of colour blindness.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
}


def use_style() -> None:
    """Set matplotlib to the book's style: one palette, light axes, letters readable at phone width."""
    mpl.rcParams.update(
        {
            "axes.grid": True,
            "axes.prop_cycle": cycler(color=list(COLOURS.values())),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlesize": "medium",
            "figure.constrained_layout.use": True,
            "figure.dpi": 144,
            "figure.figsize": (6.4, 3.6),
            "font.size": 11,
            "grid.alpha": 0.25,
            "image.cmap": "cividis",
            "legend.frameon": False,
        }
    )
