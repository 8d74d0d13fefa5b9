"""Integer design to C text. Pure: no clock, path, user or tool version reaches the text."""

import jinja2

from hushkit_codegen.emit.controllers import chain_weights, controller_fields
from hushkit_codegen.emit.tables import Table, category_tables, sections_table, weights_table
from hushkit_codegen.emit.tracking import tracking_tables
from hushkit_codegen.ir import (
    BiquadIr,
    FilterIr,
    FirIr,
    HeadsetIr,
    HybridIr,
    SilentIr,
    TransversalIr,
    WarpedLsIr,
    describe_quality,
    digest_ir,
)
from hushkit_codegen.kernels.headset import (
    KernelPart,
    block_part,
    control_part,
    equations_part,
    filter_part,
    headset_preamble,
    secondary_part,
    warped_part,
)
from hushkit_codegen.kernels.tracking import tracking_parts

DESIGN_ABI = 7
KERNELS_ABI = 4
_MODES = ("HK_DESIGN_MODE_OFF", "HK_DESIGN_MODE_ANC", "HK_DESIGN_MODE_TRANSPARENCY")
_TITLES = {
    "feedforward": "Fixed filter",
    "transparency": "Hear-through filter",
    "feedback": "Feedback controller",
    "feedback_model": "Path to the error microphone, as feedback takes programme out",
}


def emit_headset(ir: HeadsetIr, *, kernels: str = "generated") -> dict[str, str]:
    """Render one headset.

    Args:
        ir: The integer design.
        kernels: ``"generated"`` for this design's own assembly, ``"cmsis"`` for calls of CMSIS-DSP; the same bits.

    Returns:
        Text by file name: ``hk_config.h``, ``hk_design.c``, ``hk_kernels.c``, and with a classifier ``hk_network.c``.
        LF line ends. Equal designs give equal bytes on every machine.
    """
    templates = _environment()
    digest = digest_ir(ir)
    return {
        "hk_config.h": templates.get_template("hk_config.h.j2").render(
            ir=ir, digest=digest, design_abi=DESIGN_ABI, macros=_macros(ir, digest), tables=_tables(ir)
        ),
        "hk_design.c": templates.get_template("hk_design.c.j2").render(
            ir=ir,
            digest=digest,
            quality=[describe_quality(item) for item in ir.quality],
            tables=_tables(ir),
            fields=_fields(ir),
        ),
        "hk_kernels.c": (
            _generated_kernels(templates, ir, digest) if kernels == "generated" else _kernels(templates, ir, digest)
        ),
        **_network(templates, ir, digest),
    }


def _network(templates: jinja2.Environment, ir: HeadsetIr, digest: str) -> dict[str, str]:
    if ir.classifier is None:
        return {}
    file = bytes.fromhex(ir.classifier.network)
    words = [f"0x{int.from_bytes(file[at : at + 4], 'little'):08x}," for at in range(0, len(file), 4)]
    lines = [" ".join(words[at : at + 8]) for at in range(0, len(words), 8)]
    template = templates.get_template("hk_network.c.j2")
    return {"hk_network.c": template.render(ir=ir.classifier, digest=digest, n_bytes=len(file), lines=lines)}


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("hushkit_codegen.emit"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        newline_sequence="\n",
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - C, not HTML
    )


def _filters(ir: HeadsetIr) -> tuple[tuple[str, FilterIr], ...]:
    """Fixed filters by name; those of feedback only where there is feedback."""
    always = (("feedforward", ir.feedforward), ("transparency", ir.transparency))
    back = (("feedback", ir.feedback), ("feedback_model", ir.feedback_model))
    return always if isinstance(ir.feedback, SilentIr) else (*always, *back)


def _sections(design: FilterIr) -> int:
    return len(design.sections) if isinstance(design, BiquadIr) else 0


def _taps(design: FilterIr) -> int:
    return len(design.taps) if isinstance(design, FirIr) else 0


def _exponent(design: FilterIr) -> int:
    return design.exponent if isinstance(design, FirIr) else 0


def _macros(ir: HeadsetIr, digest: str) -> list[tuple[str, str, str]]:
    prior = ir.adaptive.prior if isinstance(ir.adaptive, TransversalIr) else None
    warped = ir.adaptive if isinstance(ir.adaptive, HybridIr | WarpedLsIr) else None
    tracking = ir.adaptive.tracking if isinstance(ir.adaptive, WarpedLsIr) else None
    rows = [
        ("HK_CONFIG_SPEC_NAME", f'"{ir.spec_name}"', ""),
        ("HK_CONFIG_DIGEST", f'"{digest}"', "of the integer design"),
        ("HK_CONFIG_CLOCK_HZ", f"{ir.clock_hz}UL", ""),
        ("HK_CONFIG_RATE_HZ", f"{ir.rate_hz}UL", ""),
        ("HK_CONFIG_EARS", f"{ir.ears}U", ""),
        ("HK_CONFIG_BLOCK", f"{ir.block}U", "samples per audio interrupt"),
        ("HK_CONFIG_HAS_ERROR_MICROPHONE", str(ir.has_error_microphone), ""),
        ("HK_CONFIG_START_MODE", _MODES[ir.start_mode], ""),
        ("HK_CONFIG_LATENCY_SAMPLES", f"{ir.latency_samples}U", "reference microphone to driver, as designed for"),
        ("HK_CONFIG_FEEDFORWARD_SECTIONS", f"{_sections(ir.feedforward)}U", ""),
        ("HK_CONFIG_FEEDFORWARD_TAPS", f"{_taps(ir.feedforward)}U", ""),
        ("HK_CONFIG_TRANSPARENCY_SECTIONS", f"{_sections(ir.transparency)}U", ""),
        ("HK_CONFIG_TRANSPARENCY_TAPS", f"{_taps(ir.transparency)}U", ""),
        ("HK_CONFIG_FEEDBACK_SECTIONS", f"{_sections(ir.feedback)}U", ""),
        ("HK_CONFIG_FEEDBACK_MODEL_SECTIONS", f"{_sections(ir.feedback_model)}U", ""),
        ("HK_CONFIG_ALGORITHM", f"HK_ALGORITHM_{ir.adaptive.algorithm.upper()}", ""),
        ("HK_CONFIG_UPDATE_BLOCK", f"{ir.update_block}U", "samples per background job"),
        ("HK_CONFIG_CONTROL_TAPS", f"{len(prior.taps) if prior else 0}U", ""),
        ("HK_CONFIG_CONTROL_EXPONENT", f"{prior.exponent if prior else 0}U", "weight = w * 2^(exponent - 31)"),
        ("HK_CONFIG_SECONDARY_TAPS", f"{_taps(ir.secondary)}U", ""),
        ("HK_CONFIG_SECONDARY_EXPONENT", f"{_exponent(ir.secondary)}U", ""),
        ("HK_CONFIG_WARPED_TAPS", f"{chain_weights(warped) if warped else 0}U", ""),
        ("HK_CONFIG_WARPED_SECONDARY_TAPS", f"{len(warped.secondary.taps) if warped else 0}U", ""),
        ("HK_CONFIG_CLASSIFIER", str(int(ir.classifier is not None)), ""),
        ("HK_CONFIG_WEIGHTING_TAPS", f"{len(tracking.weighting_q28) if tracking else 0}U", ""),
        ("HK_CONFIG_EQUALISER_SECTIONS", f"{_sections(tracking.equaliser) if tracking else 0}U", ""),
    ]
    name_width = max(len(name) for name, _, _ in rows)
    value_width = max(len(value) for _, value, note in rows if note)
    return [
        (name.ljust(name_width), value.ljust(value_width) if note else value, f" /* {note} */" if note else "")
        for name, value, note in rows
    ]


def _tables(ir: HeadsetIr) -> list[Table]:
    tables = []
    for name, design in _filters(ir):
        macro = f"HK_CONFIG_{name.upper()}"
        if isinstance(design, BiquadIr):
            tables.append(sections_table(_TITLES[name], f"hk_design_{name}_taps[{macro}_SECTIONS][5]", design))
        elif isinstance(design, FirIr):
            tables.append(_fir_table(_TITLES[name], f"hk_design_{name}_taps[{macro}_TAPS]", design))
    if isinstance(ir.secondary, FirIr):
        title = "Path from output sample to error sample"
        tables.append(_fir_table(title, "hk_design_secondary_taps[HK_CONFIG_SECONDARY_TAPS]", ir.secondary))
    if isinstance(ir.adaptive, HybridIr | WarpedLsIr):
        title = "The same path on the all-pass chain: first section first"
        name = "hk_design_warped_secondary[HK_CONFIG_WARPED_SECONDARY_TAPS]"
        tables.append(weights_table(title, name, ir.adaptive.secondary))
    if isinstance(ir.adaptive, WarpedLsIr):
        tables += tracking_tables(ir.adaptive)
    return [*tables, *category_tables(ir)]


def _fir_table(title: str, name: str, design: FirIr) -> Table:
    bits, kind, per_row, width = (31, "int32_t", 8, 11) if design.format == "q31" else (15, "int16_t", 12, 6)
    comment = f"{title}: last tap first, each worth 2^{design.exponent - bits}."
    values = [f"{value:{width}d}," for value in design.taps]
    rows = tuple(" ".join(values[at : at + per_row]) for at in range(0, len(values), per_row))
    return Table(comment, f"const {kind} {name}", rows)


def _fields(ir: HeadsetIr) -> list[str]:
    fields = [
        ".abi = HK_DESIGN_ABI,",
        ".spec_name = HK_CONFIG_SPEC_NAME,",
        ".rate_hz = HK_CONFIG_RATE_HZ,",
        ".n_ears = HK_CONFIG_EARS,",
        ".block = HK_CONFIG_BLOCK,",
        ".has_error_microphone = HK_CONFIG_HAS_ERROR_MICROPHONE,",
        ".algorithm = HK_CONFIG_ALGORITHM,",
        ".update_block = HK_CONFIG_UPDATE_BLOCK,",
        ".start_mode = HK_CONFIG_START_MODE,",
        f".full_scale_mdb_spl = {ir.full_scale_mdb_spl},",
    ]
    for name, design in _filters(ir):
        if isinstance(design, BiquadIr):
            fields.append(
                f".{name} = {{.taps = hk_design_{name}_taps, .n_sections = {len(design.sections)}, "
                f".post_shift = {design.post_shift}, .output_shift = {design.output_shift}}},"
            )
    if isinstance(ir.secondary, FirIr):
        fields.append(f".secondary = {_fir_field('hk_design_secondary_taps', ir.secondary)},")
    fields += controller_fields(ir.adaptive)
    fields += [
        ".settings = hk_design_settings,",
        ".settings_of_category = hk_design_settings_of_category,",
        f".n_settings = {len(ir.categories.settings) + 1},",
        f".dc_block_pole_q31 = {ir.dc_block_pole_q31},",
        f".limiter_threshold_q31 = {ir.limiter_threshold_q31},",
        f".limiter_release_q31 = {ir.limiter_release_q31},",
        f".ramp_samples = {ir.ramp_samples},",
        f".watch_samples = {ir.watch_samples},",
        f".watch_ratio_q16 = {ir.watch_ratio_q16},",
    ]
    return fields


def _fir_field(array: str, design: FirIr) -> str:
    return f"{{.taps = {array}, .n_taps = {len(design.taps)}, .exponent = {design.exponent}}}"


def _generated_kernels(templates: jinja2.Environment, ir: HeadsetIr, digest: str) -> str:
    parts = [headset_preamble()]
    silent: list[str] = []
    for name, design in _filters(ir):
        if isinstance(design, BiquadIr | FirIr):
            parts.append(filter_part(name, _TITLES[name], design, core=ir.core, block=ir.block))
        else:
            silent.append(templates.get_template("silent.c.j2").render(name=name, title=_TITLES[name]))
    if isinstance(ir.adaptive, TransversalIr):
        parts.append(control_part(ir))
    else:
        silent.append(templates.get_template("no_control.c.j2").render())
    if isinstance(ir.adaptive, HybridIr | WarpedLsIr):
        parts.append(warped_part(ir.core, *_chain(ir.adaptive)))
        parts += _equation_parts(ir, ir.adaptive, portable=False)
    if isinstance(ir.secondary, FirIr):
        parts.append(secondary_part(ir))
    else:
        silent.append(templates.get_template("no_secondary.c.j2").render())
    texts = [*(part.text for part in parts), *silent]
    if any("shift_left_q31(" in text for text in texts):
        texts.insert(1, templates.get_template("saturate.c.j2").render())
    return templates.get_template("hk_kernels.c.j2").render(
        ir=ir,
        digest=digest,
        kernels_abi=KERNELS_ABI,
        summary=[part.summary for part in parts],
        headers=[],
        parts=[text.rstrip("\n") for text in texts],
        states=[state for part in parts for state in part.states],
    )


def _kernels(templates: jinja2.Environment, ir: HeadsetIr, digest: str) -> str:
    parts: list[str] = []
    states: list[str] = []
    summary: list[str] = []
    for name, design in _filters(ir):
        parts.append(_filter_part(templates, name, design))
        states += _filter_states(name, design)
        summary.append(f"{name.capitalize():<13} {_describe(design)}")
    if isinstance(ir.adaptive, TransversalIr):
        parts.append(templates.get_template("control.c.j2").render())
        states.append("control_delay")
        summary.append(f"{'Control':<13} arm_fir_q31, {len(ir.adaptive.prior.taps)} taps")
    else:
        parts.append(templates.get_template("no_control.c.j2").render())
    if isinstance(ir.adaptive, HybridIr | WarpedLsIr):
        warped = warped_part(ir.core, *_chain(ir.adaptive), portable=True)
        parts.append(warped.text)
        summary.append(warped.summary)
        for part in _equation_parts(ir, ir.adaptive, portable=True):
            parts.append(part.text)
            summary.append(part.summary)
            states += part.states
    if isinstance(ir.secondary, FirIr):
        parts.append(templates.get_template("secondary.c.j2").render())
        states.append("secondary_delay")
        summary.append(
            f"{'Secondary':<13} arm_fir_q31, {len(ir.secondary.taps)} taps, slices of HK_KERNEL_SLICE samples"
        )
    else:
        parts.append(templates.get_template("no_secondary.c.j2").render())
    if any("shift_left_q31(" in part for part in parts):
        parts.insert(0, templates.get_template("saturate.c.j2").render())
    uses_library = any("arm_fir" in part for part in parts)
    return templates.get_template("hk_kernels.c.j2").render(
        ir=ir,
        digest=digest,
        kernels_abi=KERNELS_ABI,
        summary=summary,
        headers=["dsp/filtering_functions.h"] if uses_library else [],
        parts=[part.rstrip("\n") for part in parts],
        states=states,
    )


def _chain(design: HybridIr | WarpedLsIr) -> tuple[int, int]:
    """Sections and weights of the warped control filter: the reference's chain also serves the secondary model."""
    weights, model = chain_weights(design), len(design.secondary.taps)
    if isinstance(design, HybridIr) or design.tracking is None:
        return weights + model - 1, weights
    return weights + model + len(design.tracking.weighting_q28) - 1, weights


def _equation_parts(ir: HeadsetIr, design: HybridIr | WarpedLsIr, *, portable: bool) -> list[KernelPart]:
    """What the background of a warped filter runs on."""
    weights, model = chain_weights(design), len(design.secondary.taps)
    if isinstance(design, HybridIr) or design.tracking is None:
        equations = [equations_part(ir.core, weights, model, portable=portable)]
    else:
        equations = tracking_parts(ir, design, design.tracking, portable=portable)
    return [*equations, block_part(ir.core, weights // 2 // 4 * 4, portable=portable)]


def _filter_part(templates: jinja2.Environment, name: str, design: FilterIr) -> str:
    title = _TITLES[name]
    if isinstance(design, BiquadIr):
        shift = 31 - design.post_shift
        return templates.get_template("biquad.c.j2").render(
            name=name,
            title=title,
            n_sections=len(design.sections),
            shift=shift,
            mask=f"0x{(1 << shift) - 1:08X}U",
            output_shift=design.output_shift,
        )
    if isinstance(design, FirIr):
        template = templates.get_template(f"fir_{design.format}.c.j2")
        return template.render(name=name, title=title, n_taps=len(design.taps), exponent=design.exponent)
    return templates.get_template("silent.c.j2").render(name=name, title=title)


def _filter_states(name: str, design: FilterIr) -> list[str]:
    if isinstance(design, BiquadIr):
        return [f"{name}_history", f"{name}_fraction"]
    return [f"{name}_delay"] if isinstance(design, FirIr) else []


def _describe(design: FilterIr) -> str:
    if isinstance(design, BiquadIr):
        return f"{len(design.sections)} sections q31 with fraction saving, output shift {design.output_shift}"
    if isinstance(design, FirIr):
        return f"arm_fir_{design.format}, {len(design.taps)} taps"
    return "left out"
