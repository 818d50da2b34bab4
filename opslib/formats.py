"""Numbers, money and dates as people write them; no raw float reaches a page except through here.

The last digit shown is worth at most a third of half the interval's width, so a number never claims more than it knows.
A no-break space parts a number from its unit, an en dash joins the ends of an interval ("to" where an end is negative).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import pandas as pd

from opslib.stats.estimates import Estimate

NBSP, DASH, MINUS = "\u00a0", "\u2013", "\u2212"
UNKNOWN = "unknown"
SYMBOLS = {
    "GBP": "£",
    "EUR": "€",
    "USD": "$",
    "JPY": "¥",
    "CNY": "CN¥",
    "INR": "₹",
    "BRL": "R$",
    "AUD": "A$",
    "CAD": "C$",
    "NZD": "NZ$",
    "KRW": "₩",
    "TRY": "₺",
    "PLN": "zł",
    "ILS": "₪",
    "VND": "₫",
    "UAH": "₴",
}
WITHOUT_CENTS = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "HUF"})
SCALES = ((1e9, "bn"), (1e6, "m"), (1e3, "k"))
SHARE_UNITS = frozenset({"share", "%"})
CHANGE_UNITS = frozenset({"relative change", "change", "relative"})
POINT_UNITS = frozenset({"points", "percentage points", "share difference"})
PERCENT_UNITS = SHARE_UNITS | CHANGE_UNITS | POINT_UNITS
RATIO_UNITS = frozenset({"ratio", "times", "x"})


def is_missing(value: Any) -> bool:
    """Whether a value is None, NaN, NaT or pandas' NA."""
    return value is None or (not isinstance(value, (str, list, tuple, dict)) and bool(pd.isna(value)))


def format_number(value: float | None, *, step: float | None = None, signed: bool = False, scale: float = 0.0) -> str:
    """A number with thousands separators below 10,000 and three significant digits ("12.4k") from there on.

    Parameters
    ----------
    value : float or None
        The number; a missing one is "unknown".
    step : float or None
        Worth of the last digit to show (0.1, 100, ...); chosen from the number's size unless given.
    signed : bool
        Whether a plus is written.
    scale : float
        Size that decides between "9,800" and "9.8k", when several numbers are to look alike.

    Returns
    -------
    str

    Examples
    --------
    >>> format_number(9812), format_number(12_432.7), format_number(-0.034), format_number(float("nan"))
    ('9,812', '12.4k', '−0.034', 'unknown')
    """
    if is_missing(value):
        return UNKNOWN
    value = float(value)  # type: ignore[arg-type]
    if math.isinf(value):
        return "no limit"
    # No step below the last digit of a float: an interval without width has none.
    exact, chosen = step is not None, max(step, abs(value) * 1e-15) if step is not None else _natural_step(value)
    size = max(abs(value) + chosen / 2, scale)
    if scale and round(value / chosen) == 0:
        return "0"
    sign = "" if round(value / chosen) == 0 else MINUS if value < 0 else "+" if signed else ""
    for unit, suffix in SCALES:
        if size >= max(unit, 1e4) and chosen >= unit / (10 if exact and unit == 1e3 else 100):
            return sign + _decimals(abs(value) / unit, chosen / unit, trim=scale == 0) + suffix
    return sign + _decimals(abs(value), chosen, trim=scale == 0 and not exact)


def _natural_step(value: float) -> float:
    """Three significant digits, and whole numbers from 1,000 to 10,000."""
    if value == 0:
        return 1.0
    magnitude = math.floor(math.log10(float(f"{abs(value):.2e}")))
    return min(10.0 ** (magnitude - 2), 1.0) if magnitude < 4 else 10.0 ** (magnitude - 2)


def _decimals(value: float, step: float, *, trim: bool = False) -> str:
    places = max(0, round(-math.log10(step)))
    text = f"{round(value / step) * step if step > 1 else value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if trim and "." in text else text


def step_of(*ends: float) -> float | None:
    """Worth of the last digit that an interval allows: a power of ten, at most a third of its half-width.

    Examples
    --------
    >>> step_of(1_400, 5_200), step_of(10.8, 11.6), step_of(1.0, 1.0)
    (100.0, 0.1, None)
    """
    known = [end for end in ends if not is_missing(end) and math.isfinite(end)]
    width = max(known) - min(known) if len(known) > 1 else 0.0
    return 10.0 ** math.floor(math.log10(width / 6) + 1e-9) if width > 0 else None


def format_money(
    value: float | None, currency: str, *, step: float | None = None, signed: bool = False, scale: float = 0.0
) -> str:
    """Money with its currency: cents below 100, whole units below 10,000, then thousands or millions.

    Parameters
    ----------
    value : float or None
        Amount.
    currency : str
        ISO code; "GBP" is written £, an unknown code as itself.
    step, signed, scale
        As in :func:`format_number`; ``step=0.01`` writes every cent.

    Returns
    -------
    str

    Examples
    --------
    >>> format_money(3100, "GBP"), format_money(412_300, "GBP"), format_money(-9.5, "EUR")
    ('£3,100', '£412k', '−€9.50')
    >>> format_money(9_747_747.93, "GBP", step=0.01)
    '£9,747,747.93'
    """
    if is_missing(value):
        return UNKNOWN
    amount = float(value)  # type: ignore[arg-type]
    if step is None and abs(amount) < 1e4:
        step = 0.01 if 0 < abs(amount) < 99.995 and currency not in WITHOUT_CENTS else 1.0
    text = format_number(amount, step=step, signed=signed, scale=scale)
    sign = text[0] if text[0] in "+" + MINUS else ""
    return sign + currency_sign(currency) + text.removeprefix(sign)


def currency_sign(currency: str) -> str:
    """Symbol before an amount: "£", or the code and a space."""
    return SYMBOLS.get(currency, f"{currency}{NBSP}")


def count_of(number: float, word: str) -> str:
    """A count with its noun, in the singular for one.

    Examples
    --------
    >>> count_of(1, "product"), count_of(1_318, "product"), count_of(2, "category"), count_of(2, "launch"), count_of(2, "axis")
    ('1 product', '1,318 products', '2 categories', '2 launches', '2 axes')
    """
    stem = re.sub(r"(?<![aeiou])y$", "ie", re.sub(r"is$", "e", re.sub(r"(ch|sh|ss|x)$", r"\1e", word)))
    return f"{format_number(number, step=1)} {word if number == 1 else stem + 's'}"


def listed(names: Sequence[str], *, shown: int = 3) -> str:
    """Names in a sentence: the first few, and how many others there are.

    Examples
    --------
    >>> listed(["Kitchen"]), listed(["Kitchen", "Bath"]), listed(["a", "b", "c", "d", "e"])
    ('Kitchen', 'Kitchen and Bath', 'a, b, c and 2 others')
    """
    left = len(names) - shown
    if left == 1:
        shown, left = shown + 1, 0
    first = list(names[:shown])
    if left > 0:
        return f"{', '.join(first)} and {format_number(left)} others"
    return " and ".join(filter(None, [", ".join(first[:-1]), *first[-1:]]))


def format_share(value: float | None, *, step: float | None = None, signed: bool = False) -> str:
    """A share (0-1) in per cent; three significant digits unless ``step`` (in per cent) says otherwise.

    Examples
    --------
    >>> format_share(0.02313), format_share(0.28), format_share(0.1119, step=0.1)
    ('2.31\\xa0%', '28\\xa0%', '11.2\\xa0%')
    """
    if is_missing(value):
        return UNKNOWN
    return format_number(float(value) * 100, step=step, signed=signed) + f"{NBSP}%"  # type: ignore[arg-type]


def format_change(value: float | None, *, step: float | None = 0.1) -> str:
    """A relative change in per cent with its sign.

    Examples
    --------
    >>> format_change(0.031), format_change(-0.2), format_change(0.0)
    ('+3.1\\xa0%', '−20.0\\xa0%', '0.0\\xa0%')
    """
    return format_share(value, step=step, signed=True)


def format_date(day: date | datetime | pd.Timestamp | None, *, year: bool = True) -> str:
    """A day as people write it.

    Examples
    --------
    >>> format_date(date(2026, 10, 31)), format_date(date(2026, 10, 1), year=False)
    ('31 Oct 2026', '1 Oct')
    """
    if day is None or is_missing(day):
        return UNKNOWN
    return f"{day.day} {day:%b %Y}" if year else f"{day.day} {day:%b}"


def format_days(n_days: float | None) -> str:
    """A duration: hours below a day, days up to two years, then years.

    Examples
    --------
    >>> format_days(18), format_days(1), format_days(0.25), format_days(1096)
    ('18 days', '1 day', '6 hours', '3 years')
    """
    if is_missing(n_days):
        return UNKNOWN
    days = float(n_days)  # type: ignore[arg-type]
    value, word = (days, "day") if abs(days) < 730 else (days / 365.25, "year")
    if 0 < abs(days) < 1:
        value, word = days * 24, "hour"
    text = format_number(round(value, 1 if abs(value) < 10 else 0))
    return f"{text} {word}" if text in ("1", f"{MINUS}1") else f"{text} {word}s"


def format_value(
    value: float | None,
    unit: str,
    *,
    currency: str | None = None,
    step: float | None = None,
    signed: bool = False,
    scale: float = 0.0,
) -> str:
    """A number in its unit: share, relative change, points, ratio, a currency code ("GBP/month"), days, or a count.

    Examples
    --------
    >>> format_value(0.112, "share"), format_value(3100, "GBP/month"), format_value(12, "orders")
    ('11.2\\xa0%', '£3,100 a month', '12 orders')
    """
    if is_missing(value):
        return UNKNOWN
    number, base, tail = float(value), unit.split("/")[0], unit.partition("/")[2]  # type: ignore[arg-type]
    per = f" a {tail}" if tail else ""
    if base in SHARE_UNITS | CHANGE_UNITS:
        return format_share(number, step=step, signed=signed or base in CHANGE_UNITS) + per
    if base in POINT_UNITS:
        return format_share(number, step=step, signed=True).replace("%", "points") + per
    code = currency if base == "money" else base
    if is_money(unit) and code:
        return format_money(number, code, step=step, signed=signed, scale=scale) + per
    text = format_number(number, step=step, signed=signed, scale=scale)
    if base in RATIO_UNITS:
        return text + "x"
    if base in ("", "money", "count", "number", "score", "index", "rating"):
        return text + per
    return f"{text} {base[:-1] if text == '1' and base.endswith('s') else base}{per}"


def _bare(value: float, unit: str, step: float | None, scale: float) -> str:
    """The number of :func:`format_value` without its unit and sign of currency."""
    return format_number(value * _factor(unit), step=step, scale=scale)


def _ends(estimate: Estimate, *, step: float | None, scale: float) -> str:
    lower, upper = estimate.lower, estimate.upper
    if is_missing(lower) or is_missing(upper) or (math.isinf(lower) and math.isinf(upper)):
        return "interval unknown"
    if math.isinf(upper):
        return f"at least {_bare(lower, estimate.unit, step, scale)}"
    if math.isinf(lower):
        return f"at most {_bare(upper, estimate.unit, step, scale)}"
    joint = " to " if lower < 0 or upper < 0 else DASH
    return joint.join(_bare(end, estimate.unit, step, scale) for end in (lower, upper))


def _factor(unit: str) -> float:
    return 100.0 if unit.split("/")[0] in PERCENT_UNITS else 1.0


def _looks(estimate: Estimate, against: Sequence[float] = ()) -> tuple[float | None, float]:
    """Last digit and size that value and ends share; money shows no cents or two."""
    factor = _factor(estimate.unit)
    known = [x * factor for x in (estimate.lower, estimate.upper) if not is_missing(x) and math.isfinite(x)]
    if len(known) == 1 and not is_missing(estimate.value):
        known.append(estimate.value * factor)
    step = step_of(*known)
    if step is None:
        return None, 0.0
    if step < 1 and is_money(estimate.unit):
        step = 0.01
    if not is_missing(estimate.value) and estimate.value:
        # A wide, lopsided interval must not round its own value away.
        step = min(step, 10.0 ** math.floor(math.log10(abs(estimate.value * factor))))
    # Nor must an end cross, or come to lie on, what it is held against: then a further digit is shown.
    while step > 1e-6 and _crosses(estimate, step, against):
        step /= 10
    return step, max(abs(x) for x in [*known, estimate.value * factor if not is_missing(estimate.value) else 0.0])


def _crosses(estimate: Estimate, step: float, against: Sequence[float] = ()) -> bool:
    """Whether an end, as it is written, leaves its side of zero (of a ratio: of one) or of what it is held against."""
    factor = _factor(estimate.unit)
    ends = [x * factor for x in (estimate.lower, estimate.upper) if not is_missing(x) and math.isfinite(x)]
    marks = [mark * factor for mark in (1.0 if estimate.unit.split("/")[0] in RATIO_UNITS else 0.0, *against)]
    return any(_side(end, mark, step) != _side(end, mark) for end in ends for mark in marks)


def _is_lost(estimate: Estimate, step: float) -> bool:
    """Whether an interval would be written as one number."""
    lower, upper = (end * _factor(estimate.unit) for end in (estimate.lower, estimate.upper))
    return bool(
        math.isfinite(lower) and math.isfinite(upper) and lower < upper and round(lower / step) == round(upper / step)
    )


def _side(end: float, mark: float, step: float = 0.0) -> int:
    """Which side of a mark an end lies on, as it stands or as it is written."""
    places = max(0, round(-math.log10(step))) if step else 0
    written = round(round(end / step) * step, places) if step else end
    return int(written > mark) - int(written < mark)  # numpy's booleans know no minus


def is_money(unit: str) -> bool:
    """Whether a unit is money: a currency code or "money", also per month, order, ...

    Examples
    --------
    >>> is_money("GBP/month"), is_money("orders")
    (True, False)
    """
    base = unit.split("/")[0]
    return base == "money" or (len(base) == 3 and base.isupper())


def format_estimate(
    estimate: Estimate, *, currency: str | None = None, signed: bool = False, against: Sequence[float] = ()
) -> str:
    """A number with its interval, at the digits that the interval allows.

    Parameters
    ----------
    estimate : Estimate
        In a unit that :func:`format_value` knows; other units are written behind the number.
    currency : str or None
        Code for the unit "money".
    signed : bool
        Whether a plus is written.
    against : sequence of float
        What the interval is held against beside zero (of a ratio: beside one), such as a promise: each end is written
        with as many digits as keep it on its side.

    Returns
    -------
    str

    Examples
    --------
    >>> e = Estimate(value=0.1121, lower=0.1079, upper=0.1163, n=9000, unit="share", method="Wilson")
    >>> format_estimate(e)
    '11.2\\xa0% (10.8–11.6)'
    >>> format_estimate(Estimate(value=18e3, lower=-4e3, upper=41e3, n=9, unit="GBP/year", method="normal"))
    '£18k a year (−4k to 41k)'
    >>> format_estimate(Estimate(value=0.9, lower=0.04, upper=2.53, n=9, unit="relative change", method="t"))
    '+90\\xa0% (4–253)'
    """
    return _written(estimate, *_looks(estimate, against), currency=currency, signed=signed)


def format_estimates(estimates: Sequence[Estimate], *, currency: str | None = None, signed: bool = False) -> list[str]:
    """Numbers with their intervals that stand below each other: all with the decimals of the middle one.

    Parameters
    ----------
    estimates : sequence of Estimate
        All in one unit.
    currency, signed : str or None, bool
        As for `format_estimate`.

    Returns
    -------
    list of str
        In the same order. Where an end would leave its side of zero (of a ratio: of one), or two ends would become one,
        all get a further digit.

    Examples
    --------
    >>> ends = ((0.112, 0.108, 0.116), (0.3, 0.2, 0.4), (0.154, 0.149, 0.159))
    >>> format_estimates([Estimate(value=v, lower=a, upper=b, n=9, unit="share", method="Wilson") for v, a, b in ends])
    ['11.2\\xa0% (10.8–11.6)', '30.0\\xa0% (20.0–40.0)', '15.4\\xa0% (14.9–15.9)']
    """
    looks = [_looks(estimate) for estimate in estimates]
    steps = sorted(step for step, _ in looks if step is not None)
    step, scale = (steps[len(steps) // 2] if steps else None), max((scale for _, scale in looks), default=0.0)
    while step is not None and step > 1e-6 and any(_crosses(e, step) or _is_lost(e, step) for e in estimates):
        step /= 10
    return [_written(estimate, step, scale, currency=currency, signed=signed) for estimate in estimates]


def _written(estimate: Estimate, step: float | None, scale: float, *, currency: str | None, signed: bool) -> str:
    if is_missing(estimate.value):
        return UNKNOWN
    text = format_value(estimate.value, estimate.unit, currency=currency, step=step, signed=signed, scale=scale)
    if estimate.lower == estimate.upper == estimate.value:
        return text
    return f"{text} ({_ends(estimate, step=step, scale=scale)})"


def format_between(estimate: Estimate, *, currency: str | None = None) -> str:
    """The interval in words.

    Examples
    --------
    >>> format_between(Estimate(value=3100, lower=1400, upper=5200, n=50, unit="GBP", method="t"))
    'between £1,400 and £5,200'
    """
    ends = (estimate.lower, estimate.upper)
    if any(map(is_missing, ends)) or all(map(math.isinf, ends)):
        return UNKNOWN
    step, scale = _looks(estimate)
    lower, upper = (format_value(end, estimate.unit, currency=currency, step=step, scale=scale) for end in ends)
    if math.isinf(estimate.upper):
        return f"at least {lower}"
    return f"at most {upper}" if math.isinf(estimate.lower) else f"between {lower} and {upper}"
