"""Fans, appliances, factories, construction: rotors by blade passing, motors by mains hum, tools by their blows."""

import numpy as np

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
from hushkit_models.classifier.synthesis.vehicles import engine


def _mains(rng: np.random.Generator, n: int, rate: int, tilt: float = 0.6) -> Samples:
    base = float(rng.choice([50.0, 60.0])) * 2.0
    return unit(harmonics(np.full(n, base), rate, rng.uniform(0.2, 1.0, 8) * tilt ** np.arange(8), rng))


def rotor(
    rng: np.random.Generator, n: int, rate: int, rev_hz: float, blades: int, tonal: float, top_hz: float
) -> Samples:
    """Fan: broad flow noise up to ``top_hz`` and blade passing tones with slight modulation once per revolution."""
    speed = rev_hz * (1.0 + 0.003 * wander(rng, n, rate, 0.5))
    tones = harmonics(speed * blades, rate, 0.6 ** np.arange(8), rng) + 0.2 * harmonics(speed, rate, [1.0, 0.4], rng)
    flow = filtered(coloured(rng, n, rate, rng.uniform(-5.0, -2.0)), rate, 40.0, top_hz, 1)
    wobble = 1.0 + 0.05 * np.sin(phase(speed, rate))
    return unit(flow) * wobble + tonal * unit(tones)


def hvac(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Duct: low rumble, grille hiss, a far fan."""
    fan = rotor(
        rng, n, rate, rng.uniform(8, 25), int(rng.integers(6, 14)), rng.uniform(0.02, 0.3), rng.uniform(400, 1200)
    )
    return fan + 0.5 * coloured(rng, n, rate, -6.0) + rng.uniform(0.02, 0.2) * band(rng, n, rate, 1000, 5000, 1)


def office_hvac(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """The same in a furnished room, with the room's small sounds."""
    dry = hvac(rng, n, rate) + rng.uniform(0.0, 0.15) * _typing(rng, n, rate)
    return room(rng, dry, rate, rng.uniform(0.3, 0.7), 0.5)


def refrigerator(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Compressor hum on mains harmonics, refrigerant gurgle."""
    hum = _mains(rng, n, rate, rng.uniform(0.4, 0.8)) * (1 + 0.05 * wander(rng, n, rate, 0.3))
    gurgle = resonance(
        band(rng, n, rate, 200, 1500) * np.clip(wander(rng, n, rate, 3.0), 0, 3), rate, rng.uniform(300, 900), 4
    )
    return hum + rng.uniform(0.1, 0.5) * coloured(rng, n, rate, -5.0) + rng.uniform(0.0, 0.3) * unit(gurgle)


def air_purifier(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Filter fan: bright flow noise, weak tones."""
    return rotor(
        rng, n, rate, rng.uniform(12, 30), int(rng.integers(7, 40)), rng.uniform(0.02, 0.2), rng.uniform(2000, 6000)
    )


def computer_fan(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Small fast rotors, coil whine, disk ticks."""
    out = rotor(
        rng,
        n,
        rate,
        rng.uniform(15, 60),
        int(rng.choice([5, 7, 9, 11])),
        rng.uniform(0.1, 0.6),
        rng.uniform(1000, 4000),
    )
    return out + rng.uniform(0, 0.08) * harmonics(np.full(n, rng.uniform(2000, 7000)), rate, [1.0], rng)


def server_room(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Dozens of fast fans whose tones beat, over cooling air."""
    out = coloured(rng, n, rate, -2.0)
    for _ in range(int(rng.integers(4, 10))):
        out += 0.35 * rotor(rng, n, rate, rng.uniform(70, 200), 7, rng.uniform(0.1, 0.6), 6500.0)
    return room(rng, out, rate, 0.6, 0.4)


def generator(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Diesel at constant speed with governor hunting, alternator hum."""
    rpm = float(rng.choice([1500.0, 1800.0, 3000.0, 3600.0])) * (1.0 + 0.006 * wander(rng, n, rate, 0.8))
    sound = engine(rng, n, rate, rpm, int(rng.choice([1, 2, 4, 6])), rng.uniform(0.5, 1.0))
    return sound + rng.uniform(0.05, 0.3) * _mains(rng, n, rate) + 0.2 * coloured(rng, n, rate, -3.0)


def vacuum(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Universal motor at high speed, suction noise, strokes over the floor."""
    rev = rng.uniform(250, 550) * (1.0 + 0.01 * wander(rng, n, rate, 0.8))
    whine = unit(harmonics(rev, rate, rng.uniform(0.1, 1.0, 12) * 0.75 ** np.arange(12), rng))
    stroke = 1.0 + 0.25 * np.sin(phase(np.full(n, rng.uniform(0.3, 0.9)), rate))
    return (band(rng, n, rate, 300, 6000, 1) + 0.4 * coloured(rng, n, rate, -3)) * stroke + rng.uniform(
        0.2, 1.0
    ) * whine


def washing_machine(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Drum turning with laundry falling, or the spin cycle with imbalance and motor whine."""
    if rng.uniform() < 0.5:
        drum = rng.uniform(0.7, 1.0)
        times = periodic(rng, n / rate, drum * 2.0, 0.15)
        slosh = place(n, rate, times, [burst(rng, rate, 0.4, 60, 900)], rng.uniform(0.4, 1.0, len(times)))
        water = band(rng, n, rate, 400, 4000, 1) * np.clip(wander(rng, n, rate, 1.5), 0, 3)
        whirr = harmonics(np.full(n, rng.uniform(180, 500)), rate, [1.0, 0.4, 0.3], rng)
        return unit(slosh) + 0.3 * water + 0.25 * whirr + 0.3 * coloured(rng, n, rate, -4.0)
    spin = rng.uniform(10, 22)
    shake = harmonics(np.full(n, spin), rate, 0.7 ** np.arange(12), rng)
    whine = harmonics(np.full(n, spin * rng.uniform(10, 40)), rate, [1.0, 0.6, 0.3], rng)
    return (
        coloured(rng, n, rate, -3) * (1 + 0.4 * np.sin(phase(np.full(n, spin), rate)))
        + 0.6 * unit(shake)
        + 0.4 * unit(whine)
    )


def dishwasher(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Rotating spray arms hitting dishes, pump hum, drain gurgles."""
    turn = rng.uniform(0.4, 1.0)
    sweep = 0.6 + 0.4 * np.sin(phase(np.full(n, turn), rate)) ** 2
    spray = band(rng, n, rate, 200, rng.uniform(1500, 4500), 1) * sweep
    times = moments(rng, n / rate, 0.4)
    dishes = [strike(rng, rate, rng.uniform(1500, 5000) * np.array([1.0, 2.3, 3.1]), 0.05) for _ in range(3)]
    clinks = place(n, rate, times, dishes, rng.uniform(0.1, 0.6, len(times)))
    return spray + rng.uniform(0.2, 0.7) * _mains(rng, n, rate) + clinks + 0.3 * coloured(rng, n, rate, -6.0)


def construction_drilling(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Hammer drill or jackhammer: blows at 15..70 a second on stone, motor, on and off."""
    blows = rng.uniform(15.0, 70.0)
    times = periodic(rng, n / rate, blows, 0.02)
    stone = [burst(rng, rate, 0.02, 300, 6500) + 0.3 * burst(rng, rate, 0.02, 60, 400) for _ in range(4)]
    hits = place(n, rate, times, stone, rng.uniform(0.7, 1.0, len(times)))
    motor = harmonics(
        blows * rng.uniform(6, 16) * (1 + 0.02 * wander(rng, n, rate, 1.0)), rate, 0.8 ** np.arange(14), rng
    )
    start = rng.uniform(0, 0.5)
    on = gate(n, rate, [(start, start + rng.uniform(1, 4)), (start + rng.uniform(4.2, 6), n / rate)], 0.05)
    return (unit(hits) + rng.uniform(0.2, 0.9) * unit(motor)) * on + 0.05 * coloured(rng, n, rate, -4.0)


def construction_hammering(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Blows on wood, nails or anvil, 1..4 a second with pauses."""
    times = periodic(rng, n / rate, rng.uniform(1.0, 4.0), 0.1)
    keep = wander(rng, len(times) + 8, 8, 1.0)[: len(times)] > -0.8
    metal = rng.uniform() < 0.5
    base = rng.uniform(700, 3500) if metal else rng.uniform(90, 500)
    decay = rng.uniform(0.03, 0.3) if metal else rng.uniform(0.01, 0.05)
    blow = strike(rng, rate, base * np.array([1.0, 1.6, 2.4, 3.7, 5.2]), decay, noise=rng.uniform(0.2, 1.0))
    hits = place(n, rate, times[keep], [blow], rng.uniform(0.5, 1.0, int(keep.sum())))
    return room(rng, hits, rate, rng.uniform(0.2, 1.2), rng.uniform(0.1, 0.5)) + 0.01 * coloured(rng, n, rate, -4.0)


def construction_sawing(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Hand saw strokes, or a circular saw whose tooth tone drops under load."""
    if rng.uniform() < 0.6:
        stroke = phase(rng.uniform(0.8, 2.5) * (1 + 0.08 * wander(rng, n, rate, 1.0)), rate)
        speed = np.abs(np.sin(stroke))
        teeth = np.sin(phase(rng.uniform(150, 450) * speed, rate)) > 0.3
        rasp = band(rng, n, rate, rng.uniform(500, 1500), rng.uniform(3500, 7500), 1)
        return rasp * speed**1.5 * (0.6 + 0.6 * teeth) * (1 + 0.4 * np.sign(np.sin(stroke)))
    load = np.clip(wander(rng, n, rate, 0.5), 0, 2)
    tooth = rng.uniform(800, 2500) * (1.0 - 0.12 * load)
    whine = harmonics(tooth, rate, [1.0, 0.5, 0.3, 0.2], rng)
    return unit(whine) + (0.3 + load) * band(rng, n, rate, 800, 7000, 1)


def _clanks(rng: np.random.Generator, n: int, rate: int, per_second: float) -> Samples:
    bodies = [
        strike(rng, rate, rng.uniform(300, 2500) * np.array([1.0, 1.5, 2.2, 3.4]), rng.uniform(0.05, 0.3))
        for _ in range(6)
    ]
    times = moments(rng, n / rate, per_second)
    return place(n, rate, times, bodies, rng.uniform(0.2, 1.0, len(times)))


def factory_general(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """A hall: many motors blended by reverberation, fork lifts, clanks."""
    out = coloured(rng, n, rate, -4.0) + 0.5 * _mains(rng, n, rate)
    for _ in range(int(rng.integers(2, 6))):
        out += rng.uniform(0.1, 0.5) * rotor(rng, n, rate, rng.uniform(10, 50), int(rng.integers(3, 12)), 0.5, 3000.0)
    return room(
        rng, out + rng.uniform(0.5, 2) * _clanks(rng, n, rate, rng.uniform(0.5, 3)), rate, rng.uniform(1, 2.5), 0.5
    )


def factory_machinery(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """One machine close by: a strict work cycle of press, pneumatics and gears."""
    cycle = rng.uniform(0.5, 6.0)
    times = periodic(rng, n / rate, cycle, 0.01)
    plate = strike(rng, rate, rng.uniform(200, 900) * np.array([1.0, 1.7, 2.9]), 0.06)
    blow = burst(rng, rate, 0.15, 50, 1200)
    thump = blow + 0.6 * np.pad(plate, (0, len(blow)))[: len(blow)]
    press = place(n, rate, times, [thump], np.ones(len(times)))
    hiss_at = times + rng.uniform(0.1, 0.6) / cycle
    hiss = place(
        n,
        rate,
        hiss_at[hiss_at < n / rate],
        [burst(rng, rate, 0.25, 2000, 7500)],
        rng.uniform(0.1, 0.5, int((hiss_at < n / rate).sum())),
    )
    gears = harmonics(rng.uniform(80, 600) * (1 + 0.01 * wander(rng, n, rate, 1)), rate, rng.uniform(0.2, 1, 10), rng)
    return unit(press) + hiss + rng.uniform(0.2, 0.8) * unit(gears) + 0.3 * coloured(rng, n, rate, -3.0)


def factory_assembly(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Assembly line: impact wrenches, air guns, conveyors, light clanks."""
    times = moments(rng, n / rate, rng.uniform(0.3, 1.0))
    rattle = burst(rng, rate, rng.uniform(0.4, 1.2), 700, 6000)
    rattle *= 0.5 + 0.5 * np.sign(np.sin(phase(np.full(len(rattle), rng.uniform(15, 30)), rate)))
    wrenches = place(n, rate, times, [rattle], rng.uniform(0.3, 1.0, len(times)))
    belt = rotor(rng, n, rate, rng.uniform(5, 15), 8, 0.3, 2000.0)
    return room(rng, unit(wrenches) + 0.6 * belt + _clanks(rng, n, rate, 1.5), rate, rng.uniform(0.6, 1.6), 0.4)


def warehouse(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Large reverberant hall: far fork lift with reversing beeps, rollers, drops of pallets, ventilation."""
    out = 0.5 * rotor(rng, n, rate, rng.uniform(6, 15), 6, 0.15, 1500.0)
    out += rng.uniform(0.2, 0.6) * harmonics(
        rng.uniform(200, 500) * (1 + 0.2 * wander(rng, n, rate, 0.4)), rate, [1, 0.4, 0.2], rng
    )
    if rng.uniform() < 0.5:
        beeps = gate(n, rate, [(t, t + 0.4) for t in np.arange(rng.uniform(0, 2), n / rate, 0.9)])
        out += 0.15 * beeps * np.sin(phase(np.full(n, rng.uniform(1000, 1500)), rate))
    times = moments(rng, n / rate, 0.5)
    drops = place(n, rate, times, [burst(rng, rate, 0.3, 60, 1500)], rng.uniform(0.5, 3.0, len(times)))
    return room(rng, out + drops + 0.4 * _clanks(rng, n, rate, 0.4), rate, rng.uniform(1.5, 4.0), 0.6)


def _typing(rng: np.random.Generator, n: int, rate: int) -> Samples:
    times = moments(rng, n / rate, rng.uniform(2, 9))
    keys = [burst(rng, rate, 0.015, rng.uniform(800, 2500), 7000) for _ in range(5)]
    return place(n, rate, times, keys, rng.uniform(0.3, 1.0, len(times)))


def office_quiet(rng: np.random.Generator, n: int, rate: int) -> Samples:
    """Ventilation floor, sparse typing, a chair."""
    creak = harmonics(rng.uniform(150, 500) * (1 + 0.1 * wander(rng, n, rate, 3)), rate, 0.8 ** np.arange(8), rng)
    creak *= np.clip(wander(rng, n, rate, 1.0) - 1.5, 0, 1)
    dry = 0.3 * hvac(rng, n, rate) + rng.uniform(0.2, 0.8) * _typing(rng, n, rate) + 0.1 * creak
    return room(rng, dry, rate, rng.uniform(0.3, 0.8), 0.4)


MACHINES = {
    "hvac": hvac,
    "office_hvac": office_hvac,
    "refrigerator": refrigerator,
    "air_purifier": air_purifier,
    "computer_fan": computer_fan,
    "server_room": server_room,
    "generator": generator,
    "vacuum": vacuum,
    "washing_machine": washing_machine,
    "dishwasher": dishwasher,
    "construction_drilling": construction_drilling,
    "construction_hammering": construction_hammering,
    "construction_sawing": construction_sawing,
    "factory_general": factory_general,
    "factory_machinery": factory_machinery,
    "factory_assembly": factory_assembly,
    "warehouse": warehouse,
    "office_quiet": office_quiet,
}
"""Category to its synthesis."""
