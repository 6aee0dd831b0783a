"""`make screenshots`: the pictures of the docs, made from the running program with the demo songs.

Owner: the command line; needs Chromium. Sizes in CSS pixels.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.end_to_end.program import ROOT, Program, until
from tests.web.browser import Browser

PICTURES = ROOT / "docs" / "pictures"
SIZES = {"desktop": (1440, 900), "tablet": (1024, 768), "phone": (390, 844)}


def main() -> int:
    """Play the demo and take a picture in every size."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Program(Path(folder) / "data") as program, Browser() as browser:
        command = [sys.executable, "-m", "server", "demo", "--data", str(program.data)]
        subprocess.run(command, cwd=ROOT, check=True)
        for deck in (1, 2):
            ready = f"/deck/{deck}/stem/bass/ready"
            until(ready, lambda path=ready: program.control(path) == 1)
            program.set(f"/deck/{deck}/position", 20.0)
            program.set(f"/deck/{deck}/play", 1)
        program.set("/deck/1/stem/vocals/mute", 1)
        program.set("/mixer/crossfader", -0.4)
        page = browser.open_page(program.login_url)
        for name, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(1500)
            page.screenshot(path=PICTURES / f"{name}.png")
        page.set_viewport_size({"width": 1440, "height": 900})
        page.get_by_role("button", name="Light theme").click()
        page.wait_for_timeout(500)
        page.screenshot(path=PICTURES / "light.png")
        page.get_by_role("button", name="Dark theme").click()
        for view in ("Practice", "Library"):
            page.get_by_role("navigation", name="Views").get_by_role("button", name=view, exact=True).click()
            page.wait_for_timeout(500)
            page.screenshot(path=PICTURES / f"{view.lower()}.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
