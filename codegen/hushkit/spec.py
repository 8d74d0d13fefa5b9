"""Headset spec: the one TOML file that says everything about a product, as frozen dataclasses.

``load_spec`` reads a shipped spec by name or any file, checks all of it, and raises one SpecError that lists every fault.
The checks that look at several values together live in hushkit.spec_checks, the cost model in hushkit.spec_cost.
"""

import dataclasses
import hashlib
import json
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hushkit.errors import InputError
from hushkit.spec_reader import Fault, Reader, find_lines

SCHEMA = 1
SPEC_DIRECTORY = Path(__file__).resolve().parents[1] / "specs"

CoreType = Literal["cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"]
CORES: tuple[CoreType, ...] = ("cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55")
BLOCKS = (1, 4, 8)
MODES = ("off", "anc", "transparency")
ALGORITHMS = ("fxnlms", "none")
MAX_SECTIONS = 12
MAX_TAPS = 1024

CATEGORIES = tuple(
    """white_noise pink_noise brown_noise blue_noise highway urban_traffic aircraft_takeoff aircraft_cruise
    aircraft_landing train subway motorcycle bicycle ev office_quiet office_busy office_hvac construction_drilling
    construction_hammering construction_sawing cafe_quiet cafe_busy restaurant mall airport train_station factory_general
    factory_machinery factory_assembly warehouse server_room generator wind_light wind_strong rain_light rain_heavy
    thunder ocean waterfall forest hvac refrigerator dishwasher washing_machine vacuum air_purifier computer_fan
    crowd_applause crowd_cheering crowd_talking baby_crying dog_barking music_bass music_treble silence mixed_noise
    emergency""".split()
)


class SpecError(InputError):
    """A spec that cannot be used. The message is one line; ``faults`` has them all.

    Args:
        name: The spec's name or file, as the caller gave it.
        faults: Every fault found, at least one.
    """

    def __init__(self, name: str, faults: tuple[Fault, ...]) -> None:
        more = f" (and {len(faults) - 1} more: hushkit spec check {name})" if len(faults) > 1 else ""
        super().__init__(f"{name}: {faults[0]}{more}")
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Core:
    """The microcontroller: core, clock in hertz and memories in bytes."""

    type: str
    clock_hz: int
    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True, slots=True)
class Audio:
    """Sample rate in hertz, samples per interrupt, ears, and the microphones each ear has."""

    rate_hz: int
    block: int
    ears: int
    microphones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Converters:
    """Group delays in microseconds, and the sound level that drives a microphone's converter to full scale."""

    adc_us: float
    dac_us: float
    full_scale_db_spl: float


@dataclass(frozen=True, slots=True)
class Acoustics:
    """What the fixed filters are designed for: path set, noise scene and field, as `hushkit bench` names them."""

    paths: str
    noise: str
    field: str


@dataclass(frozen=True, slots=True)
class Filter:
    """A fixed filter from the reference microphone to the driver.

    Attributes:
        kind: ``fit`` (fitted to the path set), ``sos`` (the rows given), ``fir`` (fitted, as taps) or ``none``.
        sections: Second-order sections of ``fit`` and ``sos``, else 0.
        taps: Length of ``fir``, else 0.
        format: Number format of ``fir``: ``q31`` or ``q15``.
        rows: Rows of ``sos`` as SciPy orders them, b0 b1 b2 a0 a1 a2, dimensionless.
    """

    kind: str
    sections: int = 0
    taps: int = 0
    format: str = "q31"
    rows: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class NoAdaptive:
    """No adaptive filter: the fixed filters work alone; a secondary-path model lets the headset estimate its attenuation."""

    algorithm: Literal["none"] = "none"
    taps: int = 0
    secondary_taps: int = 0
    update_block: int = 0


@dataclass(frozen=True, slots=True)
class FxNlms:
    """Filtered-x NLMS on what the fixed filter leaves.

    Attributes:
        taps: Length of the control filter.
        secondary_taps: Length of the model of the path from the output to the error microphone.
        update_block: Samples per weight update; a power of two and a multiple of the audio block.
        step: Normalised step, 0..1.
        leak: Share of each weight lost per update.
        regularisation_db: Floor of the normalising power, in dB relative to a full-scale square wave.
    """

    taps: int
    secondary_taps: int
    update_block: int
    step: float
    leak: float
    regularisation_db: float
    algorithm: Literal["fxnlms"] = "fxnlms"


# Further algorithms join this union, each with its own keys, HK_ALGORITHM_ constant and emitter.
Adaptive = NoAdaptive | FxNlms


@dataclass(frozen=True, slots=True)
class Modes:
    """Mode at power-on and length of the cross-fade between modes, in milliseconds."""

    start: str
    ramp_ms: float


@dataclass(frozen=True, slots=True)
class Limiter:
    """Output limiter: threshold in dBFS and release time constant in milliseconds."""

    threshold_dbfs: float
    release_ms: float


@dataclass(frozen=True, slots=True)
class Watch:
    """Divergence watch: window in milliseconds, and the rise of the error over its "off" estimate that counts, in dB."""

    window_ms: float
    ratio_db: float


@dataclass(frozen=True, slots=True)
class Classifier:
    """Noise classifier: model, hop in milliseconds, and confidences (0..1) that change the category or call an emergency."""

    model: str
    hop_ms: float
    confidence: float
    emergency_confidence: float


@dataclass(frozen=True, slots=True)
class Category:
    """What one noise category changes; None keeps the spec's own value."""

    name: str
    taps: int | None = None
    step: float | None = None
    leak: float | None = None
    mode: str | None = None


@dataclass(frozen=True, slots=True)
class Budgets:
    """Limits the product must keep: latency in microseconds, load in percent of the clock, memory in bytes."""

    latency_us: float
    cpu_percent: float
    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True, slots=True)
class HeadsetSpec:
    """One headset product. Frozen; every value is in range and they fit each other."""

    name: str
    core: Core
    audio: Audio
    converters: Converters
    acoustics: Acoustics
    feedforward: Filter
    transparency: Filter
    adaptive: Adaptive
    modes: Modes
    limiter: Limiter
    watch: Watch
    dc_block_hz: float
    budgets: Budgets
    classifier: Classifier | None = None
    categories: tuple[Category, ...] = ()

    @property
    def buffering_samples(self) -> int:
        """Delay of the block exchange: the first sample waits block - 1, the output one block more to be latched."""
        return 2 * self.audio.block - 1

    @property
    def buffering_us(self) -> float:
        """The same in microseconds."""
        return self.buffering_samples * 1e6 / self.audio.rate_hz

    @property
    def needed_latency_us(self) -> float:
        """Least delay from the reference microphone's sample to the driver: buffering and both converters."""
        return self.buffering_us + self.converters.adc_us + self.converters.dac_us

    @property
    def needed_latency_samples(self) -> int:
        """The same in whole samples, rounded up: the plant pads what is left over."""
        return math.ceil(self.needed_latency_us * self.audio.rate_hz / 1e6 - 1e-9)

    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the spec's canonical JSON: equal specs, equal digests."""
        canonical = json.dumps(dataclasses.asdict(self), sort_keys=True).encode()
        return hashlib.sha256(canonical).hexdigest()[:16]


def shipped_specs() -> tuple[str, ...]:
    """Names of the specs that come with Hushkit, sorted."""
    return tuple(sorted(path.stem for path in SPEC_DIRECTORY.glob("*.toml") if _is_headset(path)))


def load_spec(name_or_file: str | Path) -> HeadsetSpec:
    """Read and check a headset spec.

    Args:
        name_or_file: Name of a shipped spec (``flagship-m7``) or a TOML file.

    Returns:
        The spec.

    Raises:
        SpecError: Unreadable, or faulty; ``faults`` lists every fault.
    """
    spec, faults = check_spec(name_or_file)
    if spec is None or faults:
        raise SpecError(str(name_or_file), faults)
    return spec


def check_spec(name_or_file: str | Path) -> tuple[HeadsetSpec | None, tuple[Fault, ...]]:
    """Read a spec and find all its faults.

    Returns:
        The spec, or None where values are missing or out of range; and every fault, ordered by line.

    Raises:
        SpecError: The file cannot be read as TOML at all.
    """
    return parse_spec(_read(name_or_file), str(name_or_file))


def parse_spec(text: str, name: str) -> tuple[HeadsetSpec | None, tuple[Fault, ...]]:
    """Check a spec given as text, as check_spec does; `name` is used in messages only."""
    from hushkit.spec_checks import check_together  # it needs these dataclasses

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        raise SpecError(name, (Fault("", None, f"not TOML: {err}", "correct the syntax at that line"),)) from err
    lines = find_lines(text)
    reader = Reader(data, lines, [])
    spec = _read_spec(reader)
    if not reader.faults:
        reader.faults.extend(check_together(spec, lines))
        return spec, _by_line(reader.faults)
    return None, _by_line(reader.faults)


def _by_line(faults: list[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(faults, key=lambda fault: (fault.line or 0, fault.place)))


def _is_headset(path: Path) -> bool:
    return "[core]" in path.read_text(encoding="utf-8")


def _read(name_or_file: str | Path) -> str:
    path = Path(name_or_file)
    shipped = SPEC_DIRECTORY / f"{name_or_file}.toml"
    if not path.suffix and shipped.is_file():
        path = shipped
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as err:
        advice = f"give a TOML file or one of {', '.join(shipped_specs())}"
        raise SpecError(str(name_or_file), (Fault("", None, "no such spec or file", advice),)) from err
    except (OSError, UnicodeDecodeError) as err:
        reason = err.strerror if isinstance(err, OSError) else "not UTF-8 text"
        fault = Fault("", None, f"cannot be read: {reason}", "give a readable TOML file")
        raise SpecError(str(name_or_file), (fault,)) from err


def _read_spec(root: Reader) -> HeadsetSpec:
    root.choice_number("schema", (SCHEMA,), f"this Hushkit reads schema {SCHEMA}; convert the spec")
    spec = HeadsetSpec(
        name=root.text("name", r"[a-z][a-z0-9-]{0,31}", 'a name like "flagship-m7" (a-z, 0-9, -; up to 32)'),
        core=_read_core(root),
        audio=_read_audio(root),
        converters=_read_converters(root),
        acoustics=_read_acoustics(root),
        **_read_filters(root),
        adaptive=_read_adaptive(root),
        modes=_read_modes(root),
        limiter=_read_limiter(root),
        watch=_read_watch(root),
        dc_block_hz=_read_dc_block(root),
        budgets=_read_budgets(root),
        classifier=_read_classifier(root),
        categories=_read_categories(root),
    )
    root.finish()
    return spec


def _read_core(root: Reader) -> Core:
    table = root.table("core", required=True, purpose="type, clock_hz, flash_bytes, ram_bytes")
    if table is None:
        return Core(CORES[0], 1, 1, 1)
    core = Core(
        type=table.choice("type", CORES),
        clock_hz=table.integer("clock_hz", 8_000_000, 2_000_000_000, unit="Hz"),
        flash_bytes=table.integer("flash_bytes", 32_768, 1 << 30, unit="bytes"),
        ram_bytes=table.integer("ram_bytes", 16_384, 1 << 30, unit="bytes"),
    )
    table.finish()
    return core


def _read_audio(root: Reader) -> Audio:
    table = root.table("audio", required=True, purpose="rate_hz, block, ears, microphones")
    if table is None:
        return Audio(8000, 1, 1, ("reference",))
    audio = Audio(
        rate_hz=table.integer("rate_hz", 8_000, 192_000, unit="Hz"),
        block=table.choice_number("block", BLOCKS, "use 1 for the least latency, 4 or 8 where the core is slow"),
        ears=table.choice_number("ears", (1, 2), "a headset has one ear or two"),
        microphones=table.words("microphones", ("reference", "error")),
    )
    table.finish()
    return audio


def _read_converters(root: Reader) -> Converters:
    table = root.table("converters", required=True, purpose="adc_us, dac_us, full_scale_db_spl")
    if table is None:
        return Converters(0.0, 0.0, 120.0)
    advice = "give the group delay from the converter's data sheet, in microseconds"
    converters = Converters(
        adc_us=table.number("adc_us", 0.0, 5000.0, unit="us", advice=advice),
        dac_us=table.number("dac_us", 0.0, 5000.0, unit="us", advice=advice),
        full_scale_db_spl=table.number("full_scale_db_spl", 80.0, 160.0, unit="dB SPL"),
    )
    table.finish()
    return converters


def _read_acoustics(root: Reader) -> Acoustics:
    table = root.table("acoustics", required=True, purpose="paths and noise the fixed filters are designed for")
    if table is None:
        return Acoustics("overear", "pink", "diffuse")
    acoustics = Acoustics(
        paths=table.text("paths", r".+", 'a built-in path set ("overear", "inear") or a file'),
        noise=table.text("noise", r".+", 'a built-in scene ("pink", "aircraft", ...) or an audio file'),
        field=table.choice("field", ("diffuse", "direct"), default="diffuse"),
    )
    table.finish()
    return acoustics


def _read_filters(root: Reader) -> dict[str, Filter]:
    none = Filter("none")
    table = root.table("filters", required=True, purpose="[filters.feedforward] and [filters.transparency]")
    if table is None:
        return {"feedforward": none, "transparency": none}
    filters = {}
    for name in ("feedforward", "transparency"):
        part = table.table(name, required=True, purpose='kind = "fit", "fir", "sos" or "none"')
        filters[name] = none if part is None else _read_filter(part)
    table.finish()
    return filters


def _read_filter(table: Reader) -> Filter:
    kind = table.choice("kind", ("fit", "fir", "sos", "none"))
    if kind == "fit":
        design = Filter(kind, sections=table.integer("sections", 1, MAX_SECTIONS))
    elif kind == "fir":
        design = Filter(
            kind,
            taps=table.integer("taps", 4, MAX_TAPS),
            format=table.choice("format", ("q31", "q15"), default="q31"),
        )
    elif kind == "sos":
        rows = table.rows("rows", 6)
        if len(rows) > MAX_SECTIONS:
            table.fault("rows", f"{len(rows)} sections", f"give at most {MAX_SECTIONS}")
        design = Filter(kind, sections=len(rows), rows=rows)
    else:
        design = Filter(kind)
    table.finish()
    return design


def _read_adaptive(root: Reader) -> Adaptive:
    table = root.table(
        "adaptive", required=True, purpose=f"algorithm = one of {', '.join(ALGORITHMS)}, and its settings"
    )
    if table is None:
        return NoAdaptive()
    adaptive: Adaptive
    if table.choice("algorithm", ALGORITHMS) == "none":
        adaptive = NoAdaptive(secondary_taps=table.multiple("secondary_taps", 4, 0, MAX_TAPS, default=0))
    else:
        adaptive = FxNlms(
            taps=table.multiple("taps", 32, 32, MAX_TAPS),
            secondary_taps=table.multiple("secondary_taps", 4, 8, MAX_TAPS),
            update_block=table.choice_number("update_block", (8, 16, 32, 64), "32 suits most headsets"),
            step=table.number("step", 1e-6, 1.0),
            leak=table.number("leak", 0.0, 0.01, default=0.0),
            regularisation_db=table.number("regularisation_db", -100.0, -20.0, default=-70.0, unit="dB"),
        )
    table.finish()
    return adaptive


def _read_modes(root: Reader) -> Modes:
    table = root.table("modes", required=False, purpose="")
    if table is None:
        return Modes("anc", 20.0)
    modes = Modes(
        table.choice("start", MODES, default="anc"), table.number("ramp_ms", 1.0, 1000.0, default=20.0, unit="ms")
    )
    table.finish()
    return modes


def _read_limiter(root: Reader) -> Limiter:
    table = root.table("limiter", required=False, purpose="")
    if table is None:
        return Limiter(-3.0, 50.0)
    limiter = Limiter(
        table.number("threshold_dbfs", -60.0, 0.0, default=-3.0, unit="dBFS"),
        table.number("release_ms", 1.0, 5000.0, default=50.0, unit="ms"),
    )
    table.finish()
    return limiter


def _read_watch(root: Reader) -> Watch:
    table = root.table("watch", required=False, purpose="")
    if table is None:
        return Watch(20.0, 6.0)
    watch = Watch(
        table.number("window_ms", 5.0, 1000.0, default=20.0, unit="ms"),
        table.number("ratio_db", 1.0, 40.0, default=6.0, unit="dB"),
    )
    table.finish()
    return watch


def _read_dc_block(root: Reader) -> float:
    table = root.table("dc_block", required=False, purpose="")
    if table is None:
        return 2.0
    corner_hz = table.number("corner_hz", 0.1, 40.0, default=2.0, unit="Hz")
    table.finish()
    return corner_hz


def _read_classifier(root: Reader) -> Classifier | None:
    table = root.table("classifier", required=False, purpose="")
    if table is None:
        return None
    classifier = Classifier(
        model=table.text("model", r".+", "the name of a shipped model or a .tflite file"),
        hop_ms=table.number("hop_ms", 10.0, 10_000.0, default=500.0, unit="ms"),
        confidence=table.number("confidence", 0.0, 1.0, default=0.6),
        emergency_confidence=table.number("emergency_confidence", 0.0, 1.0, default=0.8),
    )
    table.finish()
    return classifier


def _read_categories(root: Reader) -> tuple[Category, ...]:
    table = root.table("categories", required=False, purpose="")
    if table is None:
        return ()
    categories = []
    for name in table.keys:
        if name not in CATEGORIES:
            table.choice_name(name, CATEGORIES)
            continue
        part = table.table(name, required=True, purpose="taps, step, leak, mode")
        if part is not None:
            categories.append(_read_category(name, part))
    return tuple(categories)


def _read_category(name: str, table: Reader) -> Category:
    category = Category(
        name,
        taps=table.integer("taps", 8, MAX_TAPS) if table.has("taps") else None,
        step=table.number("step", 1e-6, 1.0) if table.has("step") else None,
        leak=table.number("leak", 0.0, 0.01) if table.has("leak") else None,
        mode=table.choice("mode", MODES) if table.has("mode") else None,
    )
    table.finish()
    return category


def _read_budgets(root: Reader) -> Budgets:
    table = root.table("budgets", required=True, purpose="latency_us, cpu_percent, flash_bytes, ram_bytes")
    if table is None:
        return Budgets(500.0, 100.0, 1, 1)
    budgets = Budgets(
        latency_us=table.number("latency_us", 1.0, 500.0, unit="us", advice="500 us is the ceiling of the product"),
        cpu_percent=table.number("cpu_percent", 1.0, 100.0, unit="%"),
        flash_bytes=table.integer("flash_bytes", 16_384, 1 << 30, unit="bytes"),
        ram_bytes=table.integer("ram_bytes", 8_192, 1 << 30, unit="bytes"),
    )
    table.finish()
    return budgets
