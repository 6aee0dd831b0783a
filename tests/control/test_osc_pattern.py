"""Laws of address patterns: they fit what OSC 1.0 says they fit, within bounds, whatever is sent."""

import fnmatch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.osc_pattern import MAX_HITS, Addresses, BadPattern, TooManyHits, is_pattern, part_matcher
from control.registry import REGISTRY

TREE = Addresses(REGISTRY)


@pytest.mark.parametrize(
    ("part", "fits", "fits_not"),
    [
        ("mute", ["mute"], ["mut", "mutee", ""]),
        ("?", ["a", "1"], ["", "ab"]),
        ("*", ["", "a", "vocals"], []),
        ("v*s", ["vs", "vocals"], ["vocal", "v"]),
        ("*o*", ["other", "vocals"], ["drums"]),
        ("[12]", ["1", "2"], ["3", "12", ""]),
        ("[1-3]", ["1", "2", "3"], ["4", "-"]),
        ("[!12]", ["3", "a"], ["1", "2", ""]),
        ("[3-1]", ["2"], ["4"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("{drums,bass}", ["drums", "bass"], ["drum", "drumsbass", ""]),
        ("{drum,drums}s", ["drums", "drumss"], ["drum"]),
        ("{a,ab}{c,bc}", ["ac", "abc", "abbc"], ["ab"]),
        ("{,x}y", ["y", "xy"], ["x"]),
        ("**a", ["a", "ba"], ["ab"]),
    ],
)
def test_a_part_fits_what_osc_says(part: str, fits: list[str], fits_not: list[str]) -> None:
    matcher = part_matcher(part)
    assert [name for name in fits if not matcher(name)] == []
    assert [name for name in fits_not if matcher(name)] == []


@settings(max_examples=300)
@given(st.text("ab*?", max_size=10), st.text("ab", max_size=10))
def test_stars_and_question_marks_fit_as_in_a_shell(pattern: str, name: str) -> None:
    assert part_matcher(pattern)(name) == fnmatch.fnmatchcase(name, pattern)


def test_patterns_reach_controls_and_cross_no_slash() -> None:
    assert TREE.matching("/deck/*/volume") == tuple(f"/deck/{n}/volume" for n in (1, 2, 3, 4))
    assert TREE.matching("/deck/[12]/stem/{drums,bass}/mute") == tuple(
        path for path in REGISTRY if path.endswith(("drums/mute", "bass/mute")) and path[6] in "12"
    )
    assert TREE.matching("/*/volume") == ("/pad/volume",)
    assert set(TREE.matching("//mute")) == {path for path in REGISTRY if path.endswith("/mute")}
    assert set(TREE.matching("/deck/2//pan")) == {p for p in REGISTRY if p.startswith("/deck/2/") and p.endswith("pan")}
    assert TREE.matching("/mixer/crossfader") == ("/mixer/crossfader",)


@pytest.mark.parametrize(
    "pattern", ["/deck/[1/volume", "/deck/{1,2/volume", "/deck/1]/x", "/a}/b", "deck/*", "/x/", "//"]
)
def test_what_is_no_pattern_is_said_so(pattern: str) -> None:
    with pytest.raises(BadPattern):
        TREE.matching(pattern)


def test_a_pattern_that_fits_too_much_is_refused() -> None:
    wide = Addresses(f"/a/{number}" for number in range(MAX_HITS + 1))
    with pytest.raises(TooManyHits):
        wide.matching("/a/*")
    assert len(Addresses(f"/a/{number}" for number in range(MAX_HITS)).matching("/a/*")) == MAX_HITS
    deep = Addresses("/" + "/".join([str(n), *"abcdefgh"]) for n in range(900))
    with pytest.raises(TooManyHits):
        deep.matching("//*//*//*//nothing")


def test_a_pattern_that_would_backtrack_for_ever_does_not() -> None:
    assert not part_matcher("*a" * 40 + "b")("a" * 60)  # 10**16 ways for a backtracking matcher
    assert not part_matcher("{a,aa}" * 30 + "b")("a" * 60)


@settings(max_examples=500)
@given(st.text("/abc12*?[]{}!-,", max_size=60))
def test_no_text_raises_anything_else(text: str) -> None:
    for pattern in (text, "/" + text, "/deck/" + text):
        try:
            hits = TREE.matching(pattern)
        except (BadPattern, TooManyHits):
            continue
        assert all(hit in REGISTRY for hit in hits)


def test_names_are_no_patterns() -> None:
    assert not any(is_pattern(path) for path in REGISTRY)
    assert all(map(is_pattern, ("/a//b", "/a/*", "/a/?", "/[a]", "/{a}")))
