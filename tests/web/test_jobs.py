"""The list of jobs in a real browser: a batch's progress, and pause, go on, cancel, try again."""

from playwright.sync_api import expect

from server import protocol
from tests.web.browser import TIMEOUT_MS, Browser
from tests.web.mock_server import RunningMock

expect.set_options(timeout=TIMEOUT_MS)


def test_a_batch_is_followed_and_moved(browser: Browser, server: RunningMock) -> None:
    batch = {
        "id": "b1", "title": "Saturday", "status": "processing", "progress": 25, "total": 8, "completed": 2,
        "failed": 0, "cancelled": 0, "running": 2,
    }  # fmt: skip
    server.mock.batches.append(batch)
    page = browser.open_page(server.url)
    page.get_by_role("button", name="Jobs · 1").click()
    panel = page.get_by_role("dialog", name="Jobs")
    row = panel.get_by_role("listitem").filter(has_text="Saturday")
    expect(row).to_contain_text("2 of 8 done · 2 running")
    row.get_by_role("button", name="Pause Saturday").click()
    expect(row).to_contain_text("paused")
    assert batch["status"] == "paused"
    row.get_by_role("button", name="Go on with Saturday").click()
    expect(row.get_by_role("button", name="Pause Saturday")).to_be_visible()
    over = {**batch, "status": "failed", "progress": 100, "completed": 7, "failed": 1, "running": 0}
    server.do(server.mock.hub.publish, protocol.BatchChanged(**over))
    expect(row).to_contain_text("7 of 8 done · 1 failed")
    expect(row.get_by_role("progressbar")).to_have_attribute("value", "100")
    row.get_by_role("button", name="Try again what failed of Saturday").click()
    expect(page.get_by_role("button", name="Jobs · 1")).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
