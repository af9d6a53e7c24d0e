"""The page in a real Chromium, fed by the real dashboard from a file that grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.keys import Keys

from isotherm.contract import Reason
from isotherm.contract.states import STATES
from tests.dashboard.support.browser import Browser, chromium
from tests.dashboard.support.fleet import WITHOUT, append, snapshot
from tests.dashboard.support.server import Dashboard, dashboard
from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aggregator.analytics.snapshot import Snapshot

pytestmark = pytest.mark.integration

NOTHING = "\u2013"
"""What stands where a number is not known."""


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Dashboard]:
    file = tmp_path / "snapshots.jsonl"
    append(file, snapshot(1))
    # Slow machines are no reason to call a snapshot stale here.
    with dashboard(file, "--stale-after", "10m") as one:
        yield one


@pytest.fixture
def page(window: Browser, served: Dashboard) -> Browser:
    """The page as somebody sees it who was never here before."""
    window.driver.get(served.url)
    window.run("localStorage.clear()")
    window.complaints()
    window.driver.get(served.url)
    window.await_pulse("live")
    return window


def shown_averages(page: Browser) -> list[tuple[str, str]]:
    codes = page.texts("#rows .code")
    return list(zip(codes, page.texts("#rows .strong"), strict=True))


def expected_averages(shown: Snapshot, scope: str) -> list[tuple[str, str]]:
    averages = shown.scopes[scope].average_temperature_by_state
    return [(state, f"{value:.1f}") for state, value in averages]


def test_the_ranking_is_the_snapshots(page: Browser) -> None:
    expected = expected_averages(snapshot(1), "window")
    assert shown_averages(page) == [*expected, (WITHOUT, "no data")]
    ranks = page.texts("#rows td.rank")
    assert ranks == [*(str(i + 1) for i in range(len(expected))), ""]


def test_the_sensors_by_state_are_the_snapshots(page: Browser) -> None:
    shown = dict(zip(page.texts("#rows .code"), page.texts("#rows td:nth-child(4)"), strict=True))
    expected = {s: str(n) for s, n in snapshot(1).scopes["window"].sensors_by_state}
    assert shown == {**expected, WITHOUT: NOTHING}


def test_the_map_says_each_state_in_words_and_in_numbers(page: Browser) -> None:
    averages = dict(snapshot(1).scopes["window"].average_temperature_by_state)
    labels = page.run(
        "return Object.fromEntries([...document.querySelectorAll('.area')]"
        ".map(area => [area.dataset.state, area.getAttribute('aria-label')]))"
    )
    values = page.run(
        "return Object.fromEntries([...document.querySelectorAll('.label')]"
        ".map(label => [label.dataset.state, label.lastChild.textContent]))"
    )
    assert sorted(labels) == sorted(values) == sorted(STATES)
    for state, average in averages.items():
        assert f"{average:.1f} °F" in labels[state]
        assert values[state] == f"{average:.0f}"
    assert "no data" in labels[WITHOUT]
    assert values[WITHOUT] == NOTHING
    assert "11 offline" in labels["CA"]
    assert "minimum 58.2°, maximum 80.2°" in labels["FL"]


def test_a_state_without_data_has_no_colour(page: Browser) -> None:
    script = (
        "return getComputedStyle(document.querySelector(`[data-state=${arguments[0]}] path`)).fill"
    )
    assert page.run(script, WITHOUT).startswith('url("#hatch")')
    assert page.run(script, "FL").startswith("rgb(")


def test_the_totals_and_the_scopes(page: Browser) -> None:
    window = snapshot(1).scopes["window"]
    assert page.text("[data-tile=messages]") == f"{window.total_messages:,}"
    assert page.text("[data-tile=sensors]") == f"{window.total_sensors:,}"
    page.click("#scope label:nth-of-type(2)")
    since = snapshot(1).scopes["since_start"]
    page.await_text("[data-tile=messages]", f"{since.total_messages:,}")
    assert page.text("[data-tile=sensors]") == f"{since.total_sensors:,}"
    assert shown_averages(page) == expected_averages(snapshot(1), "since_start")


def test_the_audit_the_rejects_and_the_offline_sensors(page: Browser) -> None:
    rows = page.run(
        "return [...document.querySelectorAll('#audit tbody tr, #rejects tbody tr')]"
        ".map(row => [...row.cells].map(cell => cell.textContent))"
    )
    told = {name: (trigger, since) for name, trigger, since in rows}
    assert told["Expected"] == ("31,207", "14,212,611")
    assert told["Received"] == ("31,204", "14,212,548")
    assert told["Missing"] == ("3", "23")
    assert told["Explained by gaps"] == ("0", "40")
    assert told["Gap records"] == ("0", "5")
    assert told["Duplicated"] == ("12", "4,211")
    assert told["Clock not in sync"] == ("9", "309")
    assert told["not json"] == ("2", "210")
    assert told["bad temperature"] == ("0", "77")
    assert {reason.replace("_", " ") for reason in Reason} <= set(told)
    assert page.text("#offline tbody tr td") == "probe-in-wyoming"
    assert page.text("#offline tbody tr td:nth-child(2)") == "Wyoming"
    assert "6 min 4" in page.text("#offline tbody tr td:nth-child(3)")
    for tile, text in {"offline": "14", "missing": "23", "rejected": "290", "lag": "707"}.items():
        assert page.text(f"[data-tile={tile}]") == text
    assert page.text("[data-tile=trigger]") == "842 ms"


def test_a_new_snapshot_is_shown_without_asking(page: Browser, served: Dashboard) -> None:
    append(served.snapshots, snapshot(2, warmer=30.0, without=("FL",)))
    page.await_text("[data-tile=messages]", "31,206")
    expected = expected_averages(snapshot(2, warmer=30.0, without=("FL",)), "window")
    assert shown_averages(page) == [*expected, ("FL", "no data")]
    # The scale has grown by what is hotter than it was; its colours keep their meaning.
    assert page.texts(".tick b")[-1] == "100 °F"


def test_an_idle_trigger_is_no_data_and_not_zero(page: Browser, served: Dashboard) -> None:
    append(served.snapshots, snapshot(2, idle=True))
    page.await_text("[data-note=trigger]", "of 3.0 s, idle")
    assert {value for _, value in shown_averages(page)} == {"no data"}
    assert set(page.texts(".label .value")) == {NOTHING}


def test_celsius_is_remembered(page: Browser) -> None:
    page.click("#unit label:nth-of-type(2)")
    expected = f"{(dict(expected_float(snapshot(1)))['FL'] - 32) / 1.8:.1f}"
    page.await_text("#rows .strong", expected)
    page.driver.refresh()
    page.await_pulse("live")
    page.await_text("#rows .strong", expected)
    words = str(page.attribute(".area[data-state=FL]", "aria-label")).split(", ")
    assert words[0] == f"Florida: {expected} °C"
    assert words[-1] == f"{3 + STATES.index('FL')} sensors"


def expected_float(shown: Snapshot) -> tuple[tuple[str, float], ...]:
    return shown.scopes["window"].average_temperature_by_state


def test_the_colours_of_the_page_are_remembered(page: Browser) -> None:
    script = "return getComputedStyle(document.body).backgroundColor"
    light = page.run(script)
    page.run("document.querySelector('#theme').focus()")
    page.press("d")
    await_true(lambda: page.run(script) != light, "a dark page")
    dark = page.run(script)
    page.driver.refresh()
    assert page.run(script) == dark


def test_the_keyboard_reaches_everything(page: Browser) -> None:
    # TAB goes on from where the last click or jump was, which browsers remember apart from the
    # focus: a focus on the body, which is let go at once, sets that point to the top of the page.
    page.run(
        "document.body.tabIndex = -1; document.body.focus();"
        "document.body.blur(); document.body.removeAttribute('tabindex')"
    )
    reached = []
    for _ in range(9):
        page.press(Keys.TAB)
        reached.append(
            page.run(
                "const e = document.activeElement;"
                "return e.getAttribute('name') || e.dataset.state || e.id"
                " || e.closest('th')?.dataset.sort || e.getAttribute('class')"
            )
        )
    # The map is one stop, whatever its size; its arrows lead on.
    wanted = ["skip", "scope", "unit", "theme", "KS", "ranking", "name", "average", "sensors"]
    assert reached == wanted


def test_a_state_is_opened_and_closed_by_the_keyboard(page: Browser) -> None:
    page.run("document.querySelector('.area[tabindex=\"0\"]').focus()")
    page.press(Keys.ARROW_LEFT)
    assert page.focused("data-state") == "CO"
    page.press(Keys.ENTER)
    page.await_text("#trend-title", "Colorado")
    assert page.focused("id") == "opened"
    # Without the job's address its sensors are not known, and the page says how to get them.
    await_true(lambda: "--job" in page.text("#sensors-note"), "the reason and the fix")
    page.press(Keys.ESCAPE)
    page.await_text("#trend-title", "The last hour")
    assert page.focused("data-state") == "CO"


def test_a_row_of_the_table_opens_its_state(page: Browser) -> None:
    page.click("[data-open=FL]")
    page.await_text("#trend-title", "Florida")
    assert page.texts("#figures dt") == ["Average", "Minimum", "Maximum"]
    assert page.texts("#figures dd") == ["70.7 °F", "58.2 °F", "80.2 °F"]
    assert page.attribute(".area[data-state=FL]", "aria-pressed") == "true"
    await_true(
        lambda: "last hour: from 70.7 °F" in str(page.attribute("#chart", "aria-label")),
        "the trend of Florida",
    )


def test_the_table_is_sorted_by_each_column(page: Browser) -> None:
    page.click("th[data-sort=sensors] button")
    await_true(lambda: page.texts("#rows .code")[0] == "WV", "most sensors first")
    assert page.texts("#rows .code")[-1] == WITHOUT
    assert page.attribute("th[data-sort=sensors]", "aria-sort") == "descending"
    page.click("th[data-sort=name] button")
    await_true(lambda: page.texts("#rows .full")[:2] == ["Alabama", "Alaska"], "names")


def test_changes_of_numbers_are_not_read_out(page: Browser, served: Dashboard) -> None:
    page.run(
        "window.spoken = 0; new MutationObserver(() => window.spoken++).observe("
        "document.querySelector('[role=status]'),"
        " {childList: true, characterData: true, subtree: true})"
    )
    for batch in (2, 3, 4):
        append(served.snapshots, snapshot(batch, warmer=batch))
        page.await_text("[data-tile=messages]", f"{31_204 + batch:,}")
    assert page.run("return window.spoken") == 0
    live = "return [...document.querySelectorAll('[aria-live],[role=status],[role=alert]')].length"
    assert page.run(live) == 1


def test_the_page_is_clean(page: Browser, served: Dashboard) -> None:
    page.hosts()
    page.driver.refresh()
    page.await_pulse("live")
    page.click("[data-open=CA]")
    append(served.snapshots, snapshot(2))
    page.await_text("[data-tile=messages]", "31,206")
    # The one complaint is the browser's, of the sensors that need --job.
    assert [line for line in page.complaints() if "/api/sensors/" not in line] == []
    assert page.hosts() == {served.address}
