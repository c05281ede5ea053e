// Small plots over time, as inline SVG with a title and a description.

import { el, setText, svg } from './dom.js';
import { clock } from './format.js';

const WIDTH = 320;
const HEIGHT = 84;
const TOP = 6;
let ids = 0;

/** The least round number that is not below `value`. */
export function ceiling(value) {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((round) => round >= value);
}

/**
 * The samples of an answer that are not among `known`, each with when it was taken by this page's clock, `now`
 * being that: the agent's may be stepped.
 */
export function news(known, { samples, interval_ms: interval }, now) {
  const at = new Map(known.map((sample) => [sample.time, sample.at]));
  const met = samples.findLastIndex((sample) => at.has(sample.time));
  const last = samples.length - 1;
  const end = met < 0 ? now : at.get(samples[met].time) + (last - met) * interval;
  return samples.slice(met + 1).map((sample, place) => ({ ...sample, at: end - (last - met - 1 - place) * interval }));
}

export class Plot {
  /**
   * `lines` each have a `name`, a `key` in samples and a `mark` for the colour; `stacked` puts them upon
   * each other; `unit(value)` writes a value.
   */
  constructor({ title, lines, stacked, unit }) {
    Object.assign(this, { lines, stacked, unit, samples: [] });
    const id = `plot-${ids += 1}`;
    this.desc = svg('desc', { id: `${id}-desc` }, 'No samples yet.');
    this.shapes = svg('g');
    this.cursor = svg('line', { class: 'cursor', y1: TOP, y2: HEIGHT, x1: -9, x2: -9 });
    this.svg = svg('svg', {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img',
      'aria-labelledby': `${id}-title ${id}-desc`,
    }, svg('title', { id: `${id}-title` }, title), this.desc, this.shapes, this.cursor);
    this.top = el('span', { class: 'top', 'aria-hidden': 'true' });
    this.none = el('p', { class: 'none' }, 'collecting');
    this.since = el('span');
    this.until = el('span', {}, 'now');
    this.values = lines.map(() => el('b'));
    const legend = lines.map((line, place) =>
      el('li', { 'data-mark': line.mark }, el('span', {}, line.name), ' ', this.values[place]));
    this.element = el('figure', { class: 'plot' },
      el('figcaption', {}, el('h3', {}, title), el('ul', { class: 'legend' }, ...legend)),
      el('div', { class: 'frame' }, this.svg, this.top, this.none),
      el('div', { class: 'axis', 'aria-hidden': 'true' }, this.since, this.until));
    this.svg.addEventListener('pointermove', (event) => this.point(event));
    this.svg.addEventListener('pointerleave', () => this.point(null));
  }

  /** Draws samples, the oldest first, over `span` milliseconds. */
  draw(samples, span) {
    this.samples = samples;
    this.span = span;
    const last = samples.at(-1);
    this.none.hidden = samples.length > 1;
    if (last === undefined) return;
    const stacks = samples.map((sample) => this.stack(sample));
    const most = ceiling(Math.max(...stacks.flat(), 0));
    this.x = (sample) => WIDTH * (1 - (last.at - sample.at) / span);
    const y = (value) => HEIGHT - (HEIGHT - TOP) * (value / most);
    const shapes = this.lines.map((line, place) => {
      const points = samples.map((sample, at) => `${this.x(sample).toFixed(1)},${y(stacks[at][place]).toFixed(1)}`);
      if (!this.stacked) return svg('polyline', { points: points.join(' '), 'data-mark': line.mark });
      const below = samples.map((sample, at) =>
        `${this.x(sample).toFixed(1)},${y(place === 0 ? 0 : stacks[at][place - 1]).toFixed(1)}`);
      return svg('polygon', { points: [...points, ...below.reverse()].join(' '), 'data-mark': line.mark });
    });
    this.shapes.replaceChildren(...shapes);
    setText(this.top, this.unit(most));
    const since = `${Math.round(span / 60_000)} min`;
    setText(this.since, `${since} ago`);
    this.point(null);
    const now = this.lines.map((line) => `${line.name} ${this.unit(last[line.key])}`).join(', ');
    setText(this.desc, `Now: ${now}. The scale goes from 0 to ${this.unit(most)}, over the last ${since}.`);
  }

  stack(sample) {
    let sum = 0;
    return this.lines.map(({ key }) => {
      sum = this.stacked ? sum + sample[key] : sample[key];
      return sum;
    });
  }

  /** Shows the values at the pointer, or the latest ones. */
  point(event) {
    if (this.samples.length === 0) return;
    let sample = this.samples.at(-1);
    if (event !== null) {
      const box = this.svg.getBoundingClientRect();
      const x = WIDTH * (event.clientX - box.left) / box.width;
      const distance = (other) => Math.abs(this.x(other) - x);
      sample = this.samples.reduce((best, other) => (distance(other) < distance(best) ? other : best));
    }
    const x = event === null ? -9 : this.x(sample);
    this.cursor.setAttribute('x1', x);
    this.cursor.setAttribute('x2', x);
    setText(this.until, event === null ? 'now' : clock(sample.time));
    this.lines.forEach(({ key }, place) => setText(this.values[place], this.unit(sample[key])));
  }
}
