"""The pictures of docs/behaviour.md are what the program plays now."""

import re
from pathlib import Path

import numpy as np
import pytest

from scripts.charts import PICTURES
from scripts.pictures import DRAWN

PAGE = Path(__file__).resolve().parents[2] / "docs" / "behaviour.md"
NUDGE = 0.35
"""Units of a picture 300 high: what is drawn is rounded to a tenth, and processors differ in a sample's last bits."""

_NUMBER = re.compile(r"-?\d+\.\d+|-?\d+")


@pytest.mark.parametrize("name", DRAWN)
def test_it_is_drawn_as_it_stands(name: str) -> None:
    now, then = DRAWN[name](), (PICTURES / f"{name}.svg").read_text(encoding="utf-8")
    assert _NUMBER.sub("#", now) == _NUMBER.sub("#", then), "python -m scripts.pictures draws it anew"
    drawn, stood = (np.array([float(word) for word in _NUMBER.findall(text)]) for text in (now, then))
    assert np.abs(drawn - stood).max() <= NUDGE
    line = re.search(r'points="([^"]+)"', now)
    assert line is not None
    heights = {pair.split(",")[1] for pair in line[1].split()}
    assert len(heights) > 2, "a flat line shows nothing"


def test_the_page_shows_them_all() -> None:
    shown = re.findall(r"\(pictures/([\w-]+)\.svg\)", PAGE.read_text(encoding="utf-8"))
    assert set(DRAWN) <= set(shown)
    assert all((PICTURES / f"{name}.svg").is_file() for name in shown)
