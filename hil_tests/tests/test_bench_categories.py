"""Noise categories on the bench's command line, and the plant segments they become."""

import numpy as np
import pytest
from hushkit.spec import CATEGORIES
from hushkit_hil.bench.categories import parse_category, with_categories
from hushkit_hil.errors import BenchError
from hushkit_hil.targets.plant import PlantRun

RUN = PlantRun(1000, 1, 1, np.zeros((1, 4000)), np.zeros((1, 4000)), np.arange(2.0).reshape(2, 1, 1), starts=(0, 2000))


def test_category_acts_from_its_time_on_and_paths_change_when_they_did() -> None:
    run = with_categories(RUN, ("3:train", "1:emergency"))

    assert run.starts == (0, 1000, 2000, 3000)
    emergency, train = CATEGORIES.index("emergency") + 1, CATEGORIES.index("train") + 1
    assert run.categories == (0, emergency, emergency, train)
    np.testing.assert_array_equal(run.secondary[:, 0, 0], [0.0, 0.0, 1.0, 1.0])


def test_run_without_categories_is_unchanged() -> None:
    assert with_categories(RUN, ()) is RUN


def test_category_without_a_time_acts_from_the_start() -> None:
    assert parse_category("ocean") == (0.0, CATEGORIES.index("ocean"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("emergancy", "did you mean emergency"),
        ("soon:emergency", "'soon' is not a time"),
        ("-1:emergency", "'-1' is not a time"),
        ("4:emergency", "the run ends before"),
    ],
)
def test_unusable_category_is_one_clear_error(text: str, words: str) -> None:
    with pytest.raises(BenchError, match=words):
        with_categories(RUN, (text,))
