"""What all XML formats here share: text that XML can hold, and a tree as bytes.

Owner: nobody. Units: none.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, indent, tostring


def clean(text: str) -> str:
    """Return the text without the characters that XML 1.0 cannot hold."""
    return "".join(c for c in text if _is_allowed(c))


def to_bytes(root: Element) -> bytes:
    """Return the tree as an indented UTF-8 document; attributes and texts must be `clean`."""
    indent(root)
    document: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return document


def _is_allowed(c: str) -> bool:
    return c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
