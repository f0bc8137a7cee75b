import { behaviours } from './behaviour.ts';

/** What a user gets with an installed package. */
export const PACKED = behaviours({
  'packed.old-node': [
    'On a Node that is older than a package needs, importing any of its entries, as an ES module and by require, throws one sentence with the version that it needs and the one that runs; the program of the platform writes it without a stack and exits with 1.',
    'docs/decisions/0120-what-is-packed.md#old-versions-of-node',
  ],
  'packed.node10-resolution': [
    'The declarations of every entry with a CommonJS build compile with the module resolution of Node 10 and without skipLibCheck.',
    'docs/decisions/0120-what-is-packed.md#types',
  ],
  'packed.pages': [
    'Each page that a packed README or declaration names is in the package, so that its links work where it is installed; core and platform have all pages.',
    'docs/decisions/0120-what-is-packed.md#pages-of-docs',
  ],
});
