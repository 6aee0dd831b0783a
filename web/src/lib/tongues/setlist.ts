// What the page says of transitions and of the time until the next: English, then German and Japanese.

import type { Pairs } from './books';

export const SETLIST: Pairs = {
  '{beats} beats': ['{beats} Schläge', '{beats}拍'],
  'Until the set goes on': ['Bis das Set weitergeht', '次の曲に移るまで'],
  'Goes on in': ['Weiter in', '次まで'],
  'Hear the transition': ['Übergang hören', 'つなぎを聴く'],
  'Hear how the set goes over into {title}': ['Hören, wie das Set zu {title} übergeht', '{title} へのつなぎを聴く'],
  'Stop the transition into {title}': ['Übergang zu {title} beenden', '{title} へのつなぎを止める'],
  'The transition into {title} is being made; press to leave it': ['Der Übergang zu {title} wird gerade gespielt; Druck bricht ab', '{title} へのつなぎを作成中。押すと中止します'],
  'The server plays it into this page, not into the show': ['Der Server spielt ihn in diese Seite, nicht in die Show', 'ショーには流れず、このページだけで鳴ります'],
  Transition: ['Übergang', 'つなぎ'],
};
