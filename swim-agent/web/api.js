// Asking the agent: JSON answers, the stream of events, and the token that both may need.

const KEY = 'swim-token';
/** No sign of life for longer means that the agent or the way to it is gone; it gives one each 15 s. */
const SILENCE = 40_000;
/** An answer that takes longer is none. */
const PATIENCE = 15_000;

let token = null;
try {
  token = sessionStorage.getItem(KEY);
} catch {
  // Storage may be forbidden; the token then holds for this page.
}

/** Keeps the token until the tab is closed. */
export function keepToken(word) {
  token = word;
  try {
    sessionStorage.setItem(KEY, word);
  } catch {
    // As above.
  }
}

/** The agent wants a token, or another one. */
export class TokenNeeded extends Error {
  constructor(shown) {
    super(shown ? 'The agent does not take this token.' : 'The agent asks for its token.');
    this.shown = shown;
  }
}

/** The agent answered, and said no. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, headers, signal) {
  const shown = token;
  if (shown !== null) headers.authorization = `Bearer ${shown}`;
  const answer = await fetch(path, { headers, signal, cache: 'no-store', redirect: 'error' });
  if (answer.status === 401) throw new TokenNeeded(shown !== null);
  if (!answer.ok) {
    const body = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, body.error ?? `the agent answered ${answer.status}`);
  }
  return answer;
}

/** The JSON at a path. */
export async function get(path) {
  const answer = await ask(path, {}, AbortSignal.timeout(PATIENCE));
  return answer.json();
}

/**
 * Reads the stream of events until it ends, which it does with an error. `last` is the id of the event
 * that was read last, if one was; `leave` a signal to read no more. By fetch and not by EventSource, which
 * shows no token.
 */
export async function readEvents({ backlog, last, leave, opened, event }) {
  const silence = new AbortController();
  const stop = AbortSignal.any([silence.signal, leave]);
  let timer = setTimeout(() => silence.abort(), SILENCE);
  const headers = last === null ? {} : { 'last-event-id': last };
  try {
    const answer = await ask(`/v1/events?backlog=${backlog}`, headers, stop);
    opened();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new Error('the stream of events has ended');
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE);
      rest = split(rest + value, event);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Hands over each whole event of `text`; returns what has no end yet. */
function split(text, event) {
  const parts = text.split('\n\n');
  const rest = parts.pop();
  for (const part of parts) {
    const fields = { id: null, data: '' };
    for (const line of part.split('\n')) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon);
      if (name in fields) fields[name] = line.slice(colon + 1).trimStart();
    }
    if (fields.data !== '') event(fields.id, JSON.parse(fields.data));
  }
  return rest;
}
