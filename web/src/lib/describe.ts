// What a control is, in the language of the page. The registry describes it in English, with its deck, stem or pad in the
// sentence; a book has each sentence once, with braces in their place. What no book has stays English.

import { knows, t, voice } from './tongue.svelte';

/** Names that may stand in a description: where the path says which it is, and the word before it in the sentence. */
const NAMED: readonly (readonly [name: string, path: RegExp, word: string])[] = [
  ['cue', /\/hotcue\/(\d+)/, 'hot cue'],
  ['fx', /\/fx\/(\d+)/, 'effect'],
  ['param', /\/param\/(\d+)/, '[Pp]arameter'],
  ['deck', /^\/deck\/(\d+)/, '[Dd]eck'],
  ['pad', /^\/(?:pad|sequencer\/pattern)\/(\d+)/, 'pad'],
  ['step', /^\/sequencer\/step\/(\d+)/, 'step'],
];

/** A description as the books have it, and what stands in its braces. Pure. */
export function generalised(path: string, description: string): [sentence: string, values: Record<string, string>] {
  let sentence = description;
  const values: Record<string, string> = {};
  for (const [name, where, word] of NAMED) {
    const number = where.exec(path)?.[1];
    if (!number) continue;
    const next = sentence.replace(new RegExp(`\\b(${word}) ${number}\\b`, 'g'), `$1 {${name}}`);
    if (next !== sentence) values[name] = number;
    sentence = next;
  }
  const stem = /^\/deck\/\d+\/stem\/(\w+)/.exec(path)?.[1];
  if (stem && sentence.includes(`the ${stem} on`)) {
    sentence = sentence.replaceAll(`the ${stem} on`, 'the {stem} on');
    values['stem'] = stem;
  }
  const bus = /^Arm (\w+):/.exec(sentence)?.[1];
  if (bus) {
    sentence = sentence.replace(`Arm ${bus}:`, 'Arm {bus}:');
    values['bus'] = bus;
  }
  return [sentence, values];
}

/** What a control is, for whoever looks at it. */
export function described(path: string, description: string): string {
  if (voice.tongue === 'en') return description;
  const [sentence, values] = generalised(path, description);
  if (!knows(sentence)) return description;
  if (values['stem']) values['stem'] = t(values['stem'].charAt(0).toUpperCase() + values['stem'].slice(1));
  return t(sentence, values);
}
