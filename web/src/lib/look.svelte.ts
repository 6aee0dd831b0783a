// How this page looks and which view it shows: the theme is kept in this browser, the view in the address
// (`#pads`, `#track/ID`), so that a reload, a bookmark and the back button find it.

export const VIEWS = ['play', 'practice', 'pads', 'setlist', 'library', 'system'] as const;
/** Views that the list of views does not name: a track's analysis, the stage screen. */
const MORE = ['track', 'stage'] as const;
export type View = (typeof VIEWS)[number] | (typeof MORE)[number];
type Theme = 'dark' | 'light';
const KEPT = 'theme';

function kept(): Theme {
  try {
    return localStorage.getItem(KEPT) === 'light' ? 'light' : 'dark';
  } catch {
    return 'dark'; // a browser that keeps nothing
  }
}

/** View and what it is about, from the address. */
function named(): [View, string] {
  const [name, ...rest] = location.hash.slice(1).split('/');
  const view = [...VIEWS, ...MORE].find((one) => one === name) ?? 'play';
  let detail = '';
  try {
    detail = decodeURIComponent(rest.join('/'));
  } catch {
    // a broken address: then it is about nothing
  }
  return [view, detail];
}

class Look {
  theme: Theme = $state(kept());
  view: View = $state(named()[0]);
  /** What the view is about, such as a track's id. */
  detail: string = $state(named()[1]);

  constructor() {
    document.documentElement.dataset['theme'] = this.theme;
    window.addEventListener('hashchange', () => ([this.view, this.detail] = named()));
  }

  go(view: View, detail = ''): void {
    this.view = view;
    this.detail = detail;
    const hash = `#${view}${detail ? `/${encodeURIComponent(detail)}` : ''}`;
    if (location.hash !== hash) history.pushState(null, '', hash);
  }

  toggleTheme(): void {
    this.theme = this.theme === 'dark' ? 'light' : 'dark';
    document.documentElement.dataset['theme'] = this.theme;
    try {
      localStorage.setItem(KEPT, this.theme);
    } catch {
      // then it is dark again next time
    }
  }
}

export const look = new Look();
