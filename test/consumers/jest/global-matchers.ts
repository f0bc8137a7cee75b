import { type MoleculeMatchers, moleculeMatchers } from '@molecule-ai/core/testing';

expect.extend(moleculeMatchers);

declare global {
  namespace jest {
    interface Matchers<R> extends MoleculeMatchers<R> {}
  }
}
