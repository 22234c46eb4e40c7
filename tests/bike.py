"""A table like the UCI bike rentals, for tests: the same columns, two years of hours in the order of time, the same daily shape."""

from __future__ import annotations

import numpy as np
import pandas as pd

DAYS = ("Sun", "Mon", "Tue", "Wed", "Thr", "Fri", "Sat")


def make_bike(days: int = 120, seed: int = 0) -> pd.DataFrame:
    """`days` × 24 rows. Demand has rush hours on working days, follows the temperature, and grows from day to day."""
    random = np.random.RandomState(seed)
    hours = np.arange(days * 24)
    day, hr = hours // 24, hours % 24
    weekday = (day + 6) % 7
    workingday = ((weekday > 0) & (weekday < 6)).astype(int)
    season_angle = 2 * np.pi * (day - 30) / 365
    temp = np.clip(
        0.5
        - 0.3 * np.cos(season_angle)
        + 0.08 * np.sin(2 * np.pi * (hr - 9) / 24)
        + random.normal(0, 0.03, len(hours)),
        0.02,
        1,
    )
    weathersit = random.choice([1, 2, 3], len(hours), p=[0.66, 0.26, 0.08])
    rush = np.exp(-((hr - 8) ** 2) / 3) + np.exp(-((hr - 17.5) ** 2) / 5)
    leisure = np.exp(-((hr - 14) ** 2) / 20)
    shape = np.where(workingday == 1, 320 * rush + 60 * leisure, 240 * leisure)
    demand = (15 + shape * (0.4 + temp)) * (1 - 0.25 * (weathersit - 1)) * (1 + day / 365)
    return pd.DataFrame({
        "season": (day % 365) // 92 + 1,
        "yr": day // 365,
        "mnth": (day % 365) // 31 + 1,
        "hr": hr,
        "holiday": (random.rand(len(hours)) < 0.03).astype(int),
        "workingday": workingday,
        "weathersit": weathersit,
        "temp": temp.round(2),
        "hum": random.uniform(0.3, 1, len(hours)).round(2),
        "windspeed": random.uniform(0, 0.5, len(hours)).round(4),
        "dayOfWeek": np.array(DAYS)[weekday],
        "days": day,
        "demand": np.maximum(1, random.poisson(demand)),
    })  # fmt: skip
