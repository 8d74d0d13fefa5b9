"""Coloured noises, wind, rain, thunder, water, forest, silence."""

import numpy as np

from hushkit_models.classifier.synthesis.primitives import (
    Samples,
    band,
    burst,
    coloured,
    filtered,
    moments,
    phase,
    place,
    resonance,
    room,
    unit,
    wander,
)


def white_noise(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Flat noise, possibly through a small loudspeaker."""
    x = coloured(rng, n, rate, rng.uniform(-0.4, 0.4))
    return filtered(x, rate, rng.choice([0.0, 60.0, 150.0]), rng.choice([rate, 0.46 * rate]), 1)


def pink_noise(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """3 dB less power density per octave."""
    return coloured(rng, n, rate, rng.uniform(-3.5, -2.6))


def brown_noise(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """6 dB less power density per octave."""
    return coloured(rng, n, rate, rng.uniform(-6.8, -5.2), low_hz=rng.uniform(15.0, 40.0))


def blue_noise(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """3 dB more power density per octave."""
    return coloured(rng, n, rate, rng.uniform(2.5, 3.6))


def _turbulence(rng: np.random.Generator, n: int, rate: int, gust_depth: float, speed: float) -> Samples:
    gust = np.exp(gust_depth * wander(rng, n, rate, rng.uniform(0.15, 0.6)))
    low = coloured(rng, n, rate, rng.uniform(-10.0, -6.5), low_hz=15.0)
    rustle = band(rng, n, rate, 150.0 * speed, 900.0 * speed, 1) * gust
    buffet = filtered(low * gust, rate, 10.0, rng.uniform(150, 500) * speed, 1)
    return unit(buffet) * gust + rng.uniform(0.05, 0.4) * rustle


def wind_light(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Light turbulence with leaves."""
    leaves = band(rng, n, rate, 1500.0, 6500.0) * np.exp(0.5 * wander(rng, n, rate, 0.7))
    return _turbulence(rng, n, rate, rng.uniform(0.15, 0.35), 0.8) + rng.uniform(0.02, 0.35) * leaves


def wind_strong(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Deep gusts, clipping buffets at the microphone, whistling edges (Strouhal tones that follow the gusts)."""
    x = _turbulence(rng, n, rate, rng.uniform(0.4, 0.9), rng.uniform(1.2, 2.5))
    howl = 500.0 * rng.uniform(0.5, 2.0) * np.exp(0.25 * wander(rng, n, rate, 0.4))
    tone = np.sin(phase(howl, rate)) * (1.0 + 0.5 * wander(rng, n, rate, 4.0))
    return np.tanh(rng.uniform(0.5, 1.5) * x) + rng.uniform(0.0, 0.3) * tone * np.clip(wander(rng, n, rate, 0.4), 0, 2)


def _drops(rng: np.random.Generator, n: int, rate: int, per_second: float, surface: str) -> Samples:
    """Drops: Poisson in time, log-normal in size; a click on stone, a ringing bubble in water, a thud on a tent."""
    grains = []
    for _ in range(24):
        if surface == "water":
            t = np.arange(int(0.02 * rate)) / rate
            f = rng.uniform(1200.0, 6000.0)
            grains.append(np.sin(2 * np.pi * f * t * (1.0 + 6.0 * t)) * np.exp(-t * rng.uniform(120, 400)))
        elif surface == "tent":
            grains.append(burst(rng, rate, 0.03, rng.uniform(150, 500), rng.uniform(900, 3500)))
        else:
            grains.append(burst(rng, rate, rng.uniform(0.003, 0.012), rng.uniform(800, 3000), 7500.0))
    times = moments(rng, n / rate, per_second)
    rng.shuffle(grains)
    return place(n, rate, times, grains, np.exp(rng.uniform(0.6, 1.1) * rng.standard_normal(len(times))))


def rain_light(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Single drops over a thin wash."""
    surface = str(rng.choice(["hard", "water", "tent"]))
    drops = unit(_drops(rng, n, rate, rng.uniform(25.0, 250.0), surface))
    wash = coloured(rng, n, rate, rng.uniform(-3.0, 1.0))
    return drops + rng.uniform(0.1, 0.8) * wash * (1 + 0.1 * wander(rng, n, rate, 1.0))


def rain_heavy(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Drops merge into a broad wash with spatter on top and a roar below."""
    surface = str(rng.choice(["hard", "water", "tent"]))
    wash = band(rng, n, rate, 300.0, rng.uniform(4000, 7500), 1)
    drops = unit(_drops(rng, n, rate, rng.uniform(600.0, 2500.0), surface))
    return wash + rng.uniform(0.2, 0.8) * drops + rng.uniform(0.1, 0.6) * coloured(rng, n, rate, -5.0)


def thunder(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Claps as clusters of N-waves, low-passed by distance, then rolling; rain may go with it."""
    seconds = n / rate
    out = np.zeros(n)
    for start in np.sort(rng.uniform(0.0, 0.7 * seconds, int(rng.integers(1, 4)))):
        count = int(rng.integers(10, 80))
        times = np.sort(start + rng.exponential(rng.uniform(0.3, 1.5), count))
        clap = burst(rng, rate, rng.uniform(0.1, 0.4), 25.0, rng.uniform(300, 3000))
        far = filtered(place(n, rate, times, [clap], rng.exponential(1.0, count)), rate, 0.0, rng.uniform(150, 1800), 1)
        roll = coloured(rng, n, rate, -8.0) * np.exp(wander(rng, n, rate, 1.5))
        age = np.arange(n) / rate - start
        out += far + rng.uniform(0.2, 1.0) * roll * np.where(
            age > 0, np.exp(-np.maximum(age, 0) / rng.uniform(1, 4)), 0
        )
    if rng.uniform() < 0.5:
        out = unit(out) + rng.uniform(0.05, 0.4) * rain_heavy(rng, n, rate)
    return room(rng, out, rate, rng.uniform(1.0, 3.0), 0.4)


def ocean(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Breakers: slow swells of noise whose brightness rises with the crest, foam hissing after it."""
    period = rng.uniform(4.0, 11.0)
    cycle = (np.arange(n) / rate / period + rng.uniform() + 0.1 * wander(rng, n, rate, 0.2)) % 1.0
    crest = np.exp(-(((cycle - 0.4) / rng.uniform(0.1, 0.22)) ** 2))
    foam = np.exp(-np.maximum(cycle - 0.4, 0.0) * rng.uniform(3, 8)) * (cycle > 0.4)
    surf = crest * band(rng, n, rate, 80.0, rng.uniform(1000, 3500), 1)
    return (
        surf
        + 0.5 * foam * band(rng, n, rate, 1500.0, 7000.0, 1)
        + rng.uniform(0.15, 0.6) * coloured(rng, n, rate, -5.0)
    )


def waterfall(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Steady broad noise with bubbles."""
    bubbles = unit(_drops(rng, n, rate, rng.uniform(100, 700), "water"))
    body = band(rng, n, rate, rng.uniform(100, 500), rng.uniform(3000, 7500), 1)
    return (
        body * (1 + 0.05 * wander(rng, n, rate, 3.0))
        + rng.uniform(0.05, 0.4) * bubbles
        + 0.3 * coloured(rng, n, rate, -4)
    )


def _bird(rng: np.random.Generator, rate: int) -> Samples:
    syllables = []
    f = rng.uniform(2200.0, 6000.0)
    for _ in range(int(rng.integers(1, 8))):
        n = int(rng.uniform(0.03, 0.25) * rate)
        t = np.arange(n) / n
        sweep = (
            f
            * rng.uniform(0.8, 1.2)
            * (1.0 + rng.uniform(-0.3, 0.3) * t + 0.05 * np.sin(2 * np.pi * rng.uniform(2, 12) * t))
        )
        tone = np.sin(phase(np.minimum(sweep, 0.45 * rate), rate)) * np.sin(np.pi * t) ** 0.7
        syllables += [tone, np.zeros(int(rng.uniform(0.02, 0.12) * rate))]
    return np.concatenate(syllables)


def forest(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Birds in a reverberant wood, insects, leaves in light wind."""
    times = moments(rng, n / rate, rng.uniform(0.4, 3.0))
    birds = place(n, rate, times, [_bird(rng, rate) for _ in range(5)], rng.uniform(0.1, 1.0, len(times)))
    insects = np.sin(phase(np.full(n, rng.uniform(3500, 7000)), rate)) * (
        np.sin(phase(np.full(n, rng.uniform(8, 45)), rate)) > 0
    )
    leaves = band(rng, n, rate, 800.0, 6500.0, 1) * np.exp(0.4 * wander(rng, n, rate, 0.5))
    wet = room(rng, birds, rate, rng.uniform(0.4, 1.5), 0.5)
    return (
        wet
        + rng.uniform(0, 0.15) * insects
        + rng.uniform(0.02, 0.2) * leaves
        + rng.uniform(0.01, 0.1) * coloured(rng, n, rate, -6)
    )


def silence(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Microphone self-noise and a quiet room's floor; the level carries the meaning."""
    hum = rng.uniform(0, 0.3) * np.sin(phase(np.full(n, rng.choice([50.0, 60.0, 100.0])), rate))
    return (
        coloured(rng, n, rate, rng.uniform(-3.0, 0.0))
        + hum
        + rng.uniform(0, 0.5) * resonance(coloured(rng, n, rate, -6), rate, 120, 2)
    )


NATURE = {
    "white_noise": white_noise,
    "pink_noise": pink_noise,
    "brown_noise": brown_noise,
    "blue_noise": blue_noise,
    "wind_light": wind_light,
    "wind_strong": wind_strong,
    "rain_light": rain_light,
    "rain_heavy": rain_heavy,
    "thunder": thunder,
    "ocean": ocean,
    "waterfall": waterfall,
    "forest": forest,
    "silence": silence,
}
"""Category to its synthesis."""
