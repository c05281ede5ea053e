// The table of members: filtered, sorted, a page at a time. Rows are kept and patched, so that focus and
// selection stay where they are.

import { byId, el, printable, setAttribute, setText } from './dom.js';
import * as format from './format.js';

/** Rows on a page: a screen or two, whatever the size of the cluster. */
const PAGE = 50;
/** Pairs of metadata in a row; the details have all. */
const PAIRS = 3;
/** Characters of a name in a row, its end among them: names that machines make differ there. */
const NAME = 40;
const TAIL = 10;

export const STATES = ['alive', 'suspect', 'dead', 'left'];
/** What wants attention first. */
const URGENCY = { suspect: 0, dead: 1, left: 2, alive: 3 };

const names = new Intl.Collator('en', { numeric: true });
const byName = (a, b) => names.compare(a.name, b.name) || (a.name < b.name ? -1 : 1);
/** What is not known comes last. */
const byNumber = (of) => (a, b) => (of(a) ?? Infinity) - (of(b) ?? Infinity) || 0;

const seen = (member) => member.last_seen_ms;
const streams = (member) => ({ failing: 0, ok: 1 })[member.paths.stream?.state];

const COLUMNS = [
  { key: 'name', title: 'Name', compare: byName },
  { key: 'state', title: 'State', compare: (a, b) => URGENCY[a.state] - URGENCY[b.state] },
  { key: 'address', title: 'Address', compare: (a, b) => names.compare(a.address, b.address) },
  { key: 'seen', title: 'Last seen', compare: byNumber(seen) },
  { key: 'trip', title: 'Round trip', compare: byNumber((member) => member.round_trip_ms) },
  { key: 'stream', title: 'Streams', compare: byNumber(streams) },
  { key: 'metadata', title: 'Metadata', compare: (a, b) => names.compare(a.pairs.join(), b.pairs.join()) },
];

/** A state as a chip: a shape, a colour and the word. */
export function chip(state) {
  return el('span', { class: 'chip', 'data-state': state }, state ?? 'forgotten');
}

function shortened(name) {
  const chars = [...printable(name)];
  if (chars.length <= NAME) return chars.join('');
  return [...chars.slice(0, NAME - TAIL - 1), '…', ...chars.slice(-TAIL)].join('');
}

export class Table {
  /** `open(name)` shows the details of a member; `self()` is this agent's own name. */
  constructor({ members, open, self }) {
    this.members = members;
    this.open = open;
    this.self = self;
    this.sort = { column: COLUMNS[0], down: false };
    this.hiddenStates = new Set();
    this.page = 0;
    this.rows = new Map();
    this.shown = [];
    this.heads = COLUMNS.map((column) => this.head(column));
    byId('head').append(...this.heads.map(({ cell }) => cell));
    this.toggles = new Map(STATES.map((state) => [state, this.toggle(state)]));
    byId('toggles').append(...[...this.toggles.values()].map(({ button }) => button));
    this.listen();
    this.sayOrder();
  }

  listen() {
    byId('filter').addEventListener('input', () => this.turn(0));
    byId('previous').addEventListener('click', () => this.turn(this.page - 1));
    byId('next').addEventListener('click', () => this.turn(this.page + 1));
    const body = byId('rows');
    body.addEventListener('click', (event) => {
      const row = event.target.closest('tr');
      // Who selects text does not want to leave.
      if (row !== null && getSelection().isCollapsed) this.open(row.member);
    });
    body.addEventListener('keydown', (event) => {
      const step = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' }[event.key];
      const row = step && event.target.closest('tr')?.[step];
      if (!row) return;
      event.preventDefault();
      row.querySelector('button').focus();
    });
  }

  head(column) {
    const button = el('button', { type: 'button' }, column.title);
    button.addEventListener('click', () => {
      const again = this.sort.column === column;
      this.sort = { column, down: again && !this.sort.down };
      this.sayOrder();
      this.turn(0);
    });
    return { column, cell: el('th', { scope: 'col', class: column.key }, button) };
  }

  sayOrder() {
    for (const { column, cell } of this.heads) {
      const order = this.sort.down ? 'descending' : 'ascending';
      setAttribute(cell, 'aria-sort', column === this.sort.column ? order : 'none');
    }
  }

  toggle(state) {
    const amount = el('b', {}, '0');
    const button = el('button', { type: 'button', 'aria-pressed': 'true', 'data-state': state },
      el('span', {}, state), ' ', amount);
    button.addEventListener('click', () => {
      const hide = !this.hiddenStates.has(state);
      if (hide) this.hiddenStates.add(state);
      else this.hiddenStates.delete(state);
      button.setAttribute('aria-pressed', String(!hide));
      this.turn(0);
    });
    return { button, amount };
  }

  turn(page) {
    this.page = page;
    this.update();
  }

  /** The names on the screen. */
  visible() {
    return this.shown.map((member) => member.name);
  }

  /** Filters and sorts anew, and shows the page. */
  update() {
    const all = [...this.members().values()];
    const words = byId('filter').value.toLowerCase().split(/\s+/).filter((word) => word !== '');
    const kept = all.filter((member) => !this.hiddenStates.has(member.state)
      && words.every((word) => member.text.includes(word)));
    const { column, down } = this.sort;
    kept.sort((a, b) => (down ? -1 : 1) * column.compare(a, b) || byName(a, b));
    const last = Math.max(0, Math.ceil(kept.length / PAGE) - 1);
    this.page = Math.min(Math.max(this.page, 0), last);
    const start = this.page * PAGE;
    this.shown = kept.slice(start, start + PAGE);
    this.place();
    this.tick();
    this.sayHowMany(all, kept.length, last);
  }

  /** Puts a row for each member shown in its place, and moves no other. */
  place() {
    const body = byId('rows');
    const focused = document.activeElement;
    const wanted = new Set(this.visible());
    for (const [name, row] of this.rows) {
      if (wanted.has(name)) continue;
      row.remove();
      this.rows.delete(name);
    }
    let next = body.firstElementChild;
    for (const member of this.shown) {
      let row = this.rows.get(member.name);
      if (row === undefined) {
        row = this.row(member);
        this.rows.set(member.name, row);
      }
      if (row === next) next = next.nextElementSibling;
      else body.insertBefore(row, next);
    }
    // A row that moved has lost it.
    if (focused !== document.activeElement && body.contains(focused)) focused.focus({ preventScroll: true });
  }

  row(member) {
    const name = printable(member.name);
    const short = shortened(member.name);
    // Who points at it, comes by keyboard or listens gets the whole name.
    const texts = name === short ? [el('bdi', {}, name)]
      : [el('bdi', { class: 'short', 'aria-hidden': 'true' }, short), el('bdi', { class: 'whole' }, name)];
    const button = el('button', { type: 'button', title: name === short ? null : name }, ...texts);
    const row = el('tr', {},
      el('th', { scope: 'row', class: 'name' }, button, el('span', { class: 'tag', hidden: '' }, 'this agent')),
      ...COLUMNS.slice(1).map(({ key }) => el('td', { class: key })));
    row.member = member.name;
    return row;
  }

  /** Shows what has changed of the rows on the screen, the passing of time included. */
  tick() {
    for (const member of this.shown) patch(this.rows.get(member.name), member, member.name === this.self());
  }

  sayHowMany(all, kept, last) {
    const counts = Object.fromEntries(STATES.map((state) => [state, 0]));
    for (const member of all) counts[member.state] += 1;
    for (const [state, { amount }] of this.toggles) setText(amount, counts[state].toLocaleString('en'));
    setText(byId('shown'), kept === all.length
      ? format.count(all.length, 'member')
      : `${kept.toLocaleString('en')} of ${format.count(all.length, 'member')}`);
    byId('nobody').hidden = kept > 0;
    setText(byId('nobody'), all.length === 0 ? 'No members yet.' : 'No member matches.');
    byId('pager').hidden = last === 0;
    const from = this.page * PAGE;
    setText(byId('page'), `${from + 1} to ${from + this.shown.length} of ${kept.toLocaleString('en')}`);
    byId('previous').disabled = this.page === 0;
    byId('next').disabled = this.page === last;
  }
}

function patch(row, member, own) {
  const [name, state, address, lastSeen, trip, stream, metadata] = row.cells;
  setAttribute(row, 'data-state', member.state);
  // Who this agent is may be known later than its members.
  name.lastChild.hidden = !own;
  if (state.firstChild?.textContent !== member.state) state.replaceChildren(chip(member.state));
  setText(address, member.address);
  const ms = seen(member);
  const unknown = own ? '–' : 'not yet';
  setText(lastSeen, ms === null ? unknown : format.ago(ms + performance.now() - member.at));
  setText(trip, member.round_trip_ms === null ? '–' : format.roundTrip(member.round_trip_ms));
  const path = member.paths.stream;
  setText(stream, path?.state ?? '–');
  setAttribute(stream, 'data-path', path?.state ?? null);
  setAttribute(stream, 'title', path?.why ? printable(path.why) : null);
  const pairs = member.pairs.slice(0, PAIRS).map(printable);
  const more = member.pairs.length - pairs.length;
  if (more > 0) pairs.push(`and ${more} more`);
  const text = pairs.join('\n');
  if (metadata.dataset.text !== text) {
    metadata.dataset.text = text;
    metadata.replaceChildren(...pairs.map((pair) => el('bdi', { class: 'pair' }, pair)));
  }
}
