"""Links: one spelling for one thing, and a sentence for everything that is none."""

import pytest

from pipeline.links import LONGEST, LinkRejected, parse

ID = "6rqhFgbbKwnb9MLmUQDhG6"


@pytest.mark.parametrize("what", ["track", "album", "playlist"])
@pytest.mark.parametrize(
    "form",
    [
        "spotify:{}:{}", "SPOTIFY:{}:{}", "https://open.spotify.com/{}/{}", "http://open.spotify.com/{}/{}/",
        "https://open.spotify.com/intl-de/{}/{}?si=0a1b2c", "https://open.spotify.com/intl-pt-br/{}/{}",
        "open.spotify.com/{}/{}", "https://play.spotify.com/{}/{}#x", " <https://open.spotify.com/embed/{}/{}> ",
        "https://OPEN.spotify.com/{}/{}", "spotify:{}:{}?si=1",
    ],
)  # fmt: skip
def test_every_form_of_a_spotify_link_is_the_same_link(form: str, what: str) -> None:
    link = parse(form.format(what, ID))
    assert (link.kind, link.what, link.id) == ("spotify", what, ID)
    assert link.url == f"https://open.spotify.com/{what}/{ID}"


def test_playlists_of_the_days_of_owners() -> None:
    for text in (f"spotify:user:somebody:playlist:{ID}", f"https://open.spotify.com/user/somebody/playlist/{ID}"):
        assert parse(text) == parse(f"spotify:playlist:{ID}")


@pytest.mark.parametrize(
    "text",
    [
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ", "https://youtu.be/dQw4w9WgXcQ?t=42",
        "https://m.youtube.com/watch?list=PL1&v=dQw4w9WgXcQ&t=1s", "youtube.com/shorts/dQw4w9WgXcQ",
        "https://music.youtube.com/watch?v=dQw4w9WgXcQ&si=x", "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
    ],
)  # fmt: skip
def test_every_form_of_a_youtube_link_is_the_same_link(text: str) -> None:
    link = parse(text)
    assert (link.kind, link.url) == ("video", "https://www.youtube.com/watch?v=dQw4w9WgXcQ")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://soundcloud.com/one/two#t=1", "https://soundcloud.com/one/two"),
        ("https://one.bandcamp.com/track/two", "https://one.bandcamp.com/track/two"),
        ("https://www.youtube.com/playlist?list=PL1", "https://www.youtube.com/playlist?list=PL1"),
    ],
)
def test_other_sites_that_hold_music(text: str, url: str) -> None:
    assert (parse(text).kind, parse(text).url) == ("video", url)


@pytest.mark.parametrize(
    ("text", "url", "name"),
    [
        ("HTTP://Example.COM:80/a%20b.mp3?x=1#z", "http://example.com/a%20b.mp3?x=1", "a b.mp3"),
        ("https://example.com:443", "https://example.com/", "example.com"),
        ("https://example.com:8443/ä.flac", "https://example.com:8443/%C3%A4.flac", "ä.flac"),
        ("https://bücher.example/x.wav", "https://xn--bcher-kva.example/x.wav", "x.wav"),
        ("example.com/x.wav", "https://example.com/x.wav", "x.wav"),
        ("http://[2001:DB8::1]:81/x.ogg", "http://[2001:db8::1]:81/x.ogg", "x.ogg"),
        ("https://notyoutube.com/x.mp3", "https://notyoutube.com/x.mp3", "x.mp3"),
        ("https://example.com./x.mp3", "https://example.com/x.mp3", "x.mp3"),
    ],
)
def test_addresses_of_audio_have_one_spelling(text: str, url: str, name: str) -> None:
    link = parse(text)
    assert (link.kind, link.url, link.name) == ("audio", url, name)
    assert parse(link.url) == link


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "<>", "hello", "/etc/passwd", "song.mp3 and more", "https://", "https:///x.mp3", "http://:80/x",
        "file:///etc/passwd", "ftp://example.com/x.mp3", "data:audio/wav;base64,AAAA", "javascript:alert(1)",
        "https://me:secret@example.com/x.mp3", "https://me@example.com/x", "https://example.com:99999/x.mp3",
        "https://example.com:x/x.mp3", "http://[::1/x.mp3", "https://exa mple.com/x", "https://example.com/\nx",
        "https://example.com/\0x", "https://.example.com/x", "https://exam<ple.com/x", "https://a..b/x",
        "spotify:", "spotify:track", "spotify:track:", "spotify:track:short", f"spotify:track:{ID}:more",
        f"spotify:artist:{ID}", f"spotify:episode:{ID}", f"https://open.spotify.com/show/{ID}",
        "https://open.spotify.com/", "https://open.spotify.com/track/", f"https://open.spotify.com/track/{ID}x",
        "https://open.spotify.com/collection/tracks", "https://spotify.link/abc", f"spotify:track:{ID[:-1]}é",
        "https://youtu.be/", "https://www.youtube.com/", "https://www.youtube.com/watch?v=short",
        "https://soundcloud.com", "https://example.com/" + "x" * LONGEST,
    ],
)  # fmt: skip
def test_everything_else_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(LinkRejected) as refused:
        parse(text)
    assert str(refused.value).endswith(".") and len(str(refused.value)) < 120
