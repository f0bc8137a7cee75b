/** What tests of applications use. A test pins this list of exports. */
export {
  MoleculeTesting,
  MoleculeTestingModule,
  type MoleculeTestingOptions,
} from './testing/molecule-testing.ts';
