import { behaviours } from './behaviour.ts';

/** What holds for each adapter to a framework; `test/adapter-contract` tries it. */
export const ADAPTERS = behaviours({
  'adapters.run-the-suite': [
    'Each package that has core as its peer runs the suite for adapters; its page lists each way of words to the model and each scenario, tried or with the reason why not.',
    'docs/decisions/0112-suite-for-adapters.md',
  ],
});
