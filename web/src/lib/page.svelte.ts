// The page as one thing: the connection, and what is fed by it. Components import `page` and draw.

import type { EngineStatus, LearnChangedMessage, Peer, Seconds, ServerMessage } from '../protocol';
import { Listen } from '../audio/listen.svelte';
import { Preview } from '../audio/preview.svelte';
import * as api from './api';
import { Batches } from './batches.svelte';
import { Connection, type Link } from './connection';
import { type Control } from './controls';
import { Insights } from './insight.svelte';
import { Library, sentence } from './library.svelte';
import { Pulse } from './pulse.svelte';
import { Playlists } from './playlists.svelte';
import { Rehearsal } from './rehearsal.svelte';
import { Renewal, browserHouse } from './renewal.svelte';
import { Setlists } from './setlists.svelte';
import { Show, type Refusal } from './show.svelte';
import { SvelteMap } from 'svelte/reactivity';
import { Takes } from './takes.svelte';
import { Telemetry } from './telemetry';
import { t } from './tongue.svelte';
import { Traces } from './traces.svelte';
import { Undo } from './undo.svelte';
import { Toasts, level } from './toasts.svelte';

/** The engine's numbers are redrawn this often; its meters are drawn from `telemetry` instead. */
const ENGINE_MS = 300;

export class Page {
  link: Link = $state('connecting');
  linkReason = $state('');
  roundTripMs = $state(0);
  version = $state('');
  engine: EngineStatus | null = $state.raw(null);
  /** Where the decks are, told often enough to be read aloud; what moves on the screen asks `telemetry`. */
  places: Seconds[] = $state.raw([]);
  registry: Map<string, Control> = $state.raw(new Map());
  /** Nobody answers, and nobody has since this page was opened: it is the kept shell of an earlier visit. */
  offline = $state(false);
  /** Why the page cannot be used, such as a login that is missing. */
  locked = $state('');
  peers: Peer[] = $state.raw([]);
  /** MIDI learn: whether touches choose a control, and which one waits for the hardware. */
  learning = $state(false);
  learnPath = $state('');
  /** Where stems can be heard, by track: stretches in seconds. */
  readonly ready = new SvelteMap<string, [number, number][]>();
  readonly telemetry = new Telemetry();
  readonly toasts = new Toasts();
  readonly undo = new Undo((error, what) => this.failed(error, what));
  readonly library: Library;
  readonly batches = new Batches();
  readonly insights = new Insights();
  readonly setlists = new Setlists();
  readonly traces = new Traces();
  readonly pulse = new Pulse();
  readonly takes = new Takes();
  readonly playlists: Playlists;
  readonly listen: Listen;
  readonly preview = new Preview((message) => this.toasts.say('error', message, t('Listen')));
  readonly rehearsal = new Rehearsal(this.preview);
  readonly show: Show;
  readonly renewal = new Renewal(
    browserHouse(() => this.learning || this.listen.wanted || this.library.uploads.some((one) => one.state !== 'failed')),
  );
  readonly #connection: Connection;
  #engineAt = 0;
  #registryAsked = false;

  constructor() {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    this.#connection = new Connection(`${scheme}://${location.host}/ws/live`, {
      onMessage: (message) => this.#hear(message),
      onLink: (link, reason) => this.#linked(link, reason),
      onRoundTrip: (milliseconds) => (this.roundTripMs = milliseconds),
    });
    this.show = new Show(
      (message) => this.#connection.send(message),
      (refusal) => this.#refused(refusal),
    );
    this.library = new Library((message, detail) => this.toasts.say('error', message, detail));
    this.playlists = new Playlists((message, detail) => this.toasts.say('error', message, detail));
    this.listen = new Listen(
      () => this.#subscribe(),
      (message) => this.toasts.say('error', message),
    );
  }

  /** Whether hands can move anything. */
  get live(): boolean {
    return this.link === 'connected';
  }

  get waitingPeers(): number {
    return this.peers.filter((peer) => peer.status === 'waiting').length;
  }

  start(): void {
    this.#connection.start();
    void this.#loadRegistry();
    window.addEventListener('online', () => this.#connection.hurry());
    document.addEventListener('visibilitychange', () => {
      this.renewal.seen();
      if (document.hidden) return;
      this.#connection.hurry();
      if (this.live) void this.renewal.look();
    });
  }

  control(path: string): Control | undefined {
    return this.registry.get(path);
  }

  async askLearn(path: string): Promise<void> {
    this.learnPath = path;
    await this.library.act('MIDI learn', api.learn(path)).then((done) => {
      if (!done) this.learnPath = '';
    });
  }

  /** Leave or enter learn mode. */
  toggleLearn(): void {
    this.learning = !this.learning;
    if (!this.learning && this.learnPath) {
      this.learnPath = '';
      void api.forgetLearn().catch(() => undefined); // the server forgets a learn by itself, too
    }
  }

  #subscribe(): void {
    const topics = ['meters', 'jobs'];
    if (this.listen.wanted) topics.push('audio');
    this.#connection.send({ type: 'subscribe', topics });
  }

  async #loadRegistry(): Promise<void> {
    if (this.registry.size > 0 || this.#registryAsked) return;
    this.#registryAsked = true;
    try {
      this.registry = await api.controls();
      this.locked = '';
      this.offline = false;
    } catch (error) {
      if (error instanceof api.ApiError && (error.status === 401 || error.status === 403)) {
        this.locked = error.message;
      }
      this.offline = error instanceof api.ApiError && error.code === 'offline';
    } finally {
      this.#registryAsked = false;
    }
  }

  #linked(link: Link, reason: string): void {
    const was = this.link;
    this.link = link;
    this.linkReason = reason;
    if (link === 'connected' || link === 'refused') void this.renewal.look();
    if (link === 'connected') {
      this.#subscribe();
      void this.#loadRegistry();
      void this.library.load();
      void this.library.loadJobs();
      void this.batches.load();
      void this.playlists.load();
      void this.library.loadEngines();
      this.traces.renew();
    } else {
      if (was === 'connected') {
        this.show.forget();
        this.telemetry.forget();
        this.listen.interrupted();
        this.takes.forget();
        this.roundTripMs = 0;
        this.learnPath = '';
      }
      if (link !== 'refused') void this.#loadRegistry(); // says why when the page is not logged in
    }
  }

  #hear(message: ServerMessage): void {
    switch (message.type) {
      case 'welcome':
        this.show.welcome(message);
        this.version = message.version;
        this.engine = message.engine;
        break;
      case 'state':
        this.show.change(message);
        break;
      case 'meters': {
        const now = performance.now();
        this.telemetry.hear(message, now);
        if (now - this.#engineAt > ENGINE_MS || message.engine.running !== this.engine?.running) {
          this.#engineAt = now;
          this.engine = message.engine;
          this.pulse.hear(message.engine, now);
          this.places = message.decks.map((deck) => deck.position);
        }
        break;
      }
      case 'audio':
        this.listen.block(message);
        break;
      case 'job':
        this.library.job(message);
        if (message.status === 'completed') this.playlists.soon();
        if (message.status === 'failed') this.toasts.say('error', message.error ?? 'It failed.', api.jobName(message.kind));
        break;
      case 'batch':
        this.batches.hear(message);
        break;
      case 'library':
        this.traces.changed(message.track_id);
        if (message.change === 'marks') break;
        this.library.changed(message);
        this.insights.changed(message.track_id);
        this.traces.stemsChanged(message.track_id);
        this.takes.changed(message.track_id);
        this.playlists.soon();
        break;
      case 'playlist':
        this.playlists.changed();
        break;
      case 'ready':
        this.ready.set(message.track_id, message.ranges);
        break;
      case 'peers':
        this.#knock(message.peers);
        break;
      case 'learn':
        this.#learned(message);
        break;
      case 'notice':
        this.toasts.say(level(message.level), message.message);
        break;
      case 'error':
        this.show.refused(message);
        break;
      case 'pong':
        break;
    }
  }

  #refused(refusal: Refusal): void {
    const name = this.control(refusal.path)?.description ?? refusal.path;
    this.toasts.say(refusal.code === 'offline' ? 'warning' : 'error', refusal.message, name);
  }

  #knock(peers: Peer[]): void {
    const known = new Set(this.peers.filter((peer) => peer.status === 'waiting').map((peer) => peer.address));
    this.peers = peers;
    for (const peer of peers) {
      if (peer.status === 'waiting' && !known.has(peer.address)) {
        this.toasts.say('info', `${peer.address} wants to control the show. Open Phones to allow it.`);
      }
    }
  }

  #learned(message: LearnChangedMessage): void {
    if (message.state === 'waiting') {
      this.learnPath = message.path;
      return;
    }
    if (this.learnPath === message.path || message.path === '') this.learnPath = '';
    const name = this.control(message.path)?.description ?? message.path;
    const knob = [message.source, message.device].filter(Boolean).join(' of ');
    if (message.state === 'mapped') this.toasts.say('info', `Now under ${knob}.`, name);
    if (message.state === 'unmapped') this.toasts.say('info', `No longer under ${knob}.`, name);
  }

  /** Say that something failed, for components that do a thing by themselves. */
  failed(error: unknown, what = ''): void {
    this.toasts.say('error', sentence(error), what);
  }
}

export const page = new Page();
