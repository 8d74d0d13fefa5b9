"""Legal messages of the wire specification, for property tests; needs hypothesis (extra ``dev``)."""

from hypothesis import strategies as st

from hushkit_link import wire

_U32 = st.integers(0, 0xFFFFFFFF)
_CYCLES = st.none() | st.integers(0, 0xFFFFFFFE)
_FLAG = st.integers(0, 1)


def _steps(low: int, high: int, per_unit: int) -> st.SearchStrategy[float]:
    return st.integers(low, high).map(lambda raw: raw / per_unit)


def messages() -> st.SearchStrategy[wire.Message]:
    """Every message, over the whole range of every field."""
    decibels = st.none() | _steps(-20000, 20000, 100)
    levels = st.none() | _steps(-20000, 0, 100)
    sound_levels = st.none() | _steps(-10000, 20000, 100)
    mode = st.sampled_from(wire.Mode)
    return st.one_of(
        st.builds(
            wire.Hello,
            schema=st.integers(0, 0xFFFF),
            digest=st.binary(min_size=8, max_size=8),
            build_id=st.binary(min_size=8, max_size=8),
            rate_hz=st.integers(8000, 192000),
            n_ears=st.integers(1, 2),
        ),
        st.builds(
            wire.Levels,
            ear=_FLAG,
            reference_level=levels,
            error_level=levels,
            attenuation=decibels,
            weight_norm=decibels,
            watch=st.sampled_from(wire.Watch),
            adapting=_FLAG,
        ),
        st.builds(
            wire.BlockStats,
            samples=_U32,
            mode=mode,
            ramping=_FLAG,
            intensity=_steps(0, 1000, 1000),
            load=st.none() | _steps(0, 10000, 10),
            isr_cycles_mean=_CYCLES,
            isr_cycles_max=_CYCLES,
        ),
        st.builds(
            wire.Health,
            uptime_ms=_U32,
            overruns=_U32,
            starvations=_U32,
            saturations=_U32,
            overloads=_U32,
            limited=_U32,
            restarts=_U32,
            stack_used=st.none() | st.integers(0, 0xFFFFFF),
            line_errors=_U32,
            frames_dropped=_U32,
        ),
        st.builds(
            wire.Classification,
            category=st.sampled_from(wire.Category),
            superclass=st.sampled_from(wire.Superclass),
            confidence=_steps(0, 1000, 1000),
            guess=st.sampled_from(wire.Category),
            level=sound_levels,
            emergency=st.sampled_from(wire.EmergencyKind),
            emergency_state=st.sampled_from(wire.EmergencyState),
            emergency_confidence=_steps(0, 1000, 1000),
            windows=_U32,
            model=_U32,
            shadow_model=_U32,
            compared=_U32,
            disagreed=_U32,
        ),
        st.builds(
            wire.Emergency,
            kind=st.sampled_from(wire.EmergencyKind),
            state=st.sampled_from(wire.EmergencyState),
            uptime_ms=_U32,
            evidence_ms=_U32,
            confidence=_steps(0, 1000, 1000),
            cadence=_FLAG,
            level=sound_levels,
            mode=mode,
            model=_U32,
        ),
        st.builds(
            wire.Event,
            kind=st.sampled_from(wire.EventKind),
            uptime_ms=_U32,
            ear=st.none() | _FLAG,
            mode=mode,
            value=_U32,
        ),
    )
