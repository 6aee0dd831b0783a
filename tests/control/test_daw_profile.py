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


#: What the DAWs say of themselves, written here a second time. REAPER: actions PLAY, STOP, TEMPO, TRACK_VOLUME and
#: TRACK_MUTE of its Default.ReaperOSC; t needs no value, n is 0 to 1, b is 0 or 1, f is the number itself, @ a track
#: from 1 to DEVICE_TRACK_COUNT, which is 8. AbletonOSC: the handlers of its song.py and track.py, tracks from 0.
REAPER = {"/play": "t", "/stop": "t", "/tempo/raw": "f", "/track/@/volume": "n", "/track/@/mute": "b"}
REAPER_TRACKS = 8
LIVE_METHODS = {"/live/song/start_playing", "/live/song/stop_playing"}
LIVE_SONG = {"tempo": "rw", "is_playing": "r"}
LIVE_TRACK = {"volume": "rw", "mute": "rw"}


def pattern(address: str) -> str:
    """Return an address as REAPER writes it."""
    parts = address.split("/")
    assert all(1 <= int(part) <= REAPER_TRACKS for part in parts if part.isdigit())
    return "/".join("@" if part.isdigit() else part for part in parts)


def test_reaper_is_told_what_its_own_pattern_file_takes() -> None:
    for link in load("reaper").links:
        assert pattern(link.hear) in REAPER, "REAPER says nothing there"
        for packet in filter(None, (link.packet(value) for value in (0, 1, 0.0, 1.0))):
            message = OscMessage(packet)
            kind = REAPER[pattern(message.address)]
            assert len(message.params) == (kind != "t")
            assert kind != "n" or 0.0 <= message.params[0] <= 1.0
            assert kind != "b" or message.params[0] in (0, 1)


def test_ableton_osc_is_told_what_its_handlers_take() -> None:
    live = load("ableton")
    assert (live.send_port, live.receive_port) == (11000, 11001)
    asked = set()
    for packet in live.asks:
        message = OscMessage(packet)
        _, _, about, deed, what = message.address.split("/")
        assert deed == "start_listen"
        assert what in (LIVE_SONG if about == "song" else LIVE_TRACK)
        assert [type(one) for one in message.params] == ([] if about == "song" else [int])
        asked.add((f"/live/{about}/get/{what}", *message.params))
    for link in live.links:
        assert (link.hear, *([] if link.first is None else [link.first])) in asked, "heard only if it was asked for"
        message = OscMessage(link.packet(1) or b"")
        if link.press is not None:
            assert message.address in LIVE_METHODS
            assert message.params == []
            continue
        _, _, about, deed, what = message.address.split("/")
        known = LIVE_SONG if about == "song" else LIVE_TRACK
        assert (deed, known[what]) == ("set", "rw")
        assert len(message.params) == (1 if about == "song" else 2)
