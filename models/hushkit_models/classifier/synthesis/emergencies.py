"""Sounds that must get through: sirens, evacuation and vehicle alarms, horns, breaking glass, gunshots.

Cadences follow their standards: ISO 8201 temporal three (0.5 s on, 0.5 s off, three times, 1.5 s pause), the temporal
four of carbon monoxide alarms (0.1 s on, 0.1 s off, four times, 5 s pause), and the wail, yelp and hi-lo of vehicle
sirens with the sweep rates of SAE J1849.
"""

import numpy as np

from hushkit_models.classifier.synthesis.primitives import (
    Samples,
    band,
    burst,
    filtered,
    gate,
    harmonics,
    phase,
    place,
    room,
    strike,
    unit,
)


def siren(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Wail, yelp, phaser or European hi-lo, with Doppler drift of a passing vehicle and street echoes."""
    t = np.arange(n) / rate
    style = rng.choice(["wail", "yelp", "phaser", "hi_lo"], p=[0.35, 0.3, 0.1, 0.25])
    if style == "hi_lo":
        low = rng.uniform(360.0, 480.0)
        ratio = rng.uniform(1.28, 1.40)
        period = rng.uniform(0.8, 1.6)
        f0 = np.where((t / period + rng.uniform()) % 1.0 < 0.5, low, low * ratio)
    else:
        per_second = {"wail": rng.uniform(0.17, 0.5), "yelp": rng.uniform(2.5, 4.2), "phaser": rng.uniform(7.0, 16.0)}
        low, high = rng.uniform(500.0, 750.0), rng.uniform(1200.0, 1800.0)
        cycle = (t * per_second[str(style)] + rng.uniform()) % 1.0
        rise = rng.uniform(0.35, 0.7)
        shape = np.where(cycle < rise, cycle / rise, (1.0 - cycle) / (1.0 - rise))
        f0 = low * (high / low) ** shape
    closing = rng.uniform(-25.0, 25.0)  # m/s toward the listener
    passing = closing * np.tanh((rng.uniform(0.2, 0.8) * n / rate - t) / rng.uniform(0.5, 3.0))
    tone = harmonics(f0 * (1.0 + passing / 343.0), rate, 1.0 / np.arange(1, 9) ** rng.uniform(0.6, 1.6), rng)
    horned = filtered(np.tanh(rng.uniform(0.5, 3.0) * tone), rate, 300.0, rng.uniform(2500.0, 6000.0))
    return room(rng, unit(horned), rate, rng.uniform(0.3, 1.5), rng.uniform(0.1, 0.6))


def _cadence(rng: np.random.Generator, seconds: float) -> list[tuple[float, float]]:
    style = rng.choice(["t3", "t4", "steady", "beeps"], p=[0.4, 0.15, 0.15, 0.3])
    at = -rng.uniform(0.0, 0.4)  # within the first group, so that every clip holds evidence
    on: list[tuple[float, float]] = []
    if style == "steady":
        return [(0.0, seconds)]
    if style == "beeps":
        length, pause = rng.uniform(0.08, 0.5), rng.uniform(0.08, 0.6)
        while at < seconds:
            on.append((at, at + length))
            at += length + pause
        return on
    length, count, pause = (0.5, 3, 1.0) if style == "t3" else (0.1, 4, 4.9)
    stretch = rng.uniform(0.96, 1.04)
    while at < seconds:
        for _ in range(count):
            on.append((at, at + length * stretch))
            at += 2.0 * length * stretch
        at += pause * stretch
    return on


def alarm(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Evacuation, smoke, carbon monoxide or car alarm: piezo tone, 520 Hz square, sweep or bell."""
    t = np.arange(n) / rate
    envelope = gate(n, rate, _cadence(rng, n / rate))
    voice = rng.choice(["piezo", "square520", "sweep", "bell", "two_tone"])
    if voice == "piezo":
        f0 = np.full(n, rng.uniform(2400.0, 3700.0))
        tone = harmonics(f0, rate, [1.0, rng.uniform(0.05, 0.4)], rng)
    elif voice == "square520":
        f0 = np.full(n, rng.uniform(494.0, 546.0))
        tone = np.sign(np.sin(phase(f0, rate)))
    elif voice == "sweep":
        saw = (t * rng.uniform(0.8, 8.0)) % 1.0
        f0 = rng.uniform(500.0, 900.0) * (rng.uniform(1.5, 3.0) ** saw)
        tone = harmonics(f0, rate, [1.0, 0.5, 0.33, 0.25, 0.2], rng)
    elif voice == "two_tone":
        low = rng.uniform(600.0, 1000.0)
        f0 = np.where((t * rng.uniform(1.0, 4.0)) % 1.0 < 0.5, low, low * rng.uniform(1.1, 1.4))
        tone = harmonics(f0, rate, [1.0, 0.3, 0.3, 0.1], rng)
    else:
        body = strike(rng, rate, rng.uniform(600.0, 1200.0) * np.array([1.0, 1.9, 2.7, 3.8, 5.1]), 0.25, noise=0.4)
        times = np.arange(0.0, n / rate, 1.0 / rng.uniform(9.0, 22.0))
        tone = place(n, rate, times, [body], rng.uniform(0.8, 1.0, len(times)))
    sound = unit(tone) * envelope
    return room(rng, sound, rate, rng.uniform(0.2, 1.2), rng.uniform(0.0, 0.5))


def horn(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Car, lorry or train horn: a chord of reeds, pressed in bursts."""
    chords = {"car": (405.0, 505.0), "lorry": (160.0, 205.0, 250.0), "train": (255.0, 311.0, 370.0, 440.0)}
    kind = str(rng.choice(list(chords)))
    f0s = np.array(chords[kind]) * rng.uniform(0.85, 1.2)
    seconds = n / rate
    on, at = [], rng.uniform(0.0, 0.8)
    while at < seconds:
        length = rng.uniform(0.15, 2.0)
        on.append((at, at + length))
        at += length + rng.uniform(0.1, 2.5)
    rolloff = rng.uniform(0.2, 0.8)
    tone = sum(harmonics(np.full(n, f), rate, 1.0 / np.arange(1, 22) ** rolloff, rng) for f in f0s)
    shaped = filtered(np.asarray(tone), rate, 150.0, rng.uniform(3000.0, 6500.0))
    return room(rng, unit(shaped) * gate(n, rate, on, 0.02), rate, rng.uniform(0.3, 2.0), rng.uniform(0.1, 0.6))


def glass(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Breaking glass: a blow, then shards whose rate decays, each a high damped ring."""
    out = np.zeros(n)
    seconds = n / rate
    for start in np.arange(rng.uniform(0.0, 0.5 * seconds), seconds, rng.uniform(1.2, 4.0)):
        count = int(rng.integers(25, 140))
        times = start + rng.exponential(rng.uniform(0.1, 0.45), count)
        shards = [
            strike(rng, rate, np.sort(rng.uniform(1800.0, 7500.0, 4)).tolist(), rng.uniform(0.008, 0.07), noise=0.3)
            for _ in range(12)
        ]
        out += place(n, rate, np.sort(times), shards, rng.exponential(0.5, count))
        blow = burst(rng, rate, 0.12, 200.0, 7000.0)
        out += place(n, rate, np.array([start]), [blow], np.array([rng.uniform(0.5, 2.0)]))
    return room(rng, out, rate, rng.uniform(0.15, 0.8), rng.uniform(0.05, 0.4))


def gunshot(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Muzzle blast (Friedlander wave), echoes and a long tail; single shots or bursts."""
    seconds = n / rate
    decay = rng.uniform(0.0004, 0.003)
    t = np.arange(int(0.05 * rate)) / rate
    blast = (1.0 - t / decay) * np.exp(-t / decay)
    crack = blast + 0.3 * burst(rng, rate, 0.05, 300.0, 7500.0)[: len(t)]
    if rng.uniform() < 0.4:
        gap = rng.uniform(0.06, 0.15)
        start = rng.uniform(0.0, max(0.1, seconds - 2.0))
        times = start + gap * np.arange(int(rng.integers(3, 12)))
    else:
        times = np.sort(rng.uniform(0.0, seconds * 0.9, int(rng.integers(1, 5))))
    dry = place(n, rate, times, [crack], rng.uniform(0.6, 1.0, len(times)))
    echoed = dry + sum(
        np.roll(dry, int(rng.uniform(0.05, 0.5) * rate)) * rng.uniform(0.02, 0.2)
        for _ in range(int(rng.integers(1, 5)))
    )
    return room(rng, echoed, rate, rng.uniform(0.5, 2.5), rng.uniform(0.2, 0.7)) + 1e-4 * band(
        rng, n, rate, 20.0, 4000.0
    )


EMERGENCY_SOUNDS = {"siren": siren, "alarm": alarm, "horn": horn, "glass": glass, "gunshot": gunshot}
"""Kind of emergency to its synthesis."""
