// What happens, in words; the list of it, and a summary for those who listen.

import { byId, el, printable } from './dom.js';
import * as format from './format.js';

/** Events in the list. */
const LISTED = 200;
/** Events kept for the histories of members: as many as the agent keeps. */
const KEPT = 512;
/** At most one summary in so many milliseconds is read out. */
const QUIET = 5_000;
/** Characters of a payload in the list. */
const PAYLOAD = 200;

const REASONS = {
  probe_failed: 'no answer, neither direct nor by relays',
  rumor: 'others said so',
  anti_entropy: 'seen when views were compared',
  suspicion_expired: 'the suspicion was not refuted in time',
  first_hand: 'it answered this agent itself',
  refutation: 'it refuted what was said of it',
  restarted: 'it was started anew',
  own_word: 'it said so itself',
  removed: 'it was declared gone for good',
  pruned: 'it was declared gone for good, without a trace',
  reaped: 'it was gone for long enough',
  conflict: 'two nodes claim this name',
};

const name = (text) => el('bdi', { class: 'who' }, printable(text));

/** An event as what stands in a list. */
export function describe(event) {
  if (event.type === 'missed') return [`${format.count(event.missed, 'event')} passed by unseen`];
  if (event.type === 'user' || event.type === 'query') return told(event);
  return [name(event.name), ` ${event.type}`, because(event)];
}

/** Why something happened to a member, and who said so. */
export function because({ type, name: whom, by, reason, changed }) {
  const changes = Object.entries(changed ?? {}).map(([key, value]) =>
    printable(value === null ? `${key} is gone` : `${key}=${value}`));
  const why = changes.length > 0 ? changes.join(', ') : REASONS[reason] ?? printable(reason).replaceAll('_', ' ');
  const parts = [why];
  if (by !== null && by !== whom) {
    parts.push(type === 'suspected' || type === 'died' ? ', accused by ' : ', told by ', el('bdi', {}, printable(by)));
  }
  return el('span', { class: 'why' }, ...parts);
}

function told(event) {
  const payload = event.payload ?? (event.payload_base64 && `base64 ${event.payload_base64}`) ?? '';
  const cut = payload.length > PAYLOAD ? `${payload.slice(0, PAYLOAD)}…` : payload;
  const what = event.type === 'user' ? 'event ' : 'query ';
  return [what, name(event.name), ' from ', name(event.origin),
    cut === '' ? null : el('span', { class: 'why' }, el('bdi', {}, printable(cut)))].filter((part) => part !== null);
}

/** What an event is marked with: the state that it led to, or its kind. */
export const mark = (event) => (event.type === 'updated' ? 'updated' : event.state ?? event.type);

export class Events {
  constructor() {
    this.list = byId('events');
    this.kept = [];
    this.fresh = [];
    this.waiting = [];
    this.spoken = -Infinity;
  }

  /** Takes an event in; `live` says that it has just happened. */
  add(event, live) {
    this.kept.push(event);
    if (this.kept.length > KEPT) this.kept.shift();
    if (this.fresh.length === 0) requestAnimationFrame(() => this.show());
    this.fresh.push(item(event));
    if (live && 'old_state' in event && event.old_state !== event.state) this.announce(event);
  }

  /** A line that parts what came before from what comes after. */
  part(text) {
    this.list.prepend(el('li', { class: 'part' }, text));
    byId('no-events').hidden = true;
  }

  show() {
    this.list.prepend(...this.fresh.slice(-LISTED).reverse());
    this.fresh = [];
    while (this.list.childElementCount > LISTED) this.list.lastElementChild.remove();
    byId('no-events').hidden = true;
  }

  /** The events of a member that are kept, the newest first. */
  of(member) {
    return this.kept.filter((event) => event.name === member && 'address' in event).reverse();
  }

  /** Reads changes of state out, several at once where there are several. */
  announce(event) {
    this.waiting.push(`${printable(event.name)} ${event.type}`);
    if (this.waiting.length > 1) return;
    const wait = Math.max(300, this.spoken + QUIET - performance.now());
    setTimeout(() => {
      const [a, b, c] = this.waiting;
      const more = this.waiting.length - 3;
      const text = [a, b, c].filter((part) => part !== undefined).join(', ');
      byId('announce').textContent = more > 0 ? `${text}, and ${format.count(more, 'more change')}` : text;
      this.waiting = [];
      this.spoken = performance.now();
    }, wait);
  }
}

/** The time of an event, in full when it is pointed at. */
export const when = (time) => el('time', { datetime: time, title: format.full(time) }, format.clock(time));

function item(event) {
  // Who missed events does not know when.
  const time = event.time === undefined ? el('time', {}, 'earlier') : when(event.time);
  return el('li', { 'data-mark': mark(event) }, time, el('div', {}, ...describe(event)));
}
