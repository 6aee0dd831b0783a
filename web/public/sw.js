// Keeps the shell of the page: the document and its files, never what the server says. With the server there, the document
// comes from it; without it, or where it says nothing for PATIENCE_MS, the kept one opens and says what is missing.

const SHELF = 'shell-2';
const MOST = 40;
const PATIENCE_MS = 4000;
/** Addresses that are this page; `/stage` is a view of it. */
const PLACES = ['/', '/stage'];

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
  if (event.request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (event.request.mode === 'navigate' && PLACES.includes(url.pathname)) event.respondWith(document_(event, url));
  else if (url.search) return;
  else if (url.pathname.startsWith('/assets/')) event.respondWith(file(event.request));
  else if (/^\/[^/]+\.(png|svg|webmanifest)$/.test(url.pathname)) event.respondWith(freshOrKept(event.request));
});

/** Keep the document and every file it names: all of them or none, since half a shell opens as an empty page. */
async function keepShell() {
  const answer = await fetch('/', { cache: 'no-store' });
  if (!answer.ok) return;
  const text = await answer.clone().text();
  const paths = [...new Set([...text.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((found) => found[1]))];
  const files = await Promise.all(paths.map(async (path) => [path, await fetch(path)]));
  if (files.some(([, found]) => !found.ok)) return;
  const shelf = await caches.open(SHELF);
  await Promise.all(files.map(([path, found]) => shelf.put(path, found)));
  await shelf.put('/', answer);
}

/** The document from the server, else the kept one. */
async function document_(event, url) {
  const asked = fetch(event.request);
  const kept = await (await caches.open(SHELF)).match('/');
  if (!kept) return asked;
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  const answer = await Promise.race([asked.catch(() => undefined), late]);
  if (answer === undefined) return url.pathname === '/' ? kept : Response.redirect(`/#${url.pathname.slice(1)}`);
  if (answer.ok && !answer.redirected && url.pathname === '/' && !url.search) event.waitUntil(renew(kept, answer.clone()));
  return answer;
}

async function renew(kept, answer) {
  if ((await kept.text()) !== (await answer.text())) await keepShell().catch(() => undefined); // another time, then
}

/** Files of the build are named by their content: one that is kept is right. */
async function file(request) {
  const shelf = await caches.open(SHELF);
  const kept = await shelf.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) {
    await shelf.put(request, answer.clone());
    const keys = (await shelf.keys()).filter((key) => new URL(key.url).pathname.startsWith('/assets/'));
    for (const old of keys.slice(0, Math.max(0, keys.length - MOST))) await shelf.delete(old);
  }
  return answer;
}

/** Icons and the manifest. */
async function freshOrKept(request) {
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await (await caches.open(SHELF)).match(request);
    if (kept) return kept;
    throw error;
  }
}
