// Building and keeping DOM nodes. Data only ever becomes text nodes and a few checked attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";
const kept = new WeakMap(); // parent -> Map(key -> {node, sign})

export const $ = (id) => document.getElementById(id);

/** Make an element. `props` are attributes; `class` is a string, `data` becomes data-*; false and null are left out. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "data") Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An icon of the sprite in the page. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Show or hide, and say which. */
export function show(node, visible) {
  node.hidden = !visible;
  return visible;
}

/**
 * Make `parent`'s children be `rows`, each {key, sign, build}. Rows are kept by key and rebuilt only when `sign` changed,
 * so that scrolling, focus and transitions survive.
 */
export function reconcile(parent, rows) {
  const before = kept.get(parent) ?? new Map();
  const after = new Map();
  const wanted = new Set(rows.map((row) => row.key));
  for (const [key, entry] of before) if (!wanted.has(key)) entry.node.remove();
  let cursor = parent.firstChild;
  for (const row of rows) {
    let entry = before.get(row.key);
    if (!entry) entry = { node: row.build(), sign: row.sign };
    else if (entry.sign !== row.sign) {
      repaint(entry.node, row.build());
      entry.sign = row.sign;
    }
    entry.node.dataset.key = row.key;
    after.set(row.key, entry);
    if (entry.node === cursor) cursor = cursor.nextSibling;
    else parent.insertBefore(entry.node, cursor);
  }
  kept.set(parent, after);
}

function repaint(node, fresh) {
  const focused = node.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  for (const name of node.getAttributeNames()) if (!fresh.hasAttribute(name)) node.removeAttribute(name);
  for (const name of fresh.getAttributeNames()) node.setAttribute(name, fresh.getAttribute(name));
  node.replaceChildren(...fresh.childNodes);
  // Where the control is gone, the keyboard stays with what the row is in.
  if (focused) (node.querySelector(focused) ?? node.closest("[tabindex]"))?.focus({ preventScroll: true });
}

/** A selector for a control within its row. */
function nameOf({ dataset: { act, emoji } }) {
  if (!act) return null;
  return `[data-act="${CSS.escape(act)}"]${emoji ? `[data-emoji="${CSS.escape(emoji)}"]` : ""}`;
}

/** The row a click or key press happened in, and what was asked there: {act, key, control} or null. */
export function pressed(event) {
  const control = event.target.closest("[data-act]");
  const row = control?.closest("[data-key]");
  return control && row ? { act: control.dataset.act, key: row.dataset.key, control } : null;
}

/** Fill an avatar with somebody's initials and their own colour. */
export function paintAvatar(node, name, colour) {
  node.textContent = initials(name);
  node.dataset.hue = String(hue(colour));
  return node;
}

export function avatar(name, colour, extra = "") {
  return paintAvatar(h("span", { class: `avatar ${extra}`, "aria-hidden": "true" }), name, colour);
}

function initials(name) {
  const words = (name ?? "").trim().split(/[\s_-]+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const first = (word) => [...word].find((char) => /[\p{L}\p{N}]/u.test(char)) ?? "";
  if (words.length === 0) return [...(name ?? "")][0] ?? "";
  return (first(words[0]) + (words.length > 1 ? first(words[words.length - 1]) : "")).toLocaleUpperCase();
}

function hue(text) {
  let hash = 2166136261;
  for (const char of text ?? "") hash = Math.imul(hash ^ char.codePointAt(0), 16777619);
  return (hash >>> 0) % 12;
}
