// The page of an agent: puts the parts together, and watches the connection.

import { Refused, TokenNeeded, get, keepToken, readEvents } from './api.js';
import { Detail } from './detail.js';
import { byId, el, printable, setText } from './dom.js';
import { Events } from './events.js';
import * as format from './format.js';
import { Plot, news } from './plot.js';
import { Store } from './store.js';
import { STATES, Table } from './table.js';

/** Events from before the page was opened. */
const BACKLOG = 100;
/** Between two attempts to reach an agent that is gone. */
const AGAIN = 2_000;
/** Between two looks at the agent's health. */
const INFO = 2_000;
/** A page that nobody has looked at for so long lets go of its stream: a browser has few for each agent. */
const AWAY = 10_000;
/** What the plots show at least and at most. */
const LEAST = 60_000;
const MOST = 600_000;

let info = null;
let samples = [];
/** The id of the last event. */
let last = null;
/** Since when the agent has not answered. */
let lost = null;

const events = new Events();
const detail = new Detail({ events: (name) => events.of(name) });
const table = new Table({
  members: () => store.members,
  open: (name) => detail.open(name),
  self: () => info?.name,
});
const store = new Store({ changed: () => table.update(), visible: () => table.visible() });

const rate = (value) => `${format.number(value)}/s`;
const bytesRate = (value) => `${format.bytes(value)}/s`;
const both = (what) => [
  { name: 'sent', key: `${what}_sent`, mark: 'sent' },
  { name: 'received', key: `${what}_received`, mark: 'received' },
];
const plots = [
  new Plot({
    title: 'Members',
    lines: STATES.map((state) => ({ name: state, key: state, mark: state })),
    stacked: true,
    unit: (value) => value.toLocaleString('en'),
  }),
  new Plot({ title: 'Messages', lines: both('messages'), unit: rate }),
  new Plot({ title: 'Bytes', lines: both('bytes'), unit: bytesRate }),
];
byId('plots').append(...plots.map((plot) => plot.element));

/** What the agent says of itself, as a term and a text each. */
function facts(info) {
  const { members, local_health: health } = info;
  const total = STATES.reduce((sum, state) => sum + members[state], 0);
  return [
    ['Members', total.toLocaleString('en'), STATES.filter((state) => members[state] > 0)
      .map((state) => `${members[state].toLocaleString('en')} ${state}`).join(', ')],
    ['Health', health === 0 ? 'good' : `${health} of 8`, health === 0
      ? 'it hears what it should' : 'it doubts its own network or load, and gives others more time'],
    ['Ready', info.ready ? 'yes' : 'no', info.unready ?? 'it has found its cluster'],
    ['Waiting', info.updates_waiting.toLocaleString('en'), 'updates that wait to be told'],
  ];
}

function showInfo() {
  setText(byId('cluster'), printable(info.cluster));
  setText(byId('self'), printable(info.name));
  setText(byId('self-facts'), `at ${info.address}, version ${info.version}, up ${format.age(info.uptime_ms)}`);
  document.title = `${printable(info.name)} in ${printable(info.cluster)} · swim`;
  const box = byId('facts');
  for (const [place, [term, value, note]] of facts(info).entries()) {
    const fact = box.children[place] ?? box.appendChild(
      el('div', {}, el('dt', {}, term), el('dd', { class: 'value' }), el('dd', { class: 'quiet' })));
    setText(fact.children[1], value);
    setText(fact.children[2], printable(note));
  }
  byId('facts').dataset.health = info.local_health === 0 && info.ready ? 'good' : 'bad';
}

/** Says how the connection is; `text` is shown in a bar if it is no good news. */
function say(state, word, text) {
  byId('link').dataset.state = state;
  setText(byId('link-text'), word);
  const alarm = byId('alarm');
  if (text !== null || alarm.dataset.state !== 'restarted') tell(state, text);
  document.body.classList.toggle('stale', state === 'lost');
}

/** Shows a text in the bar below the header, or takes it away. */
function tell(state, text) {
  const alarm = byId('alarm');
  alarm.hidden = text === null;
  alarm.dataset.state = state;
  setText(alarm, text ?? '');
  // Read out from there, because what was hidden is no live region to all readers of screens.
  if (text !== null) setText(byId('announce'), text);
}

/** The agent answers. */
function found() {
  lost = null;
  say('live', 'live', null);
  store.reload();
}

/** It does not. */
function gone(error) {
  if (error instanceof TokenNeeded) {
    askForToken(error);
    return;
  }
  lost ??= new Date();
  const why = error instanceof Refused ? printable(error.message) : 'the agent does not answer';
  say('lost', 'lost', `Since ${format.clock(lost)}, ${why}. What stands here is from before. Trying again.`);
}

function askForToken(error) {
  say('lost', 'no token', null);
  const dialog = byId('ask');
  if (dialog.open) return;
  setText(byId('ask-error'), error.shown ? error.message : '');
  byId('token').value = '';
  dialog.showModal();
}

byId('ask-form').addEventListener('submit', () => {
  keepToken(byId('token').value.trim());
});

/** Resolves when the dialog that asks for the token is closed. */
function answered() {
  const dialog = byId('ask');
  if (!dialog.open) return Promise.resolve();
  return new Promise((resolve) => dialog.addEventListener('close', resolve, { once: true }));
}

/** Resolves when somebody looks at the page. */
function lookedAt() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => document.addEventListener('visibilitychange', resolve, { once: true }));
}

/** Aborts when nobody has looked at the page for a while. */
function untilAway() {
  const away = new AbortController();
  let timer = null;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => away.abort(), AWAY);
  };
  document.addEventListener('visibilitychange', look, { signal: away.signal });
  look();
  return away;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Follows the events for ever; how that goes says whether the agent is there. */
async function follow() {
  for (;;) {
    const before = performance.now();
    // What the stream begins with has happened before.
    let live = false;
    const away = untilAway();
    try {
      await readEvents({
        backlog: BACKLOG,
        last,
        leave: away.signal,
        opened() {
          found();
          setTimeout(() => { live = true; }, 1_000);
        },
        event(id, event) {
          noticeRun(id);
          events.add(event, live);
          if ('address' in event) store.touch(event.name);
          if (event.name !== undefined && event.name === detail.name) detail.refresh();
        },
      });
    } catch (error) {
      if (away.signal.aborted) say('away', 'paused', null);
      else gone(error);
    }
    away.abort();
    await answered();
    await lookedAt();
    await pause(Math.max(200, AGAIN - (performance.now() - before)));
  }
}

/** The first half of an event's id is another one after the agent was restarted. */
function noticeRun(id) {
  const run = (text) => text.slice(0, text.indexOf('-'));
  if (last !== null && run(last) !== run(id)) events.part('The agent was started anew.');
  last = id;
}

async function look() {
  const before = info;
  info = await get('/v1/info');
  if (before !== null && info.started !== before.started) restarted();
  showInfo();
  const fresh = await get(samples.length === 0 ? '/v1/series' : '/v1/series?last=5');
  samples.push(...news(samples, fresh, performance.now()));
  const end = samples.at(-1)?.at;
  samples = samples.filter((sample) => end - sample.at <= MOST);
  const length = samples.length > 0 ? end - samples[0].at : 0;
  for (const plot of plots) plot.draw(samples, Math.max(length, LEAST));
}

function restarted() {
  tell('restarted', `The agent was started anew at ${format.clock(info.started)}.`);
  setTimeout(() => { if (byId('alarm').dataset.state === 'restarted') tell('live', null); }, 30_000);
}

/** Looks at the agent now and then; nobody looks at a page that is hidden. */
async function watch() {
  for (;;) {
    if (!document.hidden && !byId('ask').open) {
      try {
        await look();
        store.tick();
        if (detail.name !== null) await detail.refresh();
      } catch {
        // The stream of events breaks too, and says so.
      }
    }
    await pause(INFO);
  }
}

setInterval(() => { if (!document.hidden) table.tick(); }, 1_000);
follow();
watch();
