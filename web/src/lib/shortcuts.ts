// Keys of the most used deeds. A key that is typed into a field, or meant for what has the focus, is not one of them.

import type { Show } from './show.svelte';

interface Shortcut {
  key: string;
  /** What it does, as a sentence that `t` knows, and what stands in its braces. */
  deed: string;
  of: Readonly<Record<string, number>>;
  act: (show: Show) => void;
}

const HANDS: [deck: number, play: string, cue: string, sync: string, loop: string, jumps: [string, string], hot: string[]][] = [
  [1, 'a', 's', 'd', 'f', ['z', 'x'], ['1', '2', '3', '4']],
  [2, 'k', 'l', 'j', 'h', ['n', 'm'], ['7', '8', '9', '0']],
];

export const SHORTCUTS: readonly Shortcut[] = HANDS.flatMap(([deck, play, cue, sync, loop, jumps, hot]) => {
  const at = `/deck/${deck}`;
  return [
    { key: play, deed: 'Play or pause deck {deck}', of: { deck }, act: (show: Show) => show.toggle(`${at}/play`) },
    { key: cue, deed: 'Return deck {deck} to its cue', of: { deck }, act: (show: Show) => tap(show, `${at}/cue`) },
    { key: sync, deed: 'Sync deck {deck}', of: { deck }, act: (show: Show) => show.toggle(`${at}/sync`) },
    { key: loop, deed: 'Loop of deck {deck} on or off', of: { deck }, act: (show: Show) => show.trigger(`${at}/loop/reloop`) },
    { key: jumps[0], deed: 'Deck {deck} four beats back', of: { deck }, act: (show: Show) => show.act(`${at}/beatjump`, -4) },
    { key: jumps[1], deed: 'Deck {deck} four beats on', of: { deck }, act: (show: Show) => show.act(`${at}/beatjump`, 4) },
    ...hot.map((key, index) => ({
      key,
      deed: 'Hot cue {number} of deck {deck}',
      of: { deck, number: index + 1 },
      act: (show: Show) => tap(show, `${at}/hotcue/${index + 1}/go`),
    })),
  ];
});

function tap(show: Show, path: string): void {
  show.act(path, 1);
  show.act(path, 0);
}

/** The shortcut that `event` asks for, or undefined. */
export function shortcutOf(event: KeyboardEvent): Shortcut | undefined {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.defaultPrevented) return undefined;
  if (event.target instanceof Element && event.target.closest('input, select, textarea, dialog, [role=dialog]')) return undefined;
  return SHORTCUTS.find((one) => one.key === event.key.toLowerCase());
}
