// The members as the agent holds them. Events only say who is worth asking about: what is shown is always
// what the agent answered.

import { get } from './api.js';

/** Up to so many members, all of them are asked for each time. */
const FEW = 300;
/** Names in one question. */
const NAMES = 50;
/** Characters of one question. */
const LONGEST = 12_000;
/** After an event, others that belong to it are waited for. */
const SOON = 150;
/** Between two answers that hold all members: as long for few as for what they show to change. */
const EVERY = 3_000;
/** The same for many. */
const EVERY_MANY = 60_000;
/** Between two answers that hold all of many, when many of them change. */
const PAUSE = 5_000;

export class Store {
  /** `changed()` is called after each answer; `visible()` says which names are on the screen. */
  constructor({ changed, visible }) {
    this.members = new Map();
    this.changed = changed;
    this.visible = visible;
    this.wanted = new Set();
    this.all = true;
    this.allAt = -Infinity;
    this.timer = null;
    this.busy = false;
  }

  /** Something has happened to a member. */
  touch(name) {
    this.wanted.add(name);
    this.soon();
  }

  /** Asks for all members as soon as may be. */
  reload() {
    this.all = true;
    this.allAt = -Infinity;
    this.soon();
  }

  soon() {
    if (this.timer === null && !this.busy) this.timer = setTimeout(() => this.run(), SOON);
  }

  /** Now and then: what changes without an event, as when a member was seen last. */
  tick() {
    const since = performance.now() - this.allAt;
    const few = this.members.size <= FEW;
    if (since >= (few ? EVERY : EVERY_MANY)) this.all = true;
    else if (few) return;
    else for (const name of this.visible()) this.wanted.add(name);
    this.soon();
  }

  async run() {
    this.timer = null;
    this.busy = true;
    try {
      await this.load();
      this.changed();
    } catch {
      // The next tick tries again; whoever watches the connection says so.
    }
    this.busy = false;
    if (this.wanted.size > 0) this.soon();
  }

  async load() {
    const many = this.members.size > FEW;
    if (this.wanted.size > NAMES || (!many && this.wanted.size > 0)) this.all = true;
    const rested = performance.now() - this.allAt >= (many ? PAUSE : 0);
    if (this.all && rested) {
      this.wanted.clear();
      const { members } = await get('/v1/members');
      this.all = false;
      this.allAt = performance.now();
      this.members = new Map(members.map((member) => [member.name, this.kept(member)]));
    } else if (this.wanted.size > 0) {
      await this.loadSome();
    }
  }

  async loadSome() {
    const names = [];
    let length = 0;
    for (const name of this.wanted) {
      const pattern = encodeURIComponent(literal(name));
      if (names.length > 0 && length + pattern.length > LONGEST) break;
      this.wanted.delete(name);
      names.push(name);
      length += pattern.length + 3;
      if (names.length === NAMES) break;
    }
    const pattern = `^(?:${names.map(literal).join('|')})$`;
    const { members } = await get(`/v1/members?name=${encodeURIComponent(pattern)}`);
    const found = new Map(members.map((member) => [member.name, member]));
    for (const name of names) {
      const member = found.get(name);
      if (member === undefined) this.members.delete(name);
      else this.members.set(name, this.kept(member));
    }
  }

  /** A member, with when it was heard of, and what a filter looks into. */
  kept(member) {
    member.at = performance.now();
    const pairs = Object.entries(member.metadata).map(([key, value]) => `${key}=${value}`);
    member.pairs = pairs;
    member.text = [member.name, member.address, ...pairs].join('\n').toLowerCase();
    return member;
  }
}

/** A regular expression that matches this name and nothing else. */
export const literal = (name) => name.replace(/[\\^$.*+?()[\]{}|\-&~#\s]/g, (char) => (
  /\s/.test(char) ? `\\x{${char.codePointAt(0).toString(16)}}` : `\\${char}`));
