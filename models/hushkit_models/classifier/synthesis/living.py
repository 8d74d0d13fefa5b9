"""People, animals and music: voices by source and filter, places as crowds of voices in rooms, notes by harmonics."""

import itertools

import numpy as np

from hushkit_models.classifier.synthesis.machines import hvac, office_quiet
from hushkit_models.classifier.synthesis.primitives import (
    Samples,
    band,
    burst,
    coloured,
    filtered,
    gate,
    harmonics,
    moments,
    periodic,
    phase,
    place,
    resonance,
    room,
    strike,
    unit,
    wander,
)
from hushkit_models.classifier.synthesis.vehicles import train

_VOWELS = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
    (440, 1020, 2240),
)


def voice(rng: np.random.Generator, n: int, rate: int, pitch_hz: float, *, shout: float = 0.0) -> Samples:
    """Speech-like babble of one talker: glottal pulses through moving formants, fricatives, syllables and pauses."""
    t = np.arange(n) / rate
    f0 = pitch_hz * (1.0 + 0.12 * wander(rng, n, rate, 2.0) + shout * 0.3 * np.clip(wander(rng, n, rate, 1.0), 0, 2))
    source = harmonics(np.maximum(f0, 50.0), rate, 1.0 / np.arange(1, 30) ** (1.4 - 0.6 * shout), rng)
    stretch = pitch_hz / 130.0
    scale = 1.0 + 0.15 * np.clip(stretch - 1.0, 0.0, 1.2)
    speech = np.zeros(n)
    pieces = max(1, int(n / rate * rng.uniform(3.0, 5.0)))
    edges = np.linspace(0, n, pieces + 1).astype(int)
    for start, stop in itertools.pairwise(edges):
        vowel = np.array(_VOWELS[int(rng.integers(len(_VOWELS)))]) * scale
        segment = source[start:stop]
        shaped = sum(resonance(segment, rate, f, 6.0) * g for f, g in zip(vowel, (1.0, 0.6, 0.3), strict=True))
        fricative = 0.25 * rng.uniform() * filtered(rng.standard_normal(stop - start), rate, 3000.0, 7000.0)
        hump = np.sin(np.pi * np.linspace(0.0, 1.0, stop - start)) ** 0.5
        speech[start:stop] = np.where(rng.uniform() < 0.8, 1.0, 0.0) * (np.asarray(shaped) + 0.1 * fricative) * hump
    phrase = (np.sin(2 * np.pi * t * rng.uniform(0.15, 0.5) + rng.uniform(0, 6.3)) > -0.5).astype(float)
    return unit(speech * phrase + 1e-9)


def babble(rng: np.random.Generator, n: int, rate: int, talkers: int) -> Samples:
    """Several talkers at different distances."""
    out = np.zeros(n)
    for _ in range(talkers):
        pitch = rng.choice([rng.uniform(85, 150), rng.uniform(165, 255)])
        out += rng.uniform(0.2, 1.0) * voice(rng, n, rate, float(pitch))
    return unit(out)


def _dishes(rng: np.random.Generator, n: int, rate: int, per_second: float) -> Samples:
    bodies = [
        strike(rng, rate, rng.uniform(1800, 5500) * np.array([1.0, 1.8, 2.6]), rng.uniform(0.02, 0.12))
        for _ in range(6)
    ]
    times = moments(rng, n / rate, per_second)
    return place(n, rate, times, bodies, rng.exponential(0.5, len(times)))


def cafe_quiet(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Two or three soft talkers, cups, ventilation."""
    dry = (
        0.6 * babble(rng, n, rate, int(rng.integers(1, 4)))
        + 0.4 * _dishes(rng, n, rate, 0.6)
        + 0.3 * hvac(rng, n, rate)
    )
    return room(rng, dry, rate, rng.uniform(0.3, 0.8), 0.4)


def cafe_busy(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Many talkers, cups, the steam of an espresso machine."""
    steam = band(rng, n, rate, 2000, 7500, 1) * gate(n, rate, [(rng.uniform(0, 3), rng.uniform(3, 6))], 0.2)
    dry = (
        babble(rng, n, rate, int(rng.integers(6, 12))) + 0.5 * _dishes(rng, n, rate, 2.0) + rng.uniform(0, 0.5) * steam
    )
    return room(rng, dry, rate, rng.uniform(0.4, 1.0), 0.5)


def restaurant(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Talkers and much cutlery, soft music."""
    dry = babble(rng, n, rate, int(rng.integers(5, 12))) + rng.uniform(0.6, 1.4) * _dishes(
        rng, n, rate, rng.uniform(2, 5)
    )
    return room(rng, dry + 0.15 * unit(music_treble(rng, n, rate)), rate, rng.uniform(0.4, 1.0), 0.4)


def mall(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Far voices in a large hall, steps, background music."""
    steps = moments(rng, n / rate, 3.0)
    walk = place(n, rate, steps, [burst(rng, rate, 0.06, 100, 2500)], rng.uniform(0.1, 0.8, len(steps)))
    dry = babble(rng, n, rate, int(rng.integers(6, 12))) + 0.5 * walk + 0.3 * unit(music_treble(rng, n, rate))
    return room(rng, dry, rate, rng.uniform(1.5, 3.0), 0.7) + 0.2 * coloured(rng, n, rate, -5)


def _announcement(rng: np.random.Generator, n: int, rate: int) -> Samples:
    chime = np.zeros(n)
    at = int(rng.uniform(0, 0.3) * n)
    for index, note in enumerate(rng.choice([392.0, 494.0, 523.0, 587.0, 659.0, 784.0], int(rng.integers(2, 5)))):
        start = at + int(index * 0.35 * rate)
        bell = strike(rng, rate, [note, 2 * note, 3 * note], 0.35, noise=0.0)
        stop = min(n, start + len(bell))
        chime[start:stop] += bell[: max(0, stop - start)]
    talk = voice(rng, n, rate, rng.uniform(110, 220)) * (np.arange(n) > at + 1.2 * rate)
    return filtered(0.6 * chime + talk, rate, 350.0, 3500.0)


def airport(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Hall with announcements, trolley wheels, far jets."""
    trolley = band(rng, n, rate, 300, 3000, 1) * np.clip(wander(rng, n, rate, 2.0), 0, 2)
    dry = 0.7 * babble(rng, n, rate, int(rng.integers(4, 9))) + 0.8 * _announcement(rng, n, rate) + 0.2 * trolley
    return room(rng, dry, rate, rng.uniform(1.5, 3.0), 0.6) + rng.uniform(0.1, 0.5) * coloured(rng, n, rate, -6)


def train_station(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Announcements, trains and brakes in a reverberant hall."""
    squeal = harmonics(rng.uniform(1500, 3500) * (1 + 0.01 * wander(rng, n, rate, 2)), rate, [1, 0.4], rng)
    squeal *= np.clip(wander(rng, n, rate, 0.4), 0, 2)
    dry = 0.6 * babble(rng, n, rate, int(rng.integers(3, 8))) + 0.7 * _announcement(rng, n, rate)
    dry += rng.uniform(0.3, 1.2) * unit(train(rng, n, rate)) + rng.uniform(0, 0.25) * squeal
    return room(rng, dry, rate, rng.uniform(1.5, 3.5), 0.6)


def crowd_talking(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """A party: many close voices, laughter."""
    laugh = voice(rng, n, rate, rng.uniform(180, 350), shout=0.6) * (
        np.sin(phase(np.full(n, rng.uniform(4, 6)), rate)) > 0
    )
    dry = babble(rng, n, rate, int(rng.integers(8, 16))) + 0.3 * laugh * np.clip(wander(rng, n, rate, 0.5), 0, 2)
    return room(rng, dry, rate, rng.uniform(0.4, 1.2), 0.4)


def crowd_cheering(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Hundreds of sustained shouts: noise through vowel formants with swells, whistles, clapping."""
    roar = sum(band(rng, n, rate, f * 0.75, f * 1.3, 2) * g for f, g in ((650, 1.0), (1150, 0.8), (2600, 0.35)))
    swell = np.exp(0.4 * wander(rng, n, rate, 0.5))
    whistle = np.sin(phase(rng.uniform(1800, 3200) * (1 + 0.1 * wander(rng, n, rate, 3)), rate)) * np.clip(
        wander(rng, n, rate, 0.8) - 0.8, 0, 1
    )
    shouts = babble(rng, n, rate, 5) * 0.3
    return np.asarray(roar) * swell + shouts + 0.5 * whistle + 0.15 * unit(crowd_applause(rng, n, rate))


def crowd_applause(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Hands: short band-limited claps of many people at 2..5 a second each, a few close ones."""
    claps = [
        burst(rng, rate, rng.uniform(0.015, 0.04), rng.uniform(500, 1200), rng.uniform(2500, 6500)) for _ in range(20)
    ]
    people = rng.uniform(15, 200)
    times = moments(rng, n / rate, people * 3.5)
    far = place(n, rate, times, claps, rng.exponential(0.4, len(times)))
    close = np.zeros(n)
    for index in range(int(rng.integers(1, 4))):
        beat = periodic(rng, n / rate, rng.uniform(2.0, 5.0), 0.08)
        close += place(n, rate, beat, [claps[index]], rng.uniform(0.5, 1.5, len(beat)))
    return room(rng, unit(far) + 0.2 * unit(close + 1e-9), rate, rng.uniform(0.4, 1.5), 0.3)


def office_busy(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Typing, phones, colleagues talking."""
    ring = gate(n, rate, [(t, t + 0.9) for t in np.arange(rng.uniform(0, 4), n / rate, 3.0)])
    tone = harmonics(np.full(n, rng.uniform(600, 1600)), rate, [1.0, 0.4, 0.3], rng) * (
        np.sin(phase(np.full(n, 20.0), rate)) > 0
    )
    dry = office_quiet(rng, n, rate) + 0.5 * babble(rng, n, rate, int(rng.integers(2, 5)))
    return room(rng, dry + rng.choice([0.0, 0.15]) * tone * ring, rate, rng.uniform(0.3, 0.7), 0.4)


def baby_crying(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Cries of about a second: 350..600 Hz rising and falling, rough at the top, sharp intakes of breath."""
    out = np.zeros(n)
    at = int(rng.uniform(0, 0.6) * rate)
    pitch = rng.uniform(330, 560)
    while at < n:
        length = int(rng.uniform(0.4, 1.4) * rate)
        t = np.linspace(0, 1, length)
        f0 = pitch * (
            1 + rng.uniform(0.1, 0.4) * np.sin(np.pi * t) ** 0.7 + 0.02 * rng.standard_normal() * np.sin(60 * t)
        )
        cry = harmonics(f0, rate, 1.0 / np.arange(1, 15) ** rng.uniform(0.4, 1.0), rng)
        shaped = resonance(cry, rate, 1100.0, 2.5) + 0.8 * resonance(cry, rate, 3200.0, 3.0) + 0.3 * cry
        rough = 1 + rng.uniform(0, 0.6) * rng.standard_normal(length) * (t > 0.3)
        stop = min(n, at + length)
        out[at:stop] += (shaped * rough * np.sin(np.pi * t) ** 0.35)[: stop - at]
        breath_n = int(rng.uniform(0.1, 0.3) * rate)
        breath = 0.1 * burst(rng, rate, breath_n / rate, 800, 5000)[:breath_n]
        stop2 = min(n, stop + len(breath))
        out[stop:stop2] += breath[: stop2 - stop]
        at += length + int(rng.uniform(0.15, 0.6) * rate)
    return room(rng, out, rate, rng.uniform(0.2, 0.6), 0.25) + 0.005 * coloured(rng, n, rate, -3)


def dog_barking(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Barks of 60..250 ms in bursts: pitch falls, noisy throat resonance set by the dog's size."""
    size = rng.uniform(0.4, 1.6)
    barks = []
    for _ in range(4):
        length = int(rng.uniform(0.06, 0.25) * rate)
        t = np.linspace(0, 1, length)
        f0 = 420.0 / size * (1.3 - 0.6 * t) * rng.uniform(0.85, 1.15)
        tone = harmonics(f0, rate, 1.0 / np.arange(1, 12) ** 0.7, rng) + 0.8 * rng.standard_normal(length)
        shaped = resonance(tone, rate, 900.0 / size**0.5, 2.0) + 0.5 * resonance(tone, rate, 1900.0 / size**0.5, 3.0)
        barks.append(unit(shaped) * np.minimum(1.0, t * 20) * (1 - t) ** 0.6)
    times: list[float] = []
    at = rng.uniform(0.0, 1.0)
    while at < n / rate:
        for _ in range(int(rng.integers(1, 5))):
            times.append(at)
            at += rng.uniform(0.25, 0.6)
        at += rng.uniform(0.3, 2.5)
    sound = place(n, rate, np.array(times), barks, rng.uniform(0.6, 1.0, len(times)))
    return room(rng, sound, rate, rng.uniform(0.2, 1.2), rng.uniform(0.1, 0.5)) + 0.005 * coloured(rng, n, rate, -4)


_SCALE = np.array([0, 2, 3, 5, 7, 8, 10, 12])


def music_bass(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Bass line and kick drum at a steady tempo."""
    beat = 60.0 / rng.uniform(70, 150)
    times = np.arange(0.0, n / rate, beat / rng.choice([1, 2]))
    root = rng.uniform(36, 65)
    out = np.zeros(n)
    for time in times:
        length = int(beat * rate * rng.uniform(0.4, 1.2))
        t = np.arange(length) / rate
        f = root * 2 ** (float(rng.choice(_SCALE)) / 12)
        note = harmonics(np.full(length, f), rate, 0.6 ** np.arange(8), rng) * np.exp(-t * rng.uniform(1, 6))
        at = int(time * rate)
        stop = min(n, at + length)
        out[at:stop] += note[: stop - at]
    t = np.arange(int(0.25 * rate)) / rate
    kick = np.sin(phase(45 + 110 * np.exp(-t * 35), rate)) * np.exp(-t * 14)
    beats = np.arange(0.0, n / rate, beat)
    drums = place(n, rate, beats, [kick], np.ones(len(beats)))
    return unit(filtered(out, rate, 0.0, rng.uniform(300, 1200), 1)) + rng.uniform(0, 1.2) * unit(drums)


def music_treble(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Melody and chords above 250 Hz with hi-hats: plucked, bowed or bells."""
    beat = 60.0 / rng.uniform(70, 160)
    root = rng.uniform(250, 520)
    bowed = rng.uniform() < 0.4
    out = np.zeros(n)
    for time in np.arange(0.0, n / rate, beat / 2):
        if rng.uniform() < 0.25:
            continue
        length = int(beat * rate * rng.uniform(0.5, 2.0))
        t = np.arange(length) / rate
        shape = np.sin(np.pi * np.linspace(0, 1, length)) ** 0.5 if bowed else np.exp(-t * rng.uniform(2, 9))
        for step in rng.choice(_SCALE, int(rng.integers(1, 4))):
            vibrato = 1 + 0.006 * bowed * np.sin(2 * np.pi * 5.5 * t)
            f = root * 2 ** (float(step) / 12) * rng.choice([1.0, 2.0])
            note = harmonics(f * vibrato, rate, rng.uniform(0.45, 0.75) ** np.arange(9), rng) * shape
            at = int(time * rate)
            stop = min(n, at + length)
            out[at:stop] += note[: stop - at]
    hats = np.arange(0.0, n / rate, beat / 2)
    hat = place(n, rate, hats, [burst(rng, rate, 0.05, 5000, 7600)], rng.uniform(0.3, 1.0, len(hats)))
    return room(rng, unit(filtered(out, rate, 200.0, rate)) + rng.uniform(0, 0.3) * hat, rate, 0.6, 0.25)


LIVING = {
    "cafe_quiet": cafe_quiet,
    "cafe_busy": cafe_busy,
    "restaurant": restaurant,
    "mall": mall,
    "airport": airport,
    "train_station": train_station,
    "crowd_talking": crowd_talking,
    "crowd_cheering": crowd_cheering,
    "crowd_applause": crowd_applause,
    "office_busy": office_busy,
    "baby_crying": baby_crying,
    "dog_barking": dog_barking,
    "music_bass": music_bass,
    "music_treble": music_treble,
}
"""Category to its synthesis."""
