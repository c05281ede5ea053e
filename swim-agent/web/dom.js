// Elements and texts. What comes from the network is text and never markup: it gets in here only.

const SVG = 'http://www.w3.org/2000/svg';

/** An element with attributes and children; texts among them become text nodes. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same in SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Changes a text only if it differs, so that nothing is drawn or read out anew for nothing. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** The same for an attribute; null takes it away. */
export function setAttribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * Makes the children of an element like `wanted` and touches only what differs, so that whoever reads there
 * keeps the place. A list grows at its beginning, and what is in it does not change; elsewhere each child keeps its place.
 */
export function patch(element, wanted) {
  for (const [place, node] of wanted.entries()) {
    const there = element.childNodes[place];
    if (there === undefined) element.append(node);
    else if (there.isEqualNode(node)) continue;
    else if (element.localName === 'ol') there.before(node);
    else if (there.nodeName !== node.nodeName) there.replaceWith(node);
    else if (node.nodeType === Node.TEXT_NODE) there.data = node.data;
    else {
      for (const name of new Set([...there.getAttributeNames(), ...node.getAttributeNames()])) {
        setAttribute(there, name, node.getAttribute(name));
      }
      patch(there, [...node.childNodes]);
    }
  }
  while (element.childNodes.length > wanted.length) element.lastChild.remove();
}

// Control characters, line separators, and what turns the direction of writing or cannot be seen.
const STEERS = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** A text that another machine has chosen, with what would steer its reader made visible. */
export function printable(text) {
  return String(text).replace(STEERS, (char) => `\\u{${char.codePointAt(0).toString(16)}}`);
}
