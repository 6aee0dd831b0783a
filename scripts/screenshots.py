"""`make screenshots`: pictures of every view of the page in both themes and three sizes, from the running program.

Owner: the command line; needs Chromium. Sizes in CSS pixels. All pictures go to `docs/pictures/views`, which git does
not keep; those that the docs show are kept beside it. Each is cut down to 128 colours where Pillow is there.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests.end_to_end.program import ROOT, Program, until
from tests.web.browser import Browser

PICTURES = ROOT / "docs" / "pictures"
ALL = PICTURES / "views"
SIZES = {"laptop": (1440, 900), "tablet": (1024, 768), "phone": (390, 844)}
VIEWS = ("play", "practice", "pads", "setlist", "stage", "library", "track", "system/jobs", "system/engine",
         "system/settings")  # fmt: skip
KEPT = {
    "play-laptop-dark": "desktop", "play-tablet-dark": "tablet", "play-phone-dark": "phone",
    "play-laptop-light": "light", "practice-laptop-dark": "practice", "library-laptop-dark": "library",
    "pads-laptop-dark": "pads", "setlist-laptop-light": "setlist", "track-laptop-dark": "analysis",
    "stage-tablet-dark": "stage",
}  # fmt: skip
"""What the docs show, by the name they know it by."""


def main() -> int:
    """Play the demo and take a picture of every view."""
    ALL.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Program(Path(folder) / "data") as program, Browser() as browser:
        track = _furnish(program)
        page = browser.open_page(program.login_url)
        for theme in ("dark", "light"):
            page.set_viewport_size({"width": 1440, "height": 900})
            page.evaluate("theme => { localStorage.setItem('theme', theme); location.hash = 'play' }", theme)
            page.reload()
            browser.wait_for_show(page)
            for size, (width, height) in SIZES.items():
                page.set_viewport_size({"width": width, "height": height})
                for view in VIEWS:
                    _take(page, program, view, track, f"{view.split('/')[-1]}-{size}-{theme}")
    return 0


def _furnish(program: Program) -> str:
    """Put something into every view. Return the track on deck 1."""
    command = [sys.executable, "-m", "server", "demo", "--data", str(program.data)]
    subprocess.run(command, cwd=ROOT, check=True)
    track = str(program.control("/deck/1/load"))
    other = str(program.control("/deck/2/load"))
    for deck in (1, 2):
        ready = f"/deck/{deck}/stem/bass/ready"
        until(ready, lambda path=ready: program.control(path) == 1)
    for path, value in (
        ("/deck/1/stem/vocals/mute", 1), ("/mixer/crossfader", -0.4), ("/deck/1/loop/section", 2),
        ("/deck/1/stem/vocals/mutes", "31-46.5"), ("/deck/1/stem/drums/mutes", "5-12"), ("/deck/1/loop/active", 0),
        ("/pad/1/source", f"{track}#drums@7.74-15.48"), ("/pad/2/source", f"{track}#bass@7.74-15.48"),
        ("/pad/3/source", f"{other}#vocals@10.4-20.8"), ("/pad/5/source", f"{other}#drums@10.4-20.8"),
        ("/sequencer/pattern/1", "9...9...9...9..5"), ("/sequencer/pattern/2", "..3...7...9....."),
        ("/setlist/load", "demo"),
    ):  # fmt: skip
        program.set(path, value)
    until("the setlist", lambda: program.control("/setlist/status") == "ready")
    return track


def _take(page: Page, program: Program, view: str, track: str, name: str) -> None:
    for deck in (1, 2):  # the demo is short: begin it again for each picture
        program.set(f"/deck/{deck}/position", 20.0)
        program.set(f"/deck/{deck}/play", 1)
    page.evaluate("hash => { location.hash = hash }", f"track/{track}" if view == "track" else view)
    page.wait_for_timeout(1500)
    path = ALL / f"{name}.png"
    page.screenshot(path=path)
    _shrink(path)
    if name in KEPT:
        shutil.copyfile(path, PICTURES / f"{KEPT[name]}.png")


def _shrink(path: Path) -> None:
    try:
        from PIL import Image
    except ImportError:
        return  # then it is larger
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    raise SystemExit(main())
