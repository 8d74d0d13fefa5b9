"""The HTML report and the acoustic figures it shows."""

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hushkit.spec import load_spec
from hushkit_hil.bench.load import no_load
from hushkit_hil.bench.quality import acoustics, judge_tone, tone_run
from hushkit_hil.bench.result import Result
from hushkit_hil.bench.setup import plant_run
from hushkit_hil.report.html import render_html
from hushkit_hil.report.plot import NARROW, WIDE, frequency_axis, linear_axis
from hushkit_hil.selfcheck.example import RATE_HZ, example_result, example_signals


def render(result: Result) -> str:
    signals, error, bound = example_signals()
    return render_html(result, load_spec("flagship-m7").budgets, signals, error, bound)


class _Balance(HTMLParser):
    """Finds tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_report_is_one_self_contained_file() -> None:
    html = render(example_result())

    assert not re.search(r"(?:src|href)\s*=|@import|url\(|<script|https?://(?!www\.w3\.org)", html)


def test_report_is_well_formed_and_escapes_names() -> None:
    html = render(example_result())
    balance = _Balance()

    balance.feed(html)

    assert balance.open == []
    assert "hk_control&lt;&amp;&gt;" in html
    assert "hk_control<&>" not in html


def test_report_sets_mean_worst_seen_and_longest_path_side_by_side() -> None:
    html = render(example_result())

    cells = re.sub(r"</?t[dr]>", " ", html).split("hk_control&lt;&amp;&gt; ")[-1].split()[:6]
    assert cells == ["isr", "1,600.0", "1,100.0", "1250.0", "1,300", "88"]
    assert "longest path through the code that ran</td><td>2600.0" in html


def test_report_draws_every_figure_wide_and_narrow_with_its_evidence() -> None:
    html = render(example_result())

    for title in ("Attenuation over time", "Spectrum at the ear", "Attenuation per octave", "Budgets"):
        assert title in html
    assert html.count('class="plot wide"') == html.count('class="plot narrow"') == 5
    assert html.count('class="chip"') >= 5 + 6
    assert "prefers-color-scheme: dark" in html


def test_report_says_what_falls_short() -> None:
    html = render(dataclasses.replace(example_result(), passed=False, failures=("load 99 %, budget 70",)))

    assert "Falls short" in html
    assert "load 99 %, budget 70" in html


def test_report_of_the_host_has_no_load() -> None:
    html = render(dataclasses.replace(example_result(), target="host", load=no_load()))

    assert "Where a sample" not in html


def test_report_draws_finite_coordinates_only() -> None:
    html = render(example_result())

    assert not re.search(r"\b(?:nan|inf)\b", html)


@pytest.mark.parametrize(("low", "high"), [(0.0, 30.0), (-13.0, 34.4), (0.0, 0.0), (-0.3, 0.2), (12.0, 92.0)])
def test_axis_spans_its_values_with_few_round_ticks(low: float, high: float) -> None:
    axis = linear_axis(low, high)

    assert axis.low <= low
    assert axis.high >= high
    assert 2 <= len(axis.ticks) <= 8
    assert axis.place(axis.low) == 0.0
    assert axis.place(axis.high) == 1.0


def test_frequency_axis_has_room_for_its_labels() -> None:
    assert len(frequency_axis(40.0, 20_000.0, narrow=NARROW.narrow).ticks) <= 4
    assert len(frequency_axis(40.0, 20_000.0, narrow=WIDE.narrow).ticks) >= 7


def test_acoustics_of_a_quarter_of_the_noise_are_12_db() -> None:
    signals, error, bound = example_signals()

    figures = acoustics(signals, error, bound, None)

    assert figures.attenuation_db == pytest.approx(20 * np.log10(4), abs=0.01)
    assert figures.attenuation_dba == pytest.approx(20 * np.log10(4), abs=0.01)
    assert all(value == pytest.approx(12.04, abs=0.05) for value in figures.octaves_db.values())
    assert figures.distance_db is not None
    assert figures.bound_db == pytest.approx(figures.attenuation_db + figures.distance_db)
    assert figures.recovery_s is None
    assert len(figures.ears) == 2


def test_acoustics_of_a_change_count_from_it() -> None:
    """200 ms of four times the noise after a change, of which the first 100 ms are forgiven."""
    signals, _, bound = example_signals()
    change = RATE_HZ // 2
    segments = (signals.segments[0], dataclasses.replace(signals.segments[0], start=change))
    heard = bound.residual.copy()
    heard[:, change : change + RATE_HZ // 5] = 4 * signals.disturbance[:, change : change + RATE_HZ // 5]

    figures = acoustics(
        dataclasses.replace(signals, segments=segments), np.round(heard * 2.0**31).astype(np.int32), bound, None
    )

    assert figures.recovery_s == 0.25
    assert figures.worst_sustained_db == pytest.approx(20 * np.log10(4), abs=0.01)


def test_tone_is_judged_at_the_ear() -> None:
    """The plant alone, without firmware: programme through the secondary path, and the microphones' self-noise."""
    signals, _, _ = example_signals()
    run = tone_run(plant_run(signals, block=1, latency=2), full_scale_db_spl=120.0, seed=1)
    assert run.programme is not None
    heard = run.disturbance + 0.9 * run.programme / 2.0**31

    tone = judge_tone(np.round(heard * 2.0**31).astype(np.int32), RATE_HZ)

    expected_db = 20 * np.log10(0.1 * 0.9 * np.sqrt(0.5) / (np.sqrt(0.5) * 10 ** ((30 - 120) / 20)))
    assert tone.snr_db == pytest.approx(expected_db, abs=0.3)
    assert tone.thd_percent < 0.01
