import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.ledger import hyperloglog as sketch

SKETCHES = 40


def seen(*hashes: int) -> sketch.Registers:
    made = sketch.empty(1)
    sketch.see(made, np.zeros(len(hashes), np.int64), np.array(hashes, np.uint64))
    registers: sketch.Registers = made[0]
    return registers


def test_a_sketch_that_has_seen_nothing_counts_nothing() -> None:
    assert sketch.estimate(sketch.empty(1)[0]) == 0


@pytest.mark.parametrize(
    ("value", "register", "rank"),
    (
        (0, 0, 51),
        (1, 0, 50),
        (1 << 49, 0, 1),
        ((1 << 50) - 1, 0, 1),
        (5 << 50, 5, 51),
        ((1 << 64) - 1, sketch.REGISTERS - 1, 1),
        ((7 << 50) | (1 << 20), 7, 30),
    ),
)
def test_a_hash_names_a_register_and_a_rank(value: int, register: int, rank: int) -> None:
    found = seen(value)
    assert np.flatnonzero(found).tolist() == [register]
    assert found[register] == rank


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(0, 2**64 - 1), max_size=30),
    st.lists(st.integers(0, 2**64 - 1), max_size=30),
)
def test_order_and_repetition_change_nothing_and_the_higher_registers_join(
    some: list[int], others: list[int]
) -> None:
    together = seen(*some, *others)
    assert np.array_equal(seen(*reversed(others), *some, *some), together)
    assert np.array_equal(np.maximum(seen(*some), seen(*others)), together)
    assert np.array_equal(sketch.loaded(together.tobytes()), together)


@pytest.mark.parametrize("distinct", (1, 60, 122, 5_000, 20_000, 60_000, 200_000))
def test_the_truth_is_within_the_bound_as_often_as_it_says_and_the_mean_is_not_off(
    distinct: int,
) -> None:
    draw = np.random.default_rng(distinct)
    errors = []
    for _ in range(SKETCHES):
        made = sketch.empty(1)
        hashes = draw.integers(0, 2**64, distinct, np.uint64)
        sketch.see(made, np.zeros(distinct, np.int64), hashes)
        errors.append(sketch.estimate(made[0]) / distinct - 1)
    # Where 1 is more than the bound, two that meet in a register would break it.
    within = sum(abs(error) <= sketch.RELATIVE_ERROR + 1 / distinct for error in errors)
    # 0.95 of 40 is 38; 34 or fewer would come of such a share in one of 60 draws, and seeds are
    # fixed.
    assert within > 34
    standard = sketch.RELATIVE_ERROR / 2
    rounding = 0.5 / distinct
    assert abs(float(np.mean(errors))) < 3 * standard / SKETCHES**0.5 + rounding
