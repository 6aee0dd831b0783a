// How this page looks and which view it shows: the theme is kept in this browser, the view in the address.

export const VIEWS = ['play', 'practice', 'library'] as const;
export type View = (typeof VIEWS)[number];
type Theme = 'dark' | 'light';
const KEPT = 'theme';

function kept(): Theme {
  try {
    return localStorage.getItem(KEPT) === 'light' ? 'light' : 'dark';
  } catch {
    return 'dark'; // a browser that keeps nothing
  }
}

function named(): View {
  return VIEWS.find((view) => `#${view}` === location.hash) ?? 'play';
}

class Look {
  theme: Theme = $state(kept());
  view: View = $state(named());

  constructor() {
    document.documentElement.dataset['theme'] = this.theme;
    window.addEventListener('hashchange', () => (this.view = named()));
  }

  go(view: View): void {
    this.view = view;
    if (location.hash !== `#${view}`) history.pushState(null, '', `#${view}`);
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
