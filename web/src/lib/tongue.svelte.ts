// What the page says, in the language of whoever looks at it. English stands in the code and is the key; the other
// languages stand in `tongues/`, and a test fails where one lacks a sentence. The choice is kept in this browser.

import { de, ja } from './tongues/books';

export const TONGUES = { en: 'English', de: 'Deutsch', ja: '日本語' } as const;
export type Tongue = keyof typeof TONGUES;
const BOOKS: Record<Exclude<Tongue, 'en'>, Readonly<Record<string, string>>> = { de, ja };
const KEPT = 'language';

function known(name: string | null | undefined): Tongue | undefined {
  const found = (name ?? '').slice(0, 2).toLowerCase();
  return found in TONGUES ? (found as Tongue) : undefined;
}

/** The language somebody chose here, else the first of the browser's that the page has, else English. */
function first(): Tongue {
  let kept: string | null = null;
  try {
    kept = localStorage.getItem(KEPT);
  } catch {
    // a browser that keeps nothing
  }
  const wishes = typeof navigator === 'undefined' ? [] : navigator.languages;
  return known(kept) ?? wishes.map(known).find((wish) => wish !== undefined) ?? 'en';
}

class Voice {
  tongue: Tongue = $state(first());

  constructor() {
    this.#tell();
  }

  choose(tongue: Tongue): void {
    this.tongue = tongue;
    this.#tell();
    try {
      localStorage.setItem(KEPT, tongue);
    } catch {
      // then it is the browser's own again next time
    }
  }

  #tell(): void {
    if (typeof document !== 'undefined') document.documentElement.lang = this.tongue;
  }
}

export const voice = new Voice();

/** Put `values` where the sentence has their names in braces. Pure. */
export function filled(sentence: string, values: Readonly<Record<string, string | number>>): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

/** The sentence in the chosen language, with `values` in it. */
export function t(sentence: string, values: Readonly<Record<string, string | number>> = {}): string {
  const found = voice.tongue === 'en' ? sentence : (BOOKS[voice.tongue][sentence] ?? sentence);
  return filled(found, values);
}

/** Whether the chosen language has the sentence; English has every one. */
export function knows(sentence: string): boolean {
  return voice.tongue !== 'en' && sentence in BOOKS[voice.tongue];
}
