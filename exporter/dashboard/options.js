// What a database runs with: its options, as the engine announces them.

import { Panel, Table } from './dom.js';
import { bytes } from './format.js';

const size = (name, value) => (/_bytes(_per_second)?$/.test(name) && /^\d+$/.test(value) ? `${value} (${bytes(Number(value))})` : value);

export function configuration() {
  const panel = new Panel(31, 'Configuration', 'What is it really running with?', 'half');
  const table = new Table('Options of the database', [{ title: 'option of the database', name: true }, { title: 'value' }]);
  panel.body.append(table.node);
  panel.draw = store => {
    const options = Object.entries(store.tree?.options ?? {});
    table.fill(options.map(([name, value]) => [name, size(name, value)]));
    return options.length === 0 ? 'The options have not been announced yet.' : null;
  };
  return panel;
}
