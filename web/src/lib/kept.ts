// What this tab of the browser looks like, kept for a reload of it: which decks are shown, how tall the library is. Nothing
// of the show.

/** What was kept under `name`, if it is one of `known`; else `otherwise`. */
export function kept<T extends string>(name: string, known: readonly T[], otherwise: T): T {
  try {
    const found = sessionStorage.getItem(name);
    return known.find((one) => one === found) ?? otherwise;
  } catch {
    return otherwise; // a browser that keeps nothing
  }
}

export function keep(name: string, value: string): void {
  try {
    sessionStorage.setItem(name, value);
  } catch {
    // then a reload begins afresh
  }
}
