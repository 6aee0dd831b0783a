"""What the published schema of DAWproject 1.0 (Project.xsd, MetaData.xsd) asks of the elements that we write.

A table of our own, after the schema: for each element its children in order (`?` may be missing, `*` may come often),
the attributes that must be there, and the form of attributes that have one. Anything that is not named is a fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element

_NAMED = ("name", "color", "comment")
_REFERRED = (*_NAMED, "id")
_LINE = (*_REFERRED, "timeUnit", "track")
_NUMBER = r"-?\d+(\.\d+)?"
_TIME_UNITS = "beats|seconds"


@dataclass(frozen=True)
class Rule:
    children: tuple[str, ...] = ()
    must: tuple[str, ...] = ()
    may: tuple[str, ...] = ()


RULES = {
    "Project": Rule(("Application", "Transport?", "Structure?", "Arrangement?", "Scenes?"), ("version",)),
    "Application": Rule((), ("name", "version")),
    "Transport": Rule(("Tempo?", "TimeSignature?")),
    "Tempo": Rule((), ("unit",), ("max", "min", "value", "parameterID", *_REFERRED)),
    "TimeSignature": Rule((), ("numerator", "denominator"), ("parameterID", *_REFERRED)),
    "Structure": Rule(("Track*",)),
    "Track": Rule(("Channel?", "Track*"), (), ("contentType", "loaded", *_REFERRED)),
    "Channel": Rule(
        ("Devices?", "Mute?", "Pan?", "Sends?", "Volume?"), (),
        ("audioChannels", "destination", "role", "solo", *_REFERRED),
    ),
    "Mute": Rule((), (), ("value", "parameterID", *_REFERRED)),
    "Pan": Rule((), ("unit",), ("max", "min", "value", "parameterID", *_REFERRED)),
    "Volume": Rule((), ("unit",), ("max", "min", "value", "parameterID", *_REFERRED)),
    "Arrangement": Rule(("Lanes?", "Markers?", "TempoAutomation?", "TimeSignatureAutomation?"), (), _REFERRED),
    "Lanes": Rule(("Lanes*", "Clips*"), (), _LINE),
    "Clips": Rule(("Clip*",), (), _LINE),
    "Clip": Rule(
        ("Warps?", "Audio?"), ("time",), ("duration", "contentTimeUnit", "playStart", "playStop", *_NAMED),
    ),
    "Warps": Rule(("Audio", "Warp", "Warp*"), ("contentTimeUnit",), _LINE),
    "Warp": Rule((), ("time", "contentTime")),
    "Audio": Rule(("File",), ("channels", "sampleRate", "duration"), ("algorithm", *_LINE)),
    "File": Rule((), ("path",), ("external",)),
    "Markers": Rule(("Marker", "Marker*"), (), _LINE),
    "Marker": Rule((), ("time",), _NAMED),
    "MetaData": Rule(
        ("Title?", "Artist?", "Album?", "OriginalArtist?", "Composer?", "Songwriter?", "Producer?", "Arranger?",
         "Year?", "Genre?", "Copyright?", "Website?", "Comment?"),
    ),
    **{tag: Rule() for tag in ("Title", "Artist", "Album", "Year", "Genre")},
}  # fmt: skip

FORMS = {
    "time": _NUMBER, "contentTime": _NUMBER, "duration": _NUMBER, "playStart": _NUMBER, "playStop": _NUMBER,
    "channels": r"\d+", "sampleRate": r"\d+", "audioChannels": r"\d+", "numerator": r"\d+", "denominator": r"\d+",
    "solo": "true|false", "loaded": "true|false", "timeUnit": _TIME_UNITS, "contentTimeUnit": _TIME_UNITS,
    "unit": "linear|normalized|percent|decibel|hertz|semitones|seconds|beats|bpm",
    "role": "regular|master|effect|submix|vca", "id": r"[A-Za-z_][\w.-]*", "color": "#[0-9A-Fa-f]{6}",
    "contentType": r"((audio|automation|notes|video|markers|tracks) ?)+",
}  # fmt: skip


def faults(root: Element) -> list[str]:
    """Return what is not as the schema asks, in words."""
    found: list[str] = []
    known = [element.get("id") for element in root.iter() if element.get("id")]
    found += [f"id {name} twice" for name in {name for name in known if known.count(name) > 1}]
    for element in root.iter():
        rule = RULES.get(element.tag)
        if rule is None:
            found.append(f"{element.tag} is not known")
            continue
        order = "".join(f"{child.tag} " for child in element)
        wanted = "".join(f"({child.rstrip('?*')} ){child[-1] if child[-1] in '?*' else ''}" for child in rule.children)
        if not re.fullmatch(wanted, order):
            found.append(f"{element.tag} holds {order or 'nothing'}")
        found += [f"{element.tag} has no {name}" for name in rule.must if name not in element.attrib]
        for name, value in element.attrib.items():
            if name not in (*rule.must, *rule.may):
                found.append(f"{element.tag} has {name}")
            elif name in FORMS and not re.fullmatch(FORMS[name], value):
                found.append(f"{element.tag} has {name}={value}")
            elif name in ("track", "destination") and value not in known:
                found.append(f"{element.tag} names {value}, which is nowhere")
    return found
