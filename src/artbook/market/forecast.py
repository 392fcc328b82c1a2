"""Forecasts of an audience: exponential smoothing, intervals, scores. Chapter ``audience-demand``.

Series are rows. A forecast is made at the end of a step, for the steps after it: ``forecasts[..., t, h - 1]`` knows
the values up to step t and speaks of step t + h.
"""

from itertools import product

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Weights of level, trend and season, and how the trend fades; every combination is a setting.
SETTINGS = np.array(list(product((0.05, 0.1, 0.2, 0.4, 0.7), (0.0, 0.03, 0.1), (0.02, 0.1, 0.3), (0.8, 0.95, 1.0))))


def seasonal_naive(values: npt.ArrayLike, season: int, horizon: int) -> Floats:
    """As a season ago: the forecast of a step is the last known value of its place in the season.

    Args:
        values: ``(..., n)``, longer than a season.
        season: steps in a season, at least 1.
        horizon: how many steps ahead, at least 1.

    Returns:
        ``(..., n, horizon)``, NaN before a season is known.

    Raises:
        ValueError: the series is too short, or a number is below 1.
    """
    series = _checked(values, season, horizon)
    forecasts = np.full((*series.shape, horizon), np.nan)
    for ahead in range(1, horizon + 1):
        back = season * -(-ahead // season) - ahead
        forecasts[..., season - 1 :, ahead - 1] = series[..., season - 1 - back : series.shape[-1] - back]
    return forecasts


def holt_winters(
    values: npt.ArrayLike, season: int, horizon: int, settings: npt.ArrayLike = SETTINGS
) -> tuple[Floats, Floats]:
    """Additive exponential smoothing with a fading trend and a season, for many settings at once.

    Holt (1957), Winters (1960), Gardner and McKenzie (1985), in the error-correction form of Hyndman et al. (2008):
    with the error ``e = y - (l + phi b + s)`` the level becomes ``l + phi b + alpha e``, the trend
    ``phi b + alpha beta e``, the season ``s + gamma e``. It starts with the first year's mean and its deviations from
    it, and with the difference of the first two years' means as the trend.

    Args:
        values: ``(n,)`` or ``(series, n)``, finite, at least two seasons.
        season: steps in a season, at least 1.
        horizon: how many steps ahead, at least 1.
        settings: rows of alpha, beta, gamma and phi, each from 0 to 1, ``(s, 4)``.

    Returns:
        The errors of one step ahead, ``(s, ..., n)``, NaN in the first season, and the forecasts,
        ``(s, ..., n, horizon)``, NaN as long.

    Raises:
        ValueError: one of these is not as described.
    """
    series, rows = _checked(values, season, horizon), np.asarray(settings, dtype=float)
    if series.shape[-1] < 2 * season:
        raise ValueError(f"two seasons of {season} steps were wanted; {series.shape[-1]} steps were given")
    if rows.ndim != 2 or rows.shape[1] != 4 or not ((rows >= 0) & (rows <= 1)).all():
        raise ValueError(f"rows of alpha, beta, gamma and phi from 0 to 1 were wanted; {rows.shape} was given")
    alpha, beta, gamma, phi = rows.T.reshape(4, len(rows), *(1,) * (series.ndim - 1))
    shape = (len(rows), *series.shape)
    level = np.broadcast_to(series[..., :season].mean(axis=-1), shape[:-1])
    trend = (series[..., season : 2 * season].mean(axis=-1) - level) / season
    seasonal = [series[..., step] - level for step in range(season)]
    errors, forecasts = np.full(shape, np.nan), np.full((*shape, horizon), np.nan)
    faded = [sum(phi**power for power in range(1, ahead + 1)) for ahead in range(1, horizon + 1)]
    for step in range(season - 1, series.shape[-1]):
        if step >= season:
            place = step % season
            error = series[..., step] - (level + phi * trend + seasonal[place])
            level, trend = level + phi * trend + alpha * error, phi * trend + alpha * beta * error
            seasonal[place] = seasonal[place] + gamma * error
            errors[..., step] = error
        for ahead in range(1, horizon + 1):
            forecasts[..., step, ahead - 1] = level + faded[ahead - 1] * trend + seasonal[(step + ahead) % season]
    return errors, forecasts


def rolling_holt_winters(
    values: npt.ArrayLike, season: int, horizon: int, settings: npt.ArrayLike = SETTINGS
) -> Floats:
    """Holt and Winters' forecasts, made at each step with the setting that has had the smallest squared errors so far.

    Args:
        values, season, horizon, settings: as in ``holt_winters``.

    Returns:
        ``(..., n, horizon)``, NaN in the first season.

    Raises:
        ValueError: as ``holt_winters``.
    """
    errors, forecasts = holt_winters(values, season, horizon, settings)
    best = np.nancumsum(errors**2, axis=-1).argmin(axis=0)
    return np.take_along_axis(forecasts, best[np.newaxis, ..., np.newaxis], axis=0)[0]


def ahead(values: npt.ArrayLike, horizon: int) -> Floats:
    """What came true: ``[..., t, h - 1]`` is the value of step t + h, NaN after the end, ``(..., n, horizon)``."""
    series = np.asarray(values, dtype=float)
    padded = np.concatenate([series, np.full((*series.shape[:-1], horizon), np.nan)], axis=-1)
    return np.stack([padded[..., h : h + series.shape[-1]] for h in range(1, horizon + 1)], axis=-1)


def seasonal_scale(values: npt.ArrayLike, season: int) -> Floats:
    """The mean absolute difference of values a season apart, by which MASE divides errors (Hyndman and Koehler 2006).

    Args:
        values: ``(..., n)``, longer than a season, not the same each season.
        season: at least 1.

    Returns:
        Above zero, ``(...,)``.

    Raises:
        ValueError: a series is too short, or repeats itself.
    """
    series = _checked(values, season, 1)
    scale = np.abs(series[..., season:] - series[..., :-season]).mean(axis=-1)
    if not (scale > 0).all():
        raise ValueError("series that differ from season to season were wanted; one repeats itself")
    return scale


def pinball(truth: npt.ArrayLike, quantiles: npt.ArrayLike, levels: npt.ArrayLike) -> Floats:
    """The pinball loss of forecast quantiles: level times the shortfall, or (1 - level) times the excess.

    Args:
        truth: ``(...,)``.
        quantiles: ``(..., k)``.
        levels: between 0 and 1, ``(k,)``.

    Returns:
        Zero or more, ``(..., k)``. Twice the mean over evenly spaced levels is about the CRPS.

    Raises:
        ValueError: the levels are not as many as the quantiles, or not between 0 and 1.
    """
    forecast, probability = np.asarray(quantiles, dtype=float), np.asarray(levels, dtype=float)
    if probability.shape != forecast.shape[-1:] or not ((probability > 0) & (probability < 1)).all():
        raise ValueError(f"a level between 0 and 1 for each of {forecast.shape[-1:]} quantiles was wanted; {levels!r}")
    short = np.asarray(truth, dtype=float)[..., np.newaxis] - forecast
    return np.maximum(probability * short, (probability - 1) * short)


def conformal_quantiles(errors: npt.ArrayLike, levels: npt.ArrayLike) -> Floats:
    """Quantiles of past errors, with a margin for their number.

    Of n past errors and the next one, each is as likely to be the smallest as any other if their order means nothing.
    So the next one is below the k-th smallest with the probability ``k / (n + 1)``, and the quantile is that of rank
    ``level (n + 1)``, between two errors in proportion, cut at the extremes (Vovk et al. 2005).

    Args:
        errors: finite, ``(n,)``, at least one.
        levels: between 0 and 1, ``(k,)``.

    Returns:
        ``(k,)``.

    Raises:
        ValueError: there is no error, one is not finite, or a level is out of range.
    """
    past, probability = np.asarray(errors, dtype=float), np.asarray(levels, dtype=float)
    if past.ndim != 1 or not len(past) or not np.isfinite(past).all():
        raise ValueError(f"finite errors of shape (n,) were wanted; the shape {past.shape} was given, or NaN")
    if not ((probability > 0) & (probability < 1)).all():
        raise ValueError(f"levels between 0 and 1 were wanted; {levels!r} was given")
    return np.quantile(past, probability, method="weibull")


def _checked(values: npt.ArrayLike, season: int, horizon: int) -> Floats:
    series = np.asarray(values, dtype=float)
    if season < 1 or horizon < 1:
        raise ValueError(f"a season and a horizon of at least 1 were wanted; {season!r} and {horizon!r} were given")
    if series.ndim < 1 or series.shape[-1] <= season or not np.isfinite(series).all():
        raise ValueError(f"finite series longer than {season} steps were wanted; {series.shape} was given, or NaN")
    return series
