// Numbers and times as people read them.

/** Milliseconds in their greatest unit: `now`, `12 s`, `5 min`, `3 h`, `2 d`. */
export function age(ms) {
  if (ms < 1_000) return 'now';
  if (ms < 60_000) return `${Math.floor(ms / 1_000)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.floor(ms / 3_600_000)} h`;
  return `${Math.floor(ms / 86_400_000)} d`;
}

/** The same as a moment in the past. */
export const ago = (ms) => (ms < 1_000 ? 'just now' : `${age(ms)} ago`);

/** A round trip in milliseconds, in three digits at least. */
export function roundTrip(ms) {
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  return ms < 100 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

/** The time of day of a time as RFC 3339, by this machine's clock and zone. */
export function clock(time) {
  const date = new Date(time);
  const two = (number) => String(number).padStart(2, '0');
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
}

/** A time in full. */
export const full = (time) => new Date(time).toLocaleString();

/** A number with three digits that count. */
export function number(value) {
  if (value < 10) return String(Math.round(value * 10) / 10);
  return Math.round(value).toLocaleString('en');
}

/** Bytes in their greatest unit. */
export function bytes(value) {
  if (value < 1_000) return `${Math.round(value)} B`;
  if (value < 1_000_000) return `${number(value / 1_000)} kB`;
  return `${number(value / 1_000_000)} MB`;
}

/** `1 member`, `2 members`. */
export const count = (amount, what) =>
  `${amount.toLocaleString('en')} ${what}${amount === 1 ? '' : 's'}`;
