// Elements. Text from the server becomes text nodes: there is no other way here, and so none for markup in keys and names.

/** An element: `h('td', {class: 'n'}, 'text', child)`. Properties that begin with `on` are listeners. */
export function h(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  set(node, properties);
  node.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return node;
}

/** The same for SVG. */
export function svg(tag, properties = {}, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  set(node, properties);
  node.append(...children);
  return node;
}

function set(node, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
}

/** Writes a text if it is another one. */
export function text(node, value) {
  const words = String(value);
  if (node.textContent !== words) node.textContent = words;
}

/** Sets or removes an attribute if it has to be. */
export function attribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/**
 * A panel. `number` is its place in the list of panels, `question` what it answers. `draw(store)` is called every second
 * while it is in sight, and returns a sentence if there is nothing to show.
 */
export class Panel {
  constructor(number, title, question, size = '') {
    this.number = number;
    this.title = title;
    this.body = h('div', { class: 'body' });
    this.empty = h('p', { class: 'empty', hidden: true });
    this.tools = h('div', { class: 'panel-tools' });
    this.heading = h('h3', {}, title);
    this.node = h('section', { class: `panel ${size}`, 'data-panel': number, 'aria-label': title },
      h('header', {}, h('div', {}, this.heading, h('p', { class: 'question' }, question)), this.tools), this.body, this.empty);
    this.visible = false;
    this.draw = () => null;
  }

  show(store) {
    const sentence = this.draw(store) ?? null;
    this.body.hidden = sentence !== null;
    this.empty.hidden = sentence === null;
    if (sentence !== null) text(this.empty, sentence);
    attribute(this.node, 'data-state', sentence === null ? 'live' : 'empty');
  }
}

/** A section of panels under a heading, with tools beside it. */
export function section(id, title, panels, tools) {
  return h('section', { id, class: 'section', 'aria-labelledby': `${id}-title` },
    h('div', { class: 'section-head' }, h('h2', { id: `${id}-title` }, title), tools), h('div', { class: 'grid' }, panels.map(panel => panel.node)));
}

/** A table whose rows are kept and whose cells are rewritten. `columns`: `{title, numeric, name}`. */
export class Table {
  constructor(caption, columns) {
    this.columns = columns;
    this.rows = h('tbody');
    const heads = columns.map(column => h('th', { scope: 'col', class: column.numeric && 'n', title: column.help }, column.title));
    this.table = h('table', {}, h('caption', { class: 'unseen' }, caption), h('thead', {}, h('tr', {}, heads)), this.rows);
    this.node = h('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': caption }, this.table);
  }

  /** Each row is a list of texts or nodes, or `{cells, mark}`. */
  fill(rows) {
    const body = this.rows;
    while (body.rows.length > rows.length) body.deleteRow(-1);
    rows.forEach((row, at) => {
      const cells = row.cells ?? row;
      const line = body.rows[at] ?? body.insertRow();
      attribute(line, 'class', row.mark ?? null);
      cells.forEach((cell, place) => {
        let box = line.cells[place];
        if (!box) {
          const column = this.columns[place];
          box = column.name ? h('th', { scope: 'row' }) : h('td', { class: column.numeric && 'n' });
          line.append(box);
        }
        if (cell instanceof Node) {
          if (box.firstChild !== cell) box.replaceChildren(cell);
        } else {
          text(box, cell);
        }
      });
    });
  }
}

/** Labelled figures in two columns. */
export class Figures {
  constructor() {
    this.node = h('dl', { class: 'figures' });
    this.known = new Map();
  }

  fill(pairs) {
    const names = new Set(pairs.map(([name]) => name));
    for (const [name, box] of this.known) {
      if (!names.has(name)) {
        box.parentNode.remove();
        this.known.delete(name);
      }
    }
    for (const [name, value, help] of pairs) {
      let box = this.known.get(name);
      if (!box) {
        box = h('dd');
        this.node.append(h('div', { title: help }, h('dt', {}, name), box));
        this.known.set(name, box);
      }
      text(box, value);
    }
  }
}

/** Buttons of which one is pressed. */
export function segmented(group, choices, chosen, choose) {
  const buttons = choices.map(([value, label]) => h('button', {
    type: 'button', 'aria-pressed': value === chosen,
    onclick: () => {
      buttons.forEach((button, at) => button.setAttribute('aria-pressed', choices[at][0] === value));
      choose(value);
    },
  }, label));
  buttons.forEach((button, at) => button.setAttribute('aria-pressed', choices[at][0] === chosen));
  group.replaceChildren(...buttons);
  return group;
}

/** A bar of parts: `[[name, share of the whole, colour class], …]`. What it says is in words beside it. */
export class Bar {
  constructor(label) {
    this.node = h('div', { class: 'parts', role: 'img', 'aria-label': label });
    this.label = label;
  }

  fill(parts) {
    while (this.node.children.length > parts.length) this.node.lastChild.remove();
    parts.forEach(([, share, tone], at) => {
      const part = this.node.children[at] ?? this.node.appendChild(h('i'));
      part.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
      attribute(part, 'class', tone);
    });
    attribute(this.node, 'aria-label', `${this.label}: ${parts.map(([name, share]) => `${name} ${Math.round(share * 100)} %`).join(', ')}`);
  }
}
