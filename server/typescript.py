"""Writes `web/src/protocol.ts` from `server/protocol.py`, so that both ends speak one language.

Owner: run by hand (`python -m server.typescript`) after a change of the protocol; a test fails when the file is stale.
Units: numbers get a branded type where their name says which unit they carry.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

from msgspec import inspect as shape

from server import protocol

TARGET: Final = Path(__file__).resolve().parent.parent / "web" / "src" / "protocol.ts"
"""The generated file."""

BRANDS: Final = {
    "position": "Seconds",
    "frame": "Frames",
    "at": "Frames",
    "rev": "Revision",
    "latency_ms": "Milliseconds",
    "limiter_db": "Decibels",
}
"""Branded number type of a field, by the field's name."""

_HEADER: Final = """\
// Generated from server/protocol.py by `python -m server.typescript`. Do not edit: a test fails when it is stale.

declare const unit: unique symbol;
type Branded<Name extends string> = number & { readonly [unit]?: Name };
"""

_CHECKS: Final = """\
export type Shape = 'number' | 'string' | 'boolean' | 'bytes' | 'list' | 'map' | 'any';

/** Whether `value` has the shape that a field of a message asks for. */
function fits(value: unknown, wanted: Shape): boolean {
  switch (wanted) {
    case 'any':
      return true;
    case 'bytes':
      return value instanceof Uint8Array;
    case 'list':
      return Array.isArray(value);
    case 'map':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return typeof value === wanted;
  }
}

/** Return `data` as a message of the server, or null where it is none this page knows. Unknown fields are ignored. */
export function asServerMessage(data: unknown): ServerMessage | null {
  if (typeof data !== 'object' || data === null) return null;
  const message = data as Record<string, unknown>;
  const type = message['type'];
  if (typeof type !== 'string' || !Object.hasOwn(SERVER_SHAPES, type)) return null;
  const fields = SERVER_SHAPES[type as ServerMessage['type']];
  for (const [name, wanted] of Object.entries(fields)) {
    if (!fits(message[name], wanted)) return null;
  }
  return data as ServerMessage;
}
"""


def _type_name(struct: shape.StructType) -> str:
    """Return the TypeScript name: tagged messages end in `Message`, since `Set` and `Error` are taken there."""
    name = struct.cls.__name__
    return name if struct.tag is None else f"{name}Message"


def _spell(kind: shape.Type, field: str = "") -> str:
    """Return `kind` in TypeScript. Raises TypeError for a type the protocol has not used before."""
    match kind:
        case shape.IntType() | shape.FloatType():
            return BRANDS.get(field, "number")
        case shape.StrType():
            return "string"
        case shape.BoolType():
            return "boolean"
        case shape.BytesType():
            return "Uint8Array"
        case shape.NoneType():
            return "null"
        case shape.ListType(item_type=item):
            inner = _spell(item)
            return f"({inner})[]" if " | " in inner else f"{inner}[]"
        case shape.TupleType(item_types=items):
            return f"[{', '.join(_spell(item) for item in items)}]"
        case shape.DictType(value_type=value):
            return f"Record<string, {_spell(value)}>"
        case shape.StructType():
            return _type_name(kind)
        case shape.UnionType(types=types):
            parts = list(dict.fromkeys(_spell(part, field) for part in types))
            return "Value" if parts == ["boolean", "number", "string"] else " | ".join(parts)
        case _:
            raise TypeError(f"no TypeScript for {kind!r}; teach server/typescript.py the type")


def _check_name(kind: shape.Type) -> str:
    """Return the run-time check of a field, a `Shape` of the generated file."""
    match kind:
        case shape.IntType() | shape.FloatType():
            return "number"
        case shape.StrType():
            return "string"
        case shape.BoolType():
            return "boolean"
        case shape.BytesType():
            return "bytes"
        case shape.ListType():
            return "list"
        case shape.DictType() | shape.StructType():
            return "map"
        case _:
            return "any"


def _comment(text: str | None, indent: str = "") -> str:
    line = " ".join((text or "").split())
    return f"{indent}/** {line} */\n" if line else ""


def _interface(struct: shape.StructType, from_client: bool) -> str:
    """Return one interface. Fields with a default may be left out by a page; a server always writes them."""
    lines = [_comment(struct.cls.__doc__), f"export interface {_type_name(struct)} {{\n"]
    if struct.tag is not None:
        lines.append(f"  {struct.tag_field}: '{struct.tag}';\n")
    for field in struct.fields:
        mark = "" if field.required or not from_client else "?"
        lines.append(f"  {field.encode_name}{mark}: {_spell(field.type, field.name)};\n")
    lines.append("}\n")
    return "".join(lines)


def _structs(kind: shape.Type) -> Iterator[shape.StructType]:
    """Yield the plain structs that `kind` mentions, inner ones first."""
    match kind:
        case shape.StructType():
            for field in kind.fields:
                yield from _structs(field.type)
            yield kind
        case shape.ListType(item_type=item):
            yield from _structs(item)
        case shape.DictType(value_type=value):
            yield from _structs(value)
        case shape.UnionType(types=types):
            for part in types:
                yield from _structs(part)


def _messages(union: object) -> list[shape.StructType]:
    found = [shape.type_info(cls) for cls in get_args(union)]
    return [struct for struct in found if isinstance(struct, shape.StructType)]


def generate() -> str:
    """Return the text of `protocol.ts`."""
    client, server = _messages(protocol.ClientMessage), _messages(protocol.ServerMessage)
    brands = "\n".join(f"export type {name} = Branded<'{name}'>;" for name in dict.fromkeys(BRANDS.values()))
    parts = [_HEADER, f"{brands}\n"]
    doc = _comment("Version both ends name in hello and welcome.")
    parts.append(f"{doc}export const PROTOCOL_VERSION = {protocol.PROTOCOL_VERSION};\n")
    parts.append("/** What a control holds. */\nexport type Value = boolean | number | string;\n")
    written: set[type] = set()
    for messages, from_client in ((client, True), (server, False)):
        for message in messages:
            for struct in _structs(message):
                if struct.cls not in written:
                    written.add(struct.cls)
                    parts.append(_interface(struct, from_client))
    for name, messages in (("ClientMessage", client), ("ServerMessage", server)):
        members = "".join(f"\n  | {_type_name(message)}" for message in messages)
        parts.append(f"export type {name} ={members};\n")
    rows = []
    for message in server:
        fields = ", ".join(f"{field.encode_name}: '{_check_name(field.type)}'" for field in message.fields)
        rows.append(f"  {message.tag}: {{ {fields} }},\n")
    table = "".join(rows)
    parts.append(
        "/** What each message of the server must carry, checked before the page believes it. */\n"
        f"const SERVER_SHAPES: Record<ServerMessage['type'], Record<string, Shape>> = {{\n{table}}};\n"
    )
    parts.append(_CHECKS)
    return "\n".join(parts)


def main() -> int:
    """Write the file; say whether it changed."""
    text = generate()
    stale = not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != text
    if stale:
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET}: {'written' if stale else 'was up to date'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
