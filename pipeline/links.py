"""What a pasted link is: a track, album or playlist of Spotify, a page that yt-dlp reads, or an address of audio.

Owner: nobody; pure, nothing is asked of the network. One link has one spelling (`Link.url`), so that a link that comes
again, from another country or with another tail, is known to be the same.
"""

import re
from typing import Final, Literal
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit, urlunsplit

import msgspec

from pipeline.errors import PermanentFailure

LONGEST: Final = 2048
"""Characters a link may have."""

VIDEO_HOSTS: Final = (
    "youtube.com", "youtube-nocookie.com", "youtu.be", "soundcloud.com", "bandcamp.com", "vimeo.com", "mixcloud.com",
    "dailymotion.com", "twitch.tv", "audiomack.com", "hearthis.at",
)  # fmt: skip
"""Sites whose pages hold music that yt-dlp finds; their subdomains too."""

_SPOTIFY_HOSTS: Final = frozenset({"open.spotify.com", "play.spotify.com", "www.spotify.com", "spotify.com"})
_SPOTIFY_SHORT: Final = frozenset({"spotify.link", "spotify.app.link", "link.tospotify.com"})
_SPOTIFY_ID: Final = re.compile(r"[0-9A-Za-z]{22}")
_REGION: Final = re.compile(r"intl-[a-z]{2}(-[a-z]{2})?", re.IGNORECASE)
_YOUTUBE_ID: Final = re.compile(r"[0-9A-Za-z_-]{11}")
_PORTS: Final = {"http": 80, "https": 443}
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BARE: Final = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:\d+)?(/|$)")

Kind = Literal["spotify", "video", "audio"]
What = Literal["track", "album", "playlist"]


class LinkRejected(PermanentFailure):
    """That is no link that music can be brought in from."""

    code = "link_rejected"


class Link(msgspec.Struct, frozen=True):
    """A link in its one spelling. `what` and `id` are Spotify's; `name` is what to call it until more is known."""

    kind: Kind
    url: str
    what: What | None = None
    id: str = ""
    name: str = ""


def parse(text: str) -> Link:
    """Return the link that `text` is. Raises LinkRejected with a sentence that says what to paste instead."""
    text = text.strip().removeprefix("<").removesuffix(">").strip()
    if not text:
        raise LinkRejected("Paste a link: of Spotify, of a video, or of an audio file.")
    if len(text) > LONGEST:
        raise LinkRejected(f"The link is longer than {LONGEST} characters.")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise LinkRejected("A link has no spaces or line breaks in it; paste one link at a time.")
    if text[:8].lower() == "spotify:":
        return _spotify(text.split(":")[1:])
    if _BARE.match(text):
        text = f"https://{text}"
    found = _SCHEME.match(text)
    if found is None:
        raise LinkRejected("That is no link: one begins with https:// or spotify:.")
    if found[1].lower() not in _PORTS:
        raise LinkRejected(f"Links that begin with {found[1].lower()}: are not followed; http, https and spotify are.")
    return _web(text)


def address(text: str) -> tuple[str, str]:
    """Return an http(s) address in its one spelling, and its host. Raises LinkRejected."""
    try:
        split = urlsplit(text)
        scheme = split.scheme.lower()
        host, port = _host(split), split.port
    except ValueError as error:
        raise LinkRejected("The address in this link is damaged.") from error
    if scheme not in _PORTS:
        raise LinkRejected(f"Links that begin with {scheme}: are not followed; http, https and spotify are.")
    if split.username is not None or split.password is not None:
        raise LinkRejected("A link with a name or a password in it is not followed.")
    bracketed = f"[{host}]" if ":" in host else host
    place = bracketed if port in (None, _PORTS[scheme]) else f"{bracketed}:{port}"
    path = quote(split.path, safe="/%:@!$&'()*+,;=~-._") or "/"
    query = quote(split.query, safe="/%:@!$&'()*+,;=~-._?[]")
    return urlunsplit((scheme, place, path, query, "")), host


def _web(text: str) -> Link:
    url, host = address(text)
    split = urlsplit(url)
    if host in _SPOTIFY_SHORT:
        raise LinkRejected("This is a short link; open it in a browser and paste the address that it leads to.")
    if host in _SPOTIFY_HOSTS:
        return _spotify([part for part in split.path.split("/") if part])
    if any(host == known or host.endswith(f".{known}") for known in VIDEO_HOSTS):
        return _video(host, url, split)
    return Link("audio", url, name=unquote(split.path.rsplit("/", 1)[-1]) or host)


def _host(split: SplitResult) -> str:
    """Return the host in lower case, in its ASCII form. Raises ValueError where there is none."""
    host = (split.hostname or "").rstrip(".")
    if not host or host.startswith("."):
        raise ValueError("no host")
    if ":" in host:
        return host
    ascii_form = host.encode("idna").decode("ascii")
    if not re.fullmatch(r"[a-z0-9_.-]+", ascii_form):
        raise ValueError("no host")
    return ascii_form


def _spotify(parts: list[str]) -> Link:
    """Read `track/ID` and the like, with a region, `embed` or an owner in front."""
    while parts and (_REGION.fullmatch(parts[0]) or parts[0].lower() == "embed"):
        parts = parts[1:]
    if len(parts) == 4 and parts[0].lower() == "user":
        parts = parts[2:]
    what = parts[0].lower() if parts else ""
    if what not in ("track", "album", "playlist"):
        if what in ("artist", "show", "episode", "user", "collection"):
            raise LinkRejected(f"This link names Spotify's {what}; paste one of a track, an album or a playlist.")
        raise LinkRejected("This link of Spotify names no track, album or playlist.")
    name = parts[1].split("?")[0] if len(parts) == 2 else ""
    if not _SPOTIFY_ID.fullmatch(name):
        raise LinkRejected(f"The {what} in this link of Spotify is damaged; copy the link again.")
    shown: What = "track" if what == "track" else "album" if what == "album" else "playlist"
    return Link("spotify", f"https://open.spotify.com/{shown}/{name}", shown, name, f"Spotify {shown} {name}")


def _video(host: str, url: str, split: SplitResult) -> Link:
    """Return a video's page; one of YouTube in its shortest full form, without list and time."""
    parts = [part for part in split.path.split("/") if part]
    if host == "youtu.be":
        video = parts[0] if parts else ""
    elif "youtube" not in host:
        if not parts and host in VIDEO_HOSTS:
            raise LinkRejected("This link names the site, not a piece of music on it.")
        return Link("video", url, name=unquote(parts[-1]) if parts else host)
    elif parts[:1] == ["playlist"]:
        return Link("video", url, name="YouTube playlist")
    elif len(parts) == 2 and parts[0] in ("shorts", "live", "embed", "v"):
        video = parts[1]
    else:
        video = parse_qs(split.query).get("v", [""])[0]
    if not _YOUTUBE_ID.fullmatch(video):
        raise LinkRejected("This link of YouTube names no video.")
    return Link("video", f"https://www.youtube.com/watch?v={video}", id=video, name=f"YouTube {video}")
