// Keeps the shell of the page: the document and its files, never what the server says. With the server there, the document
// comes from it, so a new version shows at the next opening; without it, the kept one opens and says what is missing.

const SHELF = 'shell-1';
const MOST = 40;

self.addEventListener('install', (event) => {
  event.waitUntil(keepShell().then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== SHELF).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== 'GET' || url.origin !== self.location.origin || url.search) return;
  if (event.request.mode === 'navigate' && url.pathname === '/') event.respondWith(document_(event.request));
  else if (url.pathname.startsWith('/assets/')) event.respondWith(file(event.request));
});

/** The document and every file it names. */
async function keepShell() {
  const shelf = await caches.open(SHELF);
  const answer = await fetch('/', { cache: 'no-store' });
  if (!answer.ok) return;
  const text = await answer.clone().text();
  await shelf.put('/', answer);
  const files = [...text.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((found) => found[1]);
  await Promise.all(files.map((path) => shelf.add(path).catch(() => undefined)));
}

async function document_(request) {
  try {
    const answer = await fetch(request);
    if (answer.ok && !answer.redirected) {
      const shelf = await caches.open(SHELF);
      const known = await shelf.match('/');
      if (!known || (await known.text()) !== (await answer.clone().text())) void keepShell();
    }
    return answer;
  } catch (error) {
    const kept = await caches.match('/');
    if (kept) return kept;
    throw error;
  }
}

/** Files are named by their content: one that is kept is right. */
async function file(request) {
  const kept = await caches.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) {
    const shelf = await caches.open(SHELF);
    await shelf.put(request, answer.clone());
    const keys = await shelf.keys();
    for (const old of keys.slice(0, Math.max(0, keys.length - MOST))) if (new URL(old.url).pathname !== '/') await shelf.delete(old);
  }
  return answer;
}
