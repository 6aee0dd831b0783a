// The text of a setlist under the hand: entries in another order, one more, one less. Only whole blocks move, so what
// somebody wrote by hand, comments included, stays as it was. Lines count from 1, as the server tells them. Pure.

interface Cut {
  head: string[];
  /** One block of lines an entry, with the comment right above it. */
  blocks: string[][];
}

/** Take a text apart at its entries; `starts` are the lines of their `[[entry]]`. */
function cut(text: string, starts: readonly number[]): Cut {
  const lines = text.split('\n');
  const begins = starts.map((line) => {
    let begin = line - 1;
    while (begin > 0 && lines[begin - 1]?.trimStart().startsWith('#')) begin -= 1;
    return begin;
  });
  const blocks = begins.map((begin, index) => lines.slice(begin, begins[index + 1] ?? lines.length));
  return { head: lines.slice(0, begins[0] ?? lines.length), blocks };
}

/** Put a text together again, one blank line between blocks. */
function joined({ head, blocks }: Cut): string {
  const parts = [head, ...blocks].map((part) => part.join('\n').trim()).filter((part) => part !== '');
  return `${parts.join('\n\n')}\n`;
}

/** The text with the entry at `from` standing at `to`, both from 0. */
export function reordered(text: string, starts: readonly number[], from: number, to: number): string {
  const parts = cut(text, starts);
  const [moved] = parts.blocks.splice(from, 1);
  if (moved) parts.blocks.splice(to, 0, moved);
  return joined(parts);
}

/** The text without the entry at `index`. */
export function without(text: string, starts: readonly number[], index: number): string {
  const parts = cut(text, starts);
  parts.blocks.splice(index, 1);
  return joined(parts);
}

/** The text with one more entry at its end. */
export function withEntry(text: string, track: string): string {
  return `${text.trimEnd()}\n\n[[entry]]\ntrack = ${quoted(track)}\n`;
}

/** A setlist that begins with one track. */
export function fresh(title: string, track: string): string {
  return withEntry(`title = ${quoted(title)}`, track);
}

/** A text as TOML writes it. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(/\x7f/g, '\\u007f');
}
