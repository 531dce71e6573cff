// What a database runs with: its options and their defaults, as the engine announces them.

import { Panel, Table } from './dom.js';
import { bytes } from './format.js';

const size = (name, value) => (/_bytes(_per_second)?$/.test(name) && /^\d+$/.test(value) ? `${value} (${bytes(Number(value))})` : value);

export function configuration(width = 'half') {
  const panel = new Panel(31, 'Configuration', 'What is it really running with?', width);
  const table = new Table('Options of the database', [{ title: 'option of the database', name: true }, { title: 'value' }, { title: 'default' }, { title: 'source', help: 'Whether the value is another one than the default' }]);
  panel.body.append(table.node);
  panel.draw = store => {
    const options = Object.entries(store.tree?.options ?? {});
    const defaults = store.tree?.option_defaults ?? {};
    const rows = options.map(([name, value]) => {
      const own = defaults[name];
      const is = own === undefined ? '–' : own === value ? 'default' : 'set';
      return { mark: is === 'set' ? 'changed' : null, cells: [name, size(name, value), is === 'set' ? size(name, own) : '', is] };
    });
    // What somebody chose comes first.
    table.fill([...rows.filter(row => row.mark), ...rows.filter(row => !row.mark)]);
    return options.length === 0 ? 'The options have not been announced yet.' : null;
  };
  return panel;
}
