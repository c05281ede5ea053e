// One member: all that the agent knows of it.

import { Refused, get } from './api.js';
import { byId, el, patch, printable, setText } from './dom.js';
import { because, mark, when } from './events.js';
import * as format from './format.js';
import { literal } from './store.js';
import { chip } from './table.js';

export class Detail {
  /** `events(name)` are those of a member that the page has seen. */
  constructor({ events }) {
    this.events = events;
    this.name = null;
    this.dialog = byId('detail');
    byId('detail-close').addEventListener('click', () => this.dialog.close());
    this.dialog.addEventListener('close', () => { this.name = null; });
    // A click beside it.
    this.dialog.addEventListener('click', (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
  }

  open(name) {
    this.name = name;
    setText(byId('detail-name'), printable(name));
    byId('detail-body').replaceChildren(el('p', { class: 'quiet' }, 'Asking the agent.'));
    if (!this.dialog.open) this.dialog.showModal();
    this.refresh();
  }

  /** Asks anew, if a member is shown and nobody marks text of it. */
  async refresh() {
    const name = this.name;
    if (name === null || !getSelection().isCollapsed) return;
    let parts;
    try {
      const { member, history } = await find(name, this.events(name));
      // Of one that was forgotten, the agent may still know what happened to it.
      parts = member === null ? [forgotten()] : [facts(member), metadata(member)];
      parts.push(past(history));
    } catch (error) {
      const gone = error instanceof Refused && error.status === 404;
      parts = [gone ? forgotten() : el('p', { class: 'error' }, printable(error.message))];
    }
    if (this.name === name) patch(byId('detail-body'), parts);
  }
}

const forgotten = () => el('p', { class: 'empty' }, 'The agent has forgotten this member.');

/** A member, and its history with the newest first. */
async function find(name, events) {
  // As a part of a path, a browser takes these for something else.
  if (name !== '.' && name !== '..') {
    try {
      return await get(`/v1/members/${encodeURIComponent(name)}`);
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 404) throw error;
    }
  }
  const { members } = await get(`/v1/members?name=${encodeURIComponent(`^${literal(name)}$`)}`);
  if (members.length === 0) throw new Refused(404, 'no such member');
  return { member: members[0], history: events };
}

const pair = (term, ...values) => [el('dt', {}, term), el('dd', {}, ...values)];

function facts(member) {
  const seen = member.last_seen_ms === null ? 'not yet' : format.ago(member.last_seen_ms);
  return el('dl', {},
    ...pair('State', chip(member.state), ` for ${format.age(member.age_ms)}`),
    ...pair('Address', member.address),
    ...pair('Last seen', seen),
    ...pair('Round trip', member.round_trip_ms === null ? 'not measured' : format.roundTrip(member.round_trip_ms)),
    ...pair('Datagrams', path(member.paths.datagram)),
    ...pair('Streams', path(member.paths.stream)),
    ...pair('Incarnation', member.incarnation));
}

function path(state) {
  if (state === null) return 'nothing noticed yet';
  const text = `${state.state}, ${format.ago(state.age_ms)}`;
  return el('span', { 'data-path': state.state }, state.why ? `${text}: ${printable(state.why)}` : text);
}

function metadata(member) {
  const pairs = Object.entries(member.metadata);
  const title = el('h3', {}, 'Metadata');
  if (pairs.length === 0) return el('section', {}, title, el('p', { class: 'quiet' }, 'It says nothing of itself.'));
  const rows = pairs.flatMap(([key, value]) => [
    el('dt', {}, el('bdi', {}, printable(key))), el('dd', {}, el('bdi', {}, printable(value)))]);
  return el('section', {}, title, el('dl', {}, ...rows));
}

function past(history) {
  const title = el('h3', {}, 'History');
  if (history.length === 0) {
    return el('section', {}, title, el('p', { class: 'quiet' }, 'Nothing since the agent started, or it is no longer kept.'));
  }
  return el('section', {}, title, el('ol', { class: 'history' }, ...history.map(entry)));
}

function entry(event) {
  const moved = event.old_address ? [`, from ${event.old_address} to ${event.address}`] : [];
  const text = event.probe ? ['this agent probed in vain', tried(event.probe)]
    : [event.type, ...moved, because(event)];
  return el('li', { 'data-mark': mark(event) }, when(event.time), el('div', {}, ...text));
}

/** What a probe that failed has tried. */
function tried({ pings_ms: pings, relays, stream, silence }) {
  const first = pings.length > 0 ? `, the first ${pings[0]} ms before` : '';
  const parts = [`${format.count(pings.length, 'ping')} by datagram${first}`];
  for (const { name, said } of relays) {
    const what = { nack: 'no answer either', nothing: 'silent itself' }[said] ?? said;
    parts.push(`by ${printable(name)}: ${printable(what)}`);
  }
  if (stream) parts.push(`stream: ${stream.state}${stream.why ? ` (${printable(stream.why)})` : ''}`);
  if (silence) parts.push('it heard nobody else either');
  return el('span', { class: 'why' }, parts.join('; '));
}
