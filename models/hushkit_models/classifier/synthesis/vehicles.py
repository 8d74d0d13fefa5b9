"""Roads, rails and aircraft: engines by firing orders, tyres and boundary layers as shaped noise, wheels on joints."""

import numpy as np

from hushkit_models.classifier.synthesis.primitives import (
    Samples,
    band,
    burst,
    coloured,
    filtered,
    harmonics,
    periodic,
    phase,
    place,
    resonance,
    unit,
    wander,
)


def engine(rng: np.random.Generator, n: int, rate: int, rpm: Samples, cylinders: int, load: float) -> Samples:
    """Four-stroke engine: firing pulses at rpm / 60 * cylinders / 2, uneven cylinders, exhaust resonances."""
    firing_hz = rpm / 60.0 * cylinders / 2.0
    angle = phase(firing_hz / cylinders, rate)
    fire = np.zeros(n)
    for cylinder in range(cylinders):
        pulse = np.maximum(0.0, np.cos(0.5 * (angle - 2.0 * np.pi * cylinder / cylinders))) ** rng.uniform(12.0, 40.0)
        fire += rng.uniform(0.75, 1.0) * pulse
    rough = fire * (1.0 + 0.3 * load * rng.standard_normal(n))
    exhaust = resonance(rough, rate, rng.uniform(60.0, 160.0), 1.5) + 0.5 * resonance(
        rough, rate, rng.uniform(250.0, 600.0), 2.0
    )
    intake = 0.15 * load * unit(filtered(rough * rng.standard_normal(n), rate, 200.0, 3000.0))
    return unit(unit(exhaust - exhaust.mean()) + intake)


def pass_by(rng: np.random.Generator, n: int, rate: int, passing_s: float, speed: float, distance: float) -> Samples:
    """Amplitude of a source that passes on a straight line: 1/r spreading, 1 at the closest point."""
    t = np.arange(n) / rate - passing_s
    return distance / np.sqrt(distance**2 + (speed * t) ** 2)


def _tyres(rng: np.random.Generator, n: int, rate: int) -> Samples:
    return unit(band(rng, n, rate, 400.0, 1800.0, 1) + 0.6 * band(rng, n, rate, 40.0, 400.0, 1))


def highway(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Many fast vehicles: a floor of tyre noise around 1 kHz, single pass-bys, lorry engines below."""
    out = _tyres(rng, n, rate) * (1.0 + 0.15 * wander(rng, n, rate, 0.5)) + 0.6 * coloured(rng, n, rate, -6.0)
    for _ in range(int(rng.poisson(n / rate * rng.uniform(0.1, 0.7)))):
        shape = pass_by(rng, n, rate, rng.uniform(0, n / rate), rng.uniform(22, 40), rng.uniform(5, 30))
        out += rng.uniform(0.5, 2.5) * shape**1.5 * _tyres(rng, n, rate)
    return out


def urban_traffic(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Slow mixed traffic: idling and accelerating engines, brakes, a far floor, an occasional horn in the distance."""
    out = 0.5 * coloured(rng, n, rate, -5.0) + 0.2 * band(rng, n, rate, 300.0, 3000.0, 1)
    for _ in range(int(rng.integers(1, 5))):
        rpm = rng.uniform(700, 1800) * (1.0 + 0.25 * np.clip(wander(rng, n, rate, 0.4), -1.5, 3.0))
        shape = pass_by(rng, n, rate, rng.uniform(0, n / rate), rng.uniform(4, 14), rng.uniform(3, 15))
        out += (
            rng.uniform(0.4, 1.5) * shape * engine(rng, n, rate, rpm, int(rng.choice([4, 4, 6])), rng.uniform(0.2, 1))
        )
        out += 0.5 * shape**1.5 * _tyres(rng, n, rate)
    if rng.uniform() < 0.25:
        start = int(rng.uniform(0, 0.8) * n)
        squeal = np.zeros(n)
        squeal[start:] = harmonics(np.full(n - start, rng.uniform(1500, 3500)), rate, [1.0, 0.3], rng)
        out += 0.2 * squeal * np.exp(-np.maximum(np.arange(n) - start, 0) / (0.4 * rate))
    return out


def motorcycle(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """One or two cylinders with blips of the throttle."""
    throttle = np.clip(wander(rng, n, rate, rng.uniform(0.3, 1.2)), -1.0, 2.5)
    rpm = rng.uniform(1200, 4500) * (1.0 + rng.uniform(0.05, 0.4) * throttle)
    sound = engine(rng, n, rate, np.maximum(rpm, 600.0), int(rng.choice([1, 2])), 1.0) * (1.0 + 0.3 * throttle)
    return np.tanh(rng.uniform(0.7, 2.0) * sound) + 0.1 * coloured(rng, n, rate, -4.0)


def bicycle(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Freewheel ticks, chain rustle, tyre hiss and the rider's wind."""
    seconds = n / rate
    tick = burst(rng, rate, rng.uniform(0.004, 0.012), 1800.0, 7000.0)
    times = periodic(rng, seconds, rng.uniform(8.0, 45.0), 0.03)
    ticks = place(n, rate, times, [tick], rng.uniform(0.5, 1.0, len(times)))
    coasting = (wander(rng, n, rate, 0.3) > rng.uniform(-1.0, 1.0)).astype(float)
    chain = band(rng, n, rate, 1500.0, 6000.0) * np.abs(np.sin(phase(np.full(n, rng.uniform(0.8, 1.8)), rate)))
    wind = coloured(rng, n, rate, -9.0) * (1.0 + 0.4 * wander(rng, n, rate, 0.8))
    return (
        1.5 * ticks * coasting + 0.15 * chain + 0.12 * band(rng, n, rate, 500.0, 5000.0) + rng.uniform(0.1, 0.6) * wind
    )


def ev(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Electric car: gear and inverter whine that follows speed, tyre noise, no firing orders."""
    speed = np.clip(1.0 + 0.3 * wander(rng, n, rate, 0.2), 0.2, 2.0)
    whine = harmonics(rng.uniform(300, 900) * speed, rate, [1.0, 0.0, 0.4, 0.0, 0.2], rng)
    inverter = harmonics(np.full(n, rng.uniform(2500, 7000)) * (1 + 0.002 * speed), rate, [1.0], rng)
    return 0.25 * whine + 0.04 * inverter + rng.uniform(0.4, 1.0) * speed * _tyres(rng, n, rate)


def _jet(rng: np.random.Generator, n: int, rate: int, peak_hz: float) -> Samples:
    roar = unit(filtered(coloured(rng, n, rate, -3.0), rate, peak_hz / 3.0, peak_hz * 3.0, 1))
    return roar + 0.35 * coloured(rng, n, rate, -5.0)


def aircraft_takeoff(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Jet roar that swells, buzz-saw tones of the fan at high thrust, Doppler on passing."""
    t = np.arange(n) / n
    swell = 10.0 ** ((rng.uniform(-6, 12) * t + rng.uniform(-6, 0)) / 20.0)
    shaft = rng.uniform(70, 130) * (1.0 + rng.uniform(-0.08, 0.15) * t)
    buzz = harmonics(shaft, rate, rng.uniform(0.0, 1.0, 40), rng)
    return swell * (_jet(rng, n, rate, rng.uniform(120, 350)) + rng.uniform(0.02, 0.3) * unit(buzz))


def aircraft_cruise(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Cabin: boundary layer below 500 Hz, air conditioning, engine shaft tones or propeller blade passing."""
    layer = filtered(coloured(rng, n, rate, rng.uniform(-7.0, -4.0)), rate, 20.0, rng.uniform(600, 3000), 1)
    out = unit(layer) + rng.uniform(0.05, 0.3) * band(rng, n, rate, 500.0, 5000.0, 1)
    if rng.uniform() < 0.4:
        blades = rng.uniform(75, 115) * (1.0 + 0.002 * wander(rng, n, rate, 0.5))
        out += rng.uniform(0.2, 1.0) * unit(harmonics(blades, rate, 0.6 ** np.arange(10), rng))
        out *= 1.0 + 0.2 * np.sin(phase(np.full(n, rng.uniform(0.5, 3.0)), rate))
    else:
        for shaft in rng.uniform(60, 220, 2):
            out += rng.uniform(0.02, 0.2) * harmonics(np.full(n, shaft), rate, [1.0, 0.3, 0.1], rng)
    return out


def aircraft_landing(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Airframe noise and low thrust that fade, tyre touchdown, reverse thrust."""
    t = np.arange(n) / n
    out = _jet(rng, n, rate, rng.uniform(200, 600)) * 10.0 ** ((rng.uniform(-10, 3) * t) / 20.0)
    out += 0.3 * harmonics(rng.uniform(900, 2600) * (1.0 - 0.15 * t), rate, [1.0, 0.3], rng) * rng.uniform(0.1, 0.8)
    if rng.uniform() < 0.5:
        touch = int(rng.uniform(0.2, 0.8) * n)
        squeal = burst(rng, rate, 0.5, 800.0, 5000.0)
        out += place(n, rate, np.array([touch / rate]), [squeal], np.array([rng.uniform(1, 3)]))
        out += np.where(np.arange(n) > touch, rng.uniform(0.5, 2.0), 0.0) * _jet(rng, n, rate, 150.0)
    return out


def _rolling(rng: np.random.Generator, n: int, rate: int, speed: float, joint: float) -> Samples:
    times = periodic(rng, n / rate, speed / rng.uniform(9.0, 20.0), 0.02)
    pairs = np.sort(np.concatenate([times, times + 2.5 / speed]))
    clack = burst(rng, rate, 0.09, 80.0, 2500.0) + 0.5 * burst(rng, rate, 0.09, 300.0, 1200.0)
    clacks = place(n, rate, pairs[pairs < n / rate], [clack], rng.uniform(0.7, 1.0, int((pairs < n / rate).sum())))
    roll = band(rng, n, rate, 60.0, rng.uniform(400, 1500), 1)
    return roll * (1.0 + 0.2 * wander(rng, n, rate, 1.5)) + joint * clacks


def train(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Rolling noise, rail joints in pairs of axles, traction whine or diesel."""
    out = _rolling(rng, n, rate, rng.uniform(12, 45), rng.uniform(0.3, 2.5))
    if rng.uniform() < 0.5:
        rpm = np.full(n, rng.uniform(600, 1500)) * (1 + 0.02 * wander(rng, n, rate, 0.3))
        out += 0.6 * engine(rng, n, rate, rpm, 12, 0.6)
    else:
        whine = rng.uniform(200, 900) * (1 + 0.05 * wander(rng, n, rate, 0.2))
        out += 0.1 * harmonics(whine, rate, [1.0, 0.3, 0.4], rng)
    return out + 0.3 * coloured(rng, n, rate, -5.0)


def subway(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Tunnel: loud rolling with reverberant lows, flange squeal, inverter tones that step on starting."""
    out = 1.3 * _rolling(rng, n, rate, rng.uniform(8, 22), rng.uniform(0.2, 1.0)) + 0.8 * coloured(rng, n, rate, -7.0)
    tunnel = unit(resonance(out, rate, rng.uniform(60, 150), 1.2)) + unit(out)
    step = np.floor(np.arange(n) / (rate * rng.uniform(0.5, 1.5)))
    inverter = harmonics(rng.uniform(250, 500) * (1.0 + 0.12 * (step % 5)), rate, [1.0, 0.5, 0.3], rng)
    squeal = harmonics(rng.uniform(1800, 4500) * (1 + 0.01 * wander(rng, n, rate, 3.0)), rate, [1.0, 0.5], rng)
    gating = np.clip(wander(rng, n, rate, 0.6) - rng.uniform(0.3, 1.5), 0.0, 2.0)
    return tunnel + rng.uniform(0.0, 0.25) * inverter + 0.3 * gating * squeal


VEHICLES = {
    "highway": highway,
    "urban_traffic": urban_traffic,
    "motorcycle": motorcycle,
    "bicycle": bicycle,
    "ev": ev,
    "aircraft_takeoff": aircraft_takeoff,
    "aircraft_cruise": aircraft_cruise,
    "aircraft_landing": aircraft_landing,
    "train": train,
    "subway": subway,
}
"""Category to its synthesis."""
