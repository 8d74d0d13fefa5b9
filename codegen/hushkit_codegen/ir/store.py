"""Integer designs as canonical JSON: writing, and reading with every value checked."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from hushkit_codegen.errors import IrError
from hushkit_codegen.ir.model import (
    IR_SCHEMA,
    N_CATEGORIES,
    AdaptiveIr,
    BiquadIr,
    CategoriesIr,
    CategorySettingsIr,
    ClassifierIr,
    FdafIr,
    FilterIr,
    FilterQuality,
    FirIr,
    FxNlmsIr,
    HeadsetIr,
    HybridIr,
    NoAdaptiveIr,
    SilentIr,
    TrackingIr,
    WarpedIr,
    WarpedLsIr,
)

IR_FILE = "design.json"

_Q31 = (-(1 << 31), (1 << 31) - 1)
_Q15 = (-(1 << 15), (1 << 15) - 1)
_POSITIVE_Q31 = (0, (1 << 31) - 1)
_UNSIGNED = (0, (1 << 32) - 1)
_LAMBDA = (1, (1 << 31) - 1)
_SHARE = (1, 10**9 - 1)
_LEVEL = (-1_000_000, 1_000_000)


def dump_ir(ir: HeadsetIr) -> str:
    """Write a design as canonical JSON: sorted keys, two spaces, lists of numbers on one line, LF at the end."""
    return _render(dataclasses.asdict(ir), 0) + "\n"


def digest_ir(ir: HeadsetIr) -> str:
    """First 16 hex digits of the SHA-256 of the design; the quality figures do not count."""
    data = dataclasses.asdict(ir)
    del data["quality"]
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(canonical).hexdigest()[:16]


def save_ir(ir: HeadsetIr, path: Path) -> None:
    """Write a design to a file.

    Raises:
        IrError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dump_ir(ir), encoding="utf-8", newline="\n")
    except OSError as err:
        raise IrError(f"{path}: cannot be written: {err.strerror}; choose a writable folder") from err


def load_ir(path: Path) -> HeadsetIr:
    """Read a design and check every value of it.

    Raises:
        IrError: Unreadable, not JSON, another schema, or a key missing, unknown, mistyped or out of range.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise IrError(f"{path}: cannot be read; give the {IR_FILE} that `hushkit design` wrote") from err
    return parse_ir(text, str(path))


def parse_ir(text: str, name: str) -> HeadsetIr:
    """Read a design given as text, as load_ir does; `name` is used in messages only."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as err:
        raise IrError(f"{name}: not JSON: {err}; write it anew with `hushkit design`") from err
    root = _Table(name, "", data)
    schema = root.integer("schema", (0, 1 << 31))
    if schema != IR_SCHEMA:
        raise IrError(f"{name}: schema {schema}, expected {IR_SCHEMA}; write it anew with `hushkit design`")
    return _read(root)


def _read(root: "_Table") -> HeadsetIr:
    ir = HeadsetIr(
        spec_name=root.text("spec_name"),
        spec_digest=root.text("spec_digest"),
        core=root.text("core"),
        clock_hz=root.integer("clock_hz", (1, 1 << 32)),
        rate_hz=root.integer("rate_hz", (1, 1 << 20)),
        ears=root.integer("ears", (1, 2)),
        block=root.integer("block", (1, 8)),
        has_error_microphone=root.integer("has_error_microphone", (0, 1)),
        start_mode=root.integer("start_mode", (0, 2)),
        full_scale_mdb_spl=root.integer("full_scale_mdb_spl", _LEVEL),
        latency_samples=root.integer("latency_samples", (1, 4096)),
        paths=root.text("paths"),
        feedforward=_read_filter(root.table("feedforward")),
        transparency=_read_filter(root.table("transparency")),
        secondary=_read_secondary(root.table("secondary")),
        update_block=root.integer("update_block", (8, 64)),
        adaptive=_read_adaptive(root.table("adaptive")),
        dc_block_pole_q31=root.integer("dc_block_pole_q31", _POSITIVE_Q31),
        limiter_threshold_q31=root.integer("limiter_threshold_q31", (1, _Q31[1])),
        limiter_release_q31=root.integer("limiter_release_q31", (1, _Q31[1])),
        ramp_samples=root.integer("ramp_samples", (1, _UNSIGNED[1])),
        watch_samples=root.integer("watch_samples", (1, _UNSIGNED[1])),
        watch_ratio_q16=root.integer("watch_ratio_q16", (1, _Q31[1])),
        quality=tuple(_read_quality(part) for part in root.tables("quality")),
        categories=_read_categories(root.table("categories")),
        classifier=_read_classifier(root.optional_table("classifier")),
        feedback=_read_sections(root.table("feedback")),
        feedback_model=_read_sections(root.table("feedback_model")),
        schema=root.integer("schema", (IR_SCHEMA, IR_SCHEMA)),
    )
    root.finish()
    return ir


def _read_filter(table: "_Table") -> FilterIr:
    kind = table.text("kind")
    design: FilterIr
    if kind == "sos":
        rows = table.matrix("sections", 5, _Q31)
        design = BiquadIr(
            cast("tuple[tuple[int, int, int, int, int], ...]", rows),
            table.integer("post_shift", (0, 7)),
            table.integer("output_shift", (0, 15)),
        )
        if not 1 <= len(rows) <= 12:
            raise table.error("sections", f"{len(rows)} sections", "1 to 12")
    elif kind == "fir":
        design = _read_fir(table)
    elif kind == "none":
        design = SilentIr()
    else:
        raise table.error("kind", f'"{kind}"', "sos, fir or none")
    table.finish()
    return design


def _read_sections(table: "_Table") -> FilterIr:
    design = _read_filter(table)
    if isinstance(design, FirIr):
        raise table.error("kind", "a fir", "sos or none")
    return design


def _read_fir(table: "_Table") -> FirIr:
    number_format = table.text("format")
    if number_format not in {"q31", "q15"}:
        raise table.error("format", f'"{number_format}"', "q31 or q15")
    if table.text("kind") != "fir":
        raise table.error("kind", f'"{table.text("kind")}"', "fir")
    taps = table.integers("taps", _Q31 if number_format == "q31" else _Q15)
    if not 1 <= len(taps) <= 1024:
        raise table.error("taps", f"{len(taps)} taps", "1 to 1024")
    return FirIr(taps, table.integer("exponent", (0, 15)), number_format)


def _read_adaptive(table: "_Table") -> AdaptiveIr:
    algorithm = table.text("algorithm")
    if algorithm == "none":
        table.finish()
        return NoAdaptiveIr()
    readers: dict[str, Callable[[_Table], AdaptiveIr]] = {
        "fxnlms": _read_fxnlms,
        "hybrid": _read_hybrid,
        "fdaf": _read_fdaf,
        "warped_ls": _read_warped_ls,
        "warped_ls_tracking": _read_warped_ls,
    }
    if algorithm not in readers:
        raise table.error("algorithm", f'"{algorithm}"', f"{', '.join(readers)} or none")
    adaptive = readers[algorithm](table)
    table.finish()
    return adaptive


def _read_fxnlms(table: "_Table") -> FxNlmsIr:
    return FxNlmsIr(**_read_transversal(table, multiple=32))


def _read_fdaf(table: "_Table") -> FdafIr:
    return FdafIr(**_read_transversal(table, multiple=256))


def _read_hybrid(table: "_Table") -> HybridIr:
    design = HybridIr(
        **_read_transversal(table, multiple=32),
        short_taps=table.integer("short_taps", (4, 64)),
        one_minus_lambda_q32=table.integer("one_minus_lambda_q32", _LAMBDA),
        secondary=_read_warped(table.table("secondary")),
        forget_ppb=table.integer("forget_ppb", _SHARE),
        ridge_ppb=table.integer("ridge_ppb", (1, 10**9)),
        start_ridge_ppb=table.integer("start_ridge_ppb", (1, 100 * 10**9)),
        rule=table.integer("rule", (0, 1)),
        worst_condition=table.integer("worst_condition", (2, 10**18)),
        reset_jobs=table.integer("reset_jobs", _UNSIGNED),
    )
    if design.short_taps % 4:
        raise table.error("short_taps", str(design.short_taps), "a multiple of 4")
    return design


def _read_transversal(table: "_Table", *, multiple: int) -> dict[str, Any]:
    prior = _read_filter(table.table("prior"))
    if not isinstance(prior, FirIr) or prior.format != "q31" or len(prior.taps) % multiple:
        raise table.error("prior", "another filter", f"a fir in q31 with a multiple of {multiple} taps")
    return {
        "prior": prior,
        "step_q31": table.integer("step_q31", _POSITIVE_Q31),
        "leak_q31": table.integer("leak_q31", _POSITIVE_Q31),
        "regularisation_q48": table.integer("regularisation_q48", (1, (1 << 62) - 1)),
        "weight_sum_limit": table.integer("weight_sum_limit", (1, 1 << 31)),
    }


def _read_warped_ls(table: "_Table") -> WarpedLsIr:
    tracks = table.text("algorithm") == "warped_ls_tracking"
    ratio = (0, 10**9 - 1)
    design = WarpedLsIr(
        one_minus_lambda_q32=table.integer("one_minus_lambda_q32", _LAMBDA),
        secondary=_read_warped(table.table("secondary")),
        prior=_read_warped(table.table("prior")),
        equation_jobs=table.integer("equation_jobs", (1, 255)),
        solve_jobs=table.integer("solve_jobs", (4, 65535)),
        forget_ppb=table.integer("forget_ppb", _SHARE),
        ridge_ppb=table.integer("ridge_ppb", (1, 10**9)),
        start_ridge_ppb=table.integer("start_ridge_ppb", (0, 100 * 10**9)),
        start_fade_ppb=table.integer("start_fade_ppb", ratio),
        tracking=_read_tracking(table.table("tracking")) if tracks else None,
        algorithm="warped_ls_tracking" if tracks else "warped_ls",
    )
    if not tracks:
        table.nothing("tracking")
    if design.solve_jobs % (4 * design.equation_jobs):
        raise table.error("solve_jobs", str(design.solve_jobs), "a multiple of 4 * equation_jobs")
    return design


def _read_tracking(table: "_Table") -> TrackingIr:
    ratio, ratios = (0, 10**9), (0, 1000 * 10**9)
    tracking = TrackingIr(
        weighting_q28=table.integers("weighting_q28", _Q31),
        equaliser=_read_section(table, "equaliser"),
        inverse=_read_section(table, "inverse"),
        hold_ppb=table.integer("hold_ppb", (1, 10**9)),
        change_ratio_ppb=table.integer("change_ratio_ppb", ratios),
        change_keeps_ppb=table.integer("change_keeps_ppb", ratio),
        harm_ratio_ppb=table.integer("harm_ratio_ppb", ratios),
        harm_keeps_ppb=table.integer("harm_keeps_ppb", ratio),
        fast_ppb=table.integer("fast_ppb", ratio),
        slow_ppb=table.integer("slow_ppb", ratio),
        least_memory_ppb=table.integer("least_memory_ppb", (10 * 10**9, 10**6 * 10**9)),
        delay=table.integer("delay", (1, 64)),
        hurry_jobs=table.integer("hurry_jobs", (0, 65535)),
        hurry_solve_jobs=table.integer("hurry_solve_jobs", (4, 65535)),
        blind_jobs=table.integer("blind_jobs", (0, 65535)),
        fade_jobs=table.integer("fade_jobs", (1, 65535)),
        auxiliary_ppb=table.integer("auxiliary_ppb", ratio),
        auxiliary_pole_q31=table.integer("auxiliary_pole_q31", _POSITIVE_Q31),
        auxiliary_rms_ppb=table.integer("auxiliary_rms_ppb", ratio),
        auxiliary_correlation_ppb=table.integers("auxiliary_correlation_ppb", (-(10**9), 10**9)),
    )
    if not 1 <= len(tracking.weighting_q28) <= 16:
        raise table.error("weighting_q28", f"{len(tracking.weighting_q28)} taps", "1 to 16")
    table.finish()
    return tracking


def _read_section(table: "_Table", key: str) -> BiquadIr | SilentIr:
    section = _read_filter(table.table(key))
    if isinstance(section, FirIr):
        raise table.error(key, "a fir", "sos or none")
    return section


def _read_warped(table: "_Table") -> WarpedIr:
    taps = table.integers("taps", _Q31)
    if not 4 <= len(taps) <= 128 or len(taps) % 4:
        raise table.error("taps", f"{len(taps)} taps", "4 to 128, a multiple of 4")
    if sum(abs(tap) for tap in taps) > 1 << 31:
        raise table.error("taps", "an absolute sum above 2^31", "taps scaled so that no dot product overflows")
    design = WarpedIr(taps, table.integer("exponent", (0, 15)))
    table.finish()
    return design


def _read_categories(table: "_Table") -> CategoriesIr:
    rows = tuple(_read_settings(part) for part in table.tables("settings"))
    priors = tuple(_read_prior(part) for part in table.tables("priors"))
    row_of = table.integers("row_of", (0, len(rows)))
    if len(row_of) != N_CATEGORIES:
        raise table.error("row_of", f"{len(row_of)} rows", f"{N_CATEGORIES}, one per category")
    if any(row.prior > len(priors) for row in rows):
        raise table.error("settings", "a prior that is not there", f"0 to {len(priors)}")
    table.finish()
    return CategoriesIr(rows, row_of, priors)


def _read_classifier(table: "_Table | None") -> ClassifierIr | None:
    if table is None:
        return None
    network = table.text("network")
    if len(network) % 8 or not re.fullmatch("[0-9a-f]*", network):
        raise table.error("network", f"{len(network)} characters", "hexadecimal words")
    looks = (1, 31)
    classifier = ClassifierIr(
        model=table.text("model"),
        network=network,
        slice_work=table.integer("slice_work", (1, _UNSIGNED[1])),
        hop_frames=table.integer("hop_frames", (1, 1000)),
        look_frames=table.integer("look_frames", (1, 1000)),
        enter=table.integer("enter", (0, 1000)),
        step_factor=table.integer("step_factor", (1, 1 << 24)),
        threshold=table.integer("threshold", (0, 1000)),
        hint=table.integer("hint", (0, 1000)),
        sure=table.integer("sure", (0, 1000)),
        suspect=table.integer("suspect", looks),
        window=table.integer("window", looks),
        confirm=table.integer("confirm", looks),
        cadence=table.integer("cadence", looks),
        release=table.integer("release", looks),
    )
    table.finish()
    return classifier


def _read_settings(table: "_Table") -> CategorySettingsIr:
    settings = CategorySettingsIr(
        mode=table.integer("mode", (0, 2)),
        intensity=table.integer("intensity", (0, 1000)),
        prior=table.integer("prior", (0, 255)),
        taps=table.integer("taps", (0, 1024)),
        step_q31=table.integer("step_q31", _POSITIVE_Q31),
        leak_q31=table.integer("leak_q31", _POSITIVE_Q31),
        forget_ppb=table.integer("forget_ppb", (0, 10**9 - 1)),
        ridge_ppb=table.integer("ridge_ppb", (0, 10**9)),
        start_ridge_ppb=table.integer("start_ridge_ppb", (0, 100 * 10**9)),
    )
    table.finish()
    return settings


def _read_prior(table: "_Table") -> WarpedIr:
    taps = table.integers("taps", _Q31)
    if not 4 <= len(taps) <= 1024 or len(taps) % 4:
        raise table.error("taps", f"{len(taps)} taps", "4 to 1024, a multiple of 4")
    if sum(abs(tap) for tap in taps) > 1 << 31:
        raise table.error("taps", "an absolute sum above 2^31", "taps scaled so that no dot product overflows")
    prior = WarpedIr(taps, table.integer("exponent", (0, 15)))
    table.finish()
    return prior


def _read_secondary(table: "_Table") -> FirIr | SilentIr:
    design = _read_filter(table)
    if isinstance(design, BiquadIr) or (isinstance(design, FirIr) and (design.format != "q31" or len(design.taps) % 4)):
        raise table.error("kind", "another filter", "none, or a fir in q31 with a multiple of 4 taps")
    return design


def _read_quality(table: "_Table") -> FilterQuality:
    quality = FilterQuality(
        table.text("name"),
        table.integer("fit_error_mdb", _LEVEL),
        table.integer("attenuation_mdb", _LEVEL),
        table.integer("worst_octave_mdb", _LEVEL),
        table.text("warning"),
        table.integer("margin_mdb", _LEVEL),
        table.integer("margin_mdeg", (0, 180_000)),
    )
    table.finish()
    return quality


class _Table:
    """One JSON object under inspection; every getter raises IrError with the place."""

    def __init__(self, name: str, place: str, data: object) -> None:
        self._name = name
        self._place = place
        if not isinstance(data, Mapping):
            raise IrError(f"{name}: {place or 'the file'} is not an object; write it anew with `hushkit design`")
        self._data: Mapping[str, Any] = data
        self._known: set[str] = set()

    def error(self, key: str, found: str, expected: str) -> IrError:
        place = f"{self._place}.{key}" if self._place else key
        return IrError(
            f"{self._name}: {place}: found {found}, expected {expected}; write it anew with `hushkit design`"
        )

    def text(self, key: str) -> str:
        value = self._take(key)
        if not isinstance(value, str):
            raise self.error(key, repr(value), "a string")
        return value

    def integer(self, key: str, limits: tuple[int, int]) -> int:
        return self._checked(key, self._take(key), limits)

    def integers(self, key: str, limits: tuple[int, int]) -> tuple[int, ...]:
        value = self._take(key)
        if not isinstance(value, list):
            raise self.error(key, repr(value)[:40], "a list of integers")
        return tuple(self._checked(key, item, limits) for item in value)

    def matrix(self, key: str, width: int, limits: tuple[int, int]) -> tuple[tuple[int, ...], ...]:
        value = self._take(key)
        if not isinstance(value, list) or not all(isinstance(row, list) and len(row) == width for row in value):
            raise self.error(key, repr(value)[:40], f"rows of {width} integers")
        return tuple(tuple(self._checked(key, item, limits) for item in row) for row in value)

    def table(self, key: str) -> "_Table":
        return _Table(self._name, f"{self._place}.{key}" if self._place else key, self._take(key))

    def optional_table(self, key: str) -> "_Table | None":
        return None if self._take(key) is None else self.table(key)

    def tables(self, key: str) -> "list[_Table]":
        value = self._take(key)
        if not isinstance(value, list):
            raise self.error(key, repr(value)[:40], "a list of objects")
        return [_Table(self._name, f"{key}[{index}]", item) for index, item in enumerate(value)]

    def nothing(self, key: str) -> None:
        if self._take(key) is not None:
            raise self.error(key, "a value", "null")

    def finish(self) -> None:
        for key in self._data:
            if key not in self._known:
                raise self.error(key, "an unknown key", "none")

    def _take(self, key: str) -> Any:
        self._known.add(key)
        if key not in self._data:
            raise self.error(key, "nothing", "a value")
        return self._data[key]

    def _checked(self, key: str, value: object, limits: tuple[int, int]) -> int:
        low, high = limits
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(key, repr(value)[:40], "an integer")
        if not low <= value <= high:
            raise self.error(key, str(value), f"{low} to {high}")
        return value


def _render(value: object, depth: int) -> str:
    pad = "  " * (depth + 1)
    if isinstance(value, dict) and value:
        rows = [f"{pad}{json.dumps(key)}: {_render(value[key], depth + 1)}" for key in sorted(value)]
        return "{\n" + ",\n".join(rows) + "\n" + "  " * depth + "}"
    if isinstance(value, list | tuple) and value and isinstance(value[0], dict | list | tuple):
        rows = [pad + _render(item, depth + 1) for item in value]
        return "[\n" + ",\n".join(rows) + "\n" + "  " * depth + "]"
    if isinstance(value, list | tuple) and len(value) > 8:
        rows = [pad + ", ".join(str(item) for item in value[at : at + 8]) for at in range(0, len(value), 8)]
        return "[\n" + ",\n".join(rows) + "\n" + "  " * depth + "]"
    return json.dumps(value)
