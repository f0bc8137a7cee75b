import { behaviours } from './behaviour.ts';

export const DOCUMENTS = behaviours({
  'documents.first-minute': [
    'The first minute of each README works on the oldest supported Node and on Node 24.',
    'docs/decisions/0001-published-pages-work.md',
    'test:packed',
  ],
  'documents.first-minute-of-a-clone': [
    'The first minute of the README works with the packages of a clone.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.first-agent': [
    'The commands of the guide "A first agent" lead from an empty folder to an agent that answers.',
    'docs/decisions/0001-published-pages-work.md',
    'test:packed',
  ],
  'documents.first-agent-errors': [
    'The agent of the first guide prints the texts of its table "When it does not work".',
    'docs/decisions/0001-published-pages-work.md',
    'test:packed',
  ],
  'documents.from-a-clone': [
    'The commands of the README install the packages and start the platform from a clone.',
    'docs/decisions/0001-published-pages-work.md',
    'test:packed',
  ],
  'documents.guides': [
    'The commands and programs in the guides and READMEs do what these pages say.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.handler-tables': [
    'The README of core lists every field that a handler gets and every event of an agent.',
    'docs/decisions/0015-inbound-message.md; docs/decisions/0001-published-pages-work.md',
  ],
  'documents.from-the-python-sdk': [
    'An agent goes on where an agent of the Python SDK stopped, with its token and its position.',
    'docs/contract/compatibility.md#python-sdk-readme',
  ],
  'packed.old-node': [
    'On a Node that is too old, importing a package throws one sentence with the version needed.',
    'docs/decisions/0120-what-is-packed.md#old-versions-of-node',
    'test:packed',
  ],
  'packed.types': [
    'The published types compile in ES modules, in CommonJS and with the module resolution of Node 10.',
    'docs/decisions/0039-types-cross-module-formats.md; docs/decisions/0120-what-is-packed.md#types',
    'test:packed',
  ],
  'packed.pages': [
    'Each package contains the pages that its README and its declarations link to.',
    'docs/decisions/0120-what-is-packed.md#pages-of-docs',
    'test:packed',
  ],
});
