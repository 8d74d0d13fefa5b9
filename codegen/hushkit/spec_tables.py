"""The tables of a headset spec: which keys each has, their ranges and defaults."""

from collections.abc import Mapping
from dataclasses import asdict, replace

from hushkit_models.classifier.taxonomy import CATEGORIES, SUPERCLASS_OF, SUPERCLASSES

from hushkit.spec_model import (
    ALGORITHMS,
    BLOCKS,
    CORES,
    FDAF_BLOCK,
    HYBRID_RULES,
    MAX_SECTIONS,
    MAX_TAPS,
    MODES,
    WARPED_LS_TRACKING,
    Acoustics,
    Adaptive,
    Audio,
    Budgets,
    Category,
    Classifier,
    Converters,
    Core,
    Fdaf,
    Feedback,
    Filter,
    FxNlms,
    HeadsetSpec,
    Hybrid,
    Limiter,
    Modes,
    NoAdaptive,
    Tracking,
    WarpedLs,
    Watch,
)
from hushkit.spec_reader import Reader

SCHEMA = 1

PRIOR_WORDS = 'a built-in scene ("engine", "aircraft", ...) or an audio file'


def read_spec(root: Reader) -> HeadsetSpec:
    """Read every table; faults are noted in the reader, with stand-ins in their place."""
    root.choice_number("schema", (SCHEMA,), f"this Hushkit reads schema {SCHEMA}; convert the spec")
    feedforward, transparency, feedback = _read_filters(root)
    spec = HeadsetSpec(
        name=root.text("name", r"[a-z][a-z0-9-]{0,31}", 'a name like "flagship-m7" (a-z, 0-9, -; up to 32)'),
        core=_read_core(root),
        audio=_read_audio(root),
        converters=_read_converters(root),
        acoustics=_read_acoustics(root),
        feedforward=feedforward,
        transparency=transparency,
        feedback=feedback,
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


def _read_filters(root: Reader) -> tuple[Filter, Filter, Feedback]:
    """Feedforward, transparency, feedback."""
    none = Filter("none")
    table = root.table("filters", required=True, purpose="[filters.feedforward] and [filters.transparency]")
    if table is None:
        return none, none, Feedback()
    filters = []
    for name in ("feedforward", "transparency"):
        part = table.table(name, required=True, purpose='kind = "fit", "fir", "sos" or "none"')
        filters.append(none if part is None else _read_filter(part))
    part = table.table("feedback", required=False, purpose="")
    feedback = Feedback() if part is None else _read_feedback(part)
    table.finish()
    return filters[0], filters[1], feedback


def _read_feedback(table: Reader) -> Feedback:
    usual = Feedback()
    kind = table.choice("kind", ("fit", "sos", "none"))
    if kind == "none":
        table.finish()
        return usual
    rows = table.rows("rows", 6) if kind == "sos" else ()
    if len(rows) > MAX_SECTIONS:
        table.fault("rows", f"{len(rows)} sections", f"give at most {MAX_SECTIONS}")
    feedback = Feedback(
        kind,
        sections=len(rows) or table.integer("sections", 1, 4, default=usual.sections),
        model_sections=table.integer("model_sections", 1, 8, default=usual.model_sections),
        margin_db=table.number("margin_db", 3.0, 30.0, default=usual.margin_db, unit="dB"),
        margin_deg=table.number("margin_deg", 20.0, 90.0, default=usual.margin_deg, unit="degrees"),
        waterbed_db=table.number("waterbed_db", 0.5, 6.0, default=usual.waterbed_db, unit="dB"),
        rows=rows,
    )
    table.finish()
    return feedback


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
    algorithm = table.choice("algorithm", ALGORITHMS)
    if algorithm == "none":
        adaptive = NoAdaptive(secondary_taps=table.multiple("secondary_taps", 4, 0, MAX_TAPS, default=0))
    elif algorithm == "warped_ls":
        adaptive = _read_warped_ls(table, WarpedLs())
    elif algorithm == "warped_ls_tracking":
        adaptive = _read_warped_ls(table, WARPED_LS_TRACKING)
    elif algorithm == "hybrid":
        adaptive = _read_hybrid(table)
    elif algorithm == "fdaf":
        adaptive = _read_fdaf(table)
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


def _read_warped_ls(table: Reader, usual: WarpedLs) -> WarpedLs:
    return WarpedLs(
        taps=table.multiple("taps", 4, 8, 128, default=usual.taps),
        secondary_taps=table.multiple("secondary_taps", 4, 8, MAX_TAPS, default=usual.secondary_taps),
        warped_secondary_taps=table.multiple("warped_secondary_taps", 4, 16, 96, default=usual.warped_secondary_taps),
        update_block=table.choice_number("update_block", (8, 16, 32, 64), "32 suits most headsets"),
        warping=table.number("warping", 0.5, 0.99, default=usual.warping),
        solve_ms=table.number("solve_ms", 10.0, 1000.0, default=usual.solve_ms, unit="ms"),
        memory_s=table.number("memory_s", 0.01, 60.0, default=usual.memory_s, unit="s"),
        ridge=table.number("ridge", 1e-8, 1.0, default=usual.ridge),
        start_ridge=table.number("start_ridge", 0.0, 100.0, default=usual.start_ridge),
        start_ms=table.number("start_ms", 1.0, 10_000.0, default=usual.start_ms, unit="ms"),
        prior=table.text("prior", r".*", PRIOR_WORDS, default=usual.prior),
        tracking=None if usual.tracking is None else _read_tracking(table, usual.tracking),
        algorithm=usual.algorithm,
    )


def _read_hybrid(table: Reader) -> Hybrid:
    usual = Hybrid()
    return Hybrid(
        taps=table.multiple("taps", 32, 64, MAX_TAPS, default=usual.taps),
        secondary_taps=table.multiple("secondary_taps", 4, 8, MAX_TAPS, default=usual.secondary_taps),
        update_block=table.choice_number("update_block", (8, 16, 32, 64), "32 suits most headsets"),
        short_taps=table.multiple("short_taps", 4, 8, 64, default=usual.short_taps),
        warped_secondary_taps=table.multiple("warped_secondary_taps", 4, 16, 64, default=usual.warped_secondary_taps),
        warping=table.number("warping", 0.5, 0.99, default=usual.warping),
        rule=table.choice("rule", HYBRID_RULES, default=usual.rule),
        step=table.number("step", 1e-6, 1.0, default=usual.step),
        leak=table.number("leak", 0.0, 0.01, default=usual.leak),
        regularisation_db=table.number("regularisation_db", -100.0, -20.0, default=usual.regularisation_db, unit="dB"),
        memory_s=table.number("memory_s", 0.01, 60.0, default=usual.memory_s, unit="s"),
        ridge=table.number("ridge", 1e-8, 1.0, default=usual.ridge),
        start_ridge=table.number("start_ridge", 1e-6, 100.0, default=usual.start_ridge),
        worst_condition=table.number("worst_condition", 1e3, 1e18, default=usual.worst_condition),
        reset_s=table.number("reset_s", 0.0, 3600.0, default=usual.reset_s, unit="s"),
    )


def _read_fdaf(table: Reader) -> Fdaf:
    usual = Fdaf()
    return Fdaf(
        taps=table.multiple("taps", 2 * FDAF_BLOCK, 2 * FDAF_BLOCK, MAX_TAPS, default=usual.taps),
        secondary_taps=table.multiple("secondary_taps", 4, 8, MAX_TAPS, default=usual.secondary_taps),
        update_block=table.choice_number("update_block", (8, 16, 32, 64), "32 suits most headsets"),
        step=table.number("step", 1e-6, 1.0, default=usual.step),
        leak=table.number("leak", 0.0, 0.01, default=usual.leak),
        regularisation_db=table.number("regularisation_db", -140.0, -20.0, default=usual.regularisation_db, unit="dB"),
    )


def _read_tracking(adaptive: Reader, usual: Tracking) -> Tracking:
    table = adaptive.table("tracking", required=False, purpose="")
    if table is None:
        return usual
    tracking = Tracking(
        equaliser_hz=table.number("equaliser_hz", 0.0, 100.0, default=usual.equaliser_hz, unit="Hz"),
        weighting_db=table.number("weighting_db", 0.0, 20.0, default=usual.weighting_db, unit="dB"),
        weighting_hz=table.number("weighting_hz", 500.0, 8_000.0, default=usual.weighting_hz, unit="Hz"),
        weighting_q=table.number("weighting_q", 0.3, 4.0, default=usual.weighting_q),
        hold=table.number("hold", 1e-4, 1.0, default=usual.hold),
        auxiliary_db=table.number("auxiliary_db", -60.0, -10.0, default=usual.auxiliary_db, unit="dB"),
        change_db=table.number("change_db", 3.0, 30.0, default=usual.change_db, unit="dB"),
        change_keeps=table.number("change_keeps", 1e-4, 1.0, default=usual.change_keeps),
        hurry_s=table.number("hurry_s", 0.0, 10.0, default=usual.hurry_s, unit="s"),
        hurry_solve_ms=table.number("hurry_solve_ms", 10.0, 1000.0, default=usual.hurry_solve_ms, unit="ms"),
        harm_db=table.number("harm_db", 0.1, 20.0, default=usual.harm_db, unit="dB"),
        harm_keeps=table.number("harm_keeps", 1e-4, 1.0, default=usual.harm_keeps),
    )
    table.finish()
    return tracking


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
        hop_ms=table.number("hop_ms", 32.0, 10_000.0, default=500.0, unit="ms"),
        look_ms=table.number("look_ms", 32.0, 1000.0, default=128.0, unit="ms"),
        confidence=table.number("confidence", 0.0, 1.0, default=0.6),
        emergency_confidence=table.number("emergency_confidence", 0.0, 1.0, default=0.75),
    )
    table.finish()
    return classifier


def _read_categories(root: Reader) -> tuple[Category, ...]:
    table = root.table("categories", required=False, purpose="")
    if table is None:
        return ()
    found: dict[str, Category] = {}
    for name in table.keys:
        if name not in SUPERCLASSES and name not in CATEGORIES:
            table.choice_name(name, (*SUPERCLASSES, *CATEGORIES))
            continue
        part = table.table(name, required=True, purpose="taps, step, leak, memory_s, ridge, prior, mode, intensity")
        if part is not None:
            found[name] = _read_category(name, part)
    return tuple(merged for category in CATEGORIES if (merged := _merged(category, found)) is not None)


def _merged(category: str, found: Mapping[str, Category]) -> Category | None:
    """What a category's own table says, and its superclass's where that is silent."""
    tables = [found[name] for name in (SUPERCLASS_OF[category], category) if name in found]
    if not tables:
        return None
    merged = Category(category)
    for table in tables:
        given = {key: value for key, value in asdict(table).items() if value is not None}
        merged = replace(merged, **{**given, "name": category})
    return merged


def _read_category(name: str, table: Reader) -> Category:
    def number(key: str, low: float, high: float, unit: str = "") -> float | None:
        return table.number(key, low, high, unit=unit) if table.has(key) else None

    category = Category(
        name,
        taps=table.multiple("taps", 32, 32, MAX_TAPS) if table.has("taps") else None,
        step=number("step", 1e-6, 1.0),
        leak=number("leak", 0.0, 0.01),
        memory_s=number("memory_s", 0.01, 60.0, "s"),
        ridge=number("ridge", 1e-8, 1.0),
        start_ridge=number("start_ridge", 0.0, 100.0),
        prior=table.text("prior", r".+", PRIOR_WORDS) if table.has("prior") else None,
        mode=table.choice("mode", MODES) if table.has("mode") else None,
        intensity=number("intensity", 0.0, 1.0),
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
