# SPDX-License-Identifier: BSD-3-Clause
"""Days to parts: every row once, in order, and keys that change exactly with the content."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from padflow.archive.catalog import Catalog, FileEntry
from padflow.archive.plan import GroupPlan, plan_groups

DAYS = st.lists(st.integers(1, 60), min_size=1, max_size=12)
ROWS_PER_PART = st.integers(1, 90)


def entry(number: int, rows: int, **more) -> FileEntry:
    day = (date(2013, 3, 1) + timedelta(days=number)).isoformat()
    more = {"spacecraft": "rbspa", "version": "1", "size_bytes": 100 * rows, "mtime_ns": 7, **more}
    return FileEntry(f"{more['spacecraft']}/{day}.cdf", day=day, records=rows, rows=rows, axes="a", **more)


def catalog(*entries: FileEntry) -> Catalog:
    return Catalog("/data", "rept", entries, {"a": {"pitch_angle": [90.0], "energy": [2.0]}})


def planned(rows: list[int], rows_per_part: int, **changes: FileEntry) -> GroupPlan:
    entries = [changes.get(f"day{number}") or entry(number, count) for number, count in enumerate(rows)]
    (plan,) = plan_groups(catalog(*entries), rows_per_part=rows_per_part)
    return plan


def keys(plan: GroupPlan, *context: str) -> list[str]:
    return [span.key(*context) for span in plan.parts()]


@given(DAYS, ROWS_PER_PART)
def test_parts_tile_all_rows_once_in_order(rows: list[int], rows_per_part: int) -> None:
    plan = planned(rows, rows_per_part)
    parts = list(plan.parts())
    assert plan.rows == sum(rows)
    assert [part.index for part in parts] == list(range(len(parts)))
    assert [part.start for part in parts] == list(range(0, sum(rows), rows_per_part))
    assert [part.stop for part in parts] == [*(part.start for part in parts[1:]), sum(rows)]
    expected = [(day, row) for day, count in enumerate(rows) for row in range(count)]
    number = {day.day: place for place, day in enumerate(plan.days)}
    found = []
    for part in parts:
        inside = [(number[day.day], row) for day, first, end in part.pieces for row in range(first, end)]
        assert len(inside) == part.stop - part.start
        assert all(first < end for _, first, end in part.pieces)
        found += inside
    assert found == expected


@given(DAYS, ROWS_PER_PART, st.data())
def test_keys_of_the_parts_that_hold_a_changed_day_change_and_no_others(
    rows: list[int], rows_per_part: int, data: st.DataObject
) -> None:
    changed = data.draw(st.integers(0, len(rows) - 1))
    before = planned(rows, rows_per_part)
    old = entry(changed, rows[changed])
    other = data.draw(
        st.sampled_from(
            [
                replace(old, mtime_ns=8),
                replace(old, size_bytes=old.size_bytes + 1),
                replace(old, path="elsewhere.cdf"),
            ]
        )
    )
    after = planned(rows, rows_per_part, **{f"day{changed}": other})
    holds = [any(day.day == old.day for day, _, _ in part.pieces) for part in before.parts()]
    differs = [a != b for a, b in zip(keys(before), keys(after), strict=True)]
    assert differs == holds
    assert any(differs)


@given(DAYS, ROWS_PER_PART, st.integers(1, 60))
def test_full_parts_keep_their_keys_when_days_are_added(rows: list[int], rows_per_part: int, more: int) -> None:
    before, after = keys(planned(rows, rows_per_part)), keys(planned([*rows, more], rows_per_part))
    full = sum(rows) // rows_per_part
    assert after[:full] == before[:full]
    if sum(rows) % rows_per_part:
        assert after[full] != before[full]


@given(DAYS, ROWS_PER_PART)
def test_keys_differ_between_parts_contexts_and_spacecraft(rows: list[int], rows_per_part: int) -> None:
    plan = planned(rows, rows_per_part)
    found = keys(plan, "one") + keys(plan, "two") + keys(replace(plan, group="rbspb"), "one")
    assert len(set(found)) == len(found)


def test_a_day_without_a_file_of_its_own_lives_on_its_neighbours_strays() -> None:
    midnight = int(timedelta(days=15766).total_seconds()) * 10**9  # 2013-03-02
    first = entry(0, 5, stray_ns=(midnight + 1, midnight + 2))
    (plan,) = plan_groups(catalog(first, entry(2, 4)), rows_per_part=100)
    assert [(day.day, day.rows) for day in plan.days] == [("2013-03-01", 5), ("2013-03-02", 2), ("2013-03-03", 4)]
    assert plan.days[1].sources[0].strays_ns == (midnight + 1, midnight + 2)


def test_a_stray_that_its_own_day_or_another_file_gives_is_not_taken_again() -> None:
    midnight = int(timedelta(days=15766).total_seconds()) * 10**9
    first = entry(0, 5, stray_ns=(midnight + 1, midnight + 2))
    second = entry(1, 6, edge_ns=(midnight + 1, midnight + 9), stray_ns=(midnight - 4,))
    (plan,) = plan_groups(catalog(first, second), rows_per_part=100)
    assert [(day.day, day.rows) for day in plan.days] == [("2013-03-01", 6), ("2013-03-02", 7)]
    assert plan.days[1].sources[1].strays_ns == (midnight + 2,)
    # A day's key knows where its strays come from.
    (other,) = plan_groups(catalog(replace(first, mtime_ns=8), second), rows_per_part=6)
    (same,) = plan_groups(catalog(first, second), rows_per_part=6)
    assert [a == b for a, b in zip(keys(other), keys(same), strict=True)] == [False, False, False]


def test_records_beyond_the_first_and_last_day_are_left_out() -> None:
    midnight = int(timedelta(days=15766).total_seconds()) * 10**9
    both = catalog(entry(0, 5, stray_ns=(midnight + 1,)), entry(1, 4, stray_ns=(midnight - 9,)))

    def days(**limits: date) -> list[tuple[str, int]]:
        return [(d.day, d.rows) for plan in plan_groups(both, rows_per_part=9, **limits) for d in plan.days]

    assert days() == [("2013-03-01", 6), ("2013-03-02", 5)]
    assert days(end=date(2013, 3, 1)) == [("2013-03-01", 6)]
    assert days(start=date(2013, 3, 2)) == [("2013-03-02", 5)]
    assert plan_groups(both, rows_per_part=9, start=date(2014, 1, 1)) == []


def test_groups_in_the_order_of_names_and_only_used_files() -> None:
    bad = entry(1, 9).set_aside("truncated", "cut")
    both = catalog(entry(0, 3, spacecraft="rbspb"), entry(0, 2), bad)
    assert [(plan.group, plan.rows) for plan in plan_groups(both, rows_per_part=2)] == [("rbspa", 2), ("rbspb", 3)]
    assert plan_groups(catalog(bad), rows_per_part=2) == []
