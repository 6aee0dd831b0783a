// What the page says of takes: English, then German and Japanese.

import type { Pairs } from './books';

export const TAKES: Pairs = {
  Takes: ['Takes', 'テイク'],
  'Take of {when}': ['Take vom {when}', '{when} のテイク'],
  'Record along': ['Mitspielen aufnehmen', '一緒に録音'],
  'Stop recording': ['Aufnahme beenden', '録音を止める'],
  'What you play now is kept': ['Was du jetzt spielst, bleibt', '今の演奏を録っています'],
  'Ready: start the song and play along': ['Bereit: Starte das Stück und spiel mit', '準備完了：曲を再生して一緒に弾いてください'],
  'Each pass of a loop becomes a take of its own, in time with the song': ['Jeder Durchgang eines Loops wird ein eigener Take, im Takt des Stücks', 'ループの1回ごとに、曲と揃ったテイクになります'],
  'The take beside the song': ['Der Take neben dem Stück', '曲と一緒に鳴るテイク'],
  'Volume of the take on deck {deck}': ['Lautstärke des Takes auf Deck {deck}', 'デッキ{deck}のテイクの音量'],
  'Pan of the take on deck {deck}': ['Panorama des Takes auf Deck {deck}', 'デッキ{deck}のテイクのパン'],
  'Mute the take on deck {deck}': ['Mute des Takes auf Deck {deck}', 'デッキ{deck}のテイクをミュート'],
  'Takes, the newest first': ['Takes, die neuesten zuerst', 'テイク（新しい順）'],
  'The chosen take plays beside the song, through loops and at every speed': ['Der gewählte Take spielt neben dem Stück, durch Loops und in jedem Tempo', '選んだテイクはループ中もどの速さでも曲と一緒に鳴ります'],
  'Plays along': ['Spielt mit', '一緒に再生'],
  Choose: ['Wählen', '選ぶ'],
  'Stop listening to {name}': ['{name} nicht mehr hören', '{name} の試聴を止める'],
  'Listen to {name} here, alone': ['{name} hier allein hören', '{name} をここで単独で聴く'],
  'Listen to it here, alone': ['Hier allein hören', 'ここで単独で聴く'],
  Mute: ['Mute', 'ミュート'],
  Listen: ['Hören', '試聴'],
  'Name of {name}': ['Name von {name}', '{name} の名前'],
  'Download {name}': ['{name} herunterladen', '{name} をダウンロード'],
  'Delete {name}': ['{name} löschen', '{name} を削除'],
  'The eight newest stay; a name or the choice keeps a take for good.': ['Die acht neuesten bleiben; mit Namen oder gewählt bleibt ein Take für immer.', '新しい8件が残ります。名前を付けるか選んだテイクは消えません。'],
  'Nothing was played along with this song yet.': ['Zu diesem Stück wurde noch nichts mitgespielt.', 'この曲ではまだ何も録っていません。'],
  'Delete this take?': ['Diesen Take löschen?', 'このテイクを削除しますか？'],
  '{name} is deleted from the disk.': ['{name} wird von der Platte gelöscht.', '{name} をディスクから削除します。'],
};
