"""The DAW profiles: each names its source, knows our controls, and says back what it hears."""

import pytest
from pythonosc.osc_message import OscMessage

from control.daw_names import NAMES
from control.daw_profile import ProfileRejected, load, parse
from control.osc_codec import decode
from control.registry import FOCUSED, REGISTRY


@pytest.mark.parametrize("name", NAMES)
def test_profiles_are_whole(name: str) -> None:
    profile = load(name)
    assert profile.source.startswith("https://")
    assert profile.send_port != profile.receive_port
    paths = [link.path for link in profile.links]
    assert len(set(paths)) == len(paths)
    assert {"/session/tempo", "/transport/play", "/stem/1/volume", "/stem/6/mute"} <= set(paths)
    assert all(path in REGISTRY or path in FOCUSED["1"] for path in paths)
    for ask in profile.asks:
        assert decode(ask)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_sent_is_understood_when_it_comes_back(name: str) -> None:
    profile = load(name)
    for link in profile.links:
        if link.press is not None:
            continue
        packet = link.packet(0.5)
        assert packet is not None
        message = OscMessage(packet)
        heard = profile.hear(message.address.replace("/set/", "/get/"), tuple(message.params))
        assert heard == (link.path, pytest.approx(0.5))


def test_what_the_daws_say() -> None:
    live, reaper = load("ableton"), load("reaper")
    assert live.hear("/live/song/get/tempo", (133.5,)) == ("/session/tempo", 133.5)
    assert live.hear("/live/song/get/is_playing", (True,)) == ("/transport/play", 1.0)
    assert live.hear("/live/track/get/volume", (2, 0.85)) == ("/stem/3/volume", 1.0)
    assert live.hear("/live/track/get/volume", (7, 0.85)) is None
    assert reaper.hear("/track/2/volume", (0.716,)) == ("/stem/2/volume", 1.0)
    assert reaper.hear("/play", (1.0,)) == ("/transport/play", 1.0)
    for args in ((), ("x",), (1.0, 2.0, 3.0), (None,), (b"x",)):
        assert live.hear("/live/song/get/tempo", args) is None
        assert live.hear("/nope", args) is None
    play = next(link for link in live.links if link.press)
    assert [OscMessage(play.packet(value) or b"").address for value in (0, 1)] == [
        "/live/song/stop_playing", "/live/song/start_playing",
    ]  # fmt: skip
    assert OscMessage(play.packet(1) or b"").params == []


@pytest.mark.parametrize(
    "text",
    ["", "x", "[profile]", '[profile]\nname="a"\nsource="b"\nsend_port=1\nreceive_port=2\n[[control]]\npath="/nope"'],
)
def test_faults_are_said(text: str) -> None:
    with pytest.raises(ProfileRejected):
        parse(text)
    with pytest.raises(ProfileRejected):
        load("nope")
