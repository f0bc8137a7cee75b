import { expect, it, vi } from 'vitest';
import { OldNode, type OldNodeVersion } from '../projects/index.ts';
import { verifies } from '../verifies.ts';

const VERSIONS: readonly OldNodeVersion[] = ['20', '22.12'];
const FORMATS = ['esm', 'cjs'] as const;
/** Runs there, because pages of browsers and older servers use it as well. */
const RUNS_ANYWHERE = '@molecule-ai/protocol';

vi.setConfig({ testTimeout: 60_000 });

verifies('packed.old-node', () => {
  for (const version of VERSIONS) {
    const node = new OldNode(version);
    const refusal = (name: string) => `${name} needs Node 22.19 or newer and this is Node ${node.version}: `;
    for (const format of FORMATS) {
      const failures = Object.entries(node.importEntries(format));
      const asExpected = failures.map(([entry]) => {
        const name = entry.split('/').slice(0, 2).join('/');
        const message = `${refusal(name)}install a newer one from https://nodejs.org.`;
        return [entry, name === RUNS_ANYWHERE ? null : { message, code: 'configuration_invalid' }];
      });
      expect(failures).toEqual(asExpected);
      expect(failures.length).toBeGreaterThan(12);
    }
    const uncaught = node.run(['--input-type=module', '--eval', "import '@molecule-ai/core'"]);
    const lines = uncaught.errors.split('\n').filter((line) => line !== '');
    // Node writes the place first.
    expect(lines.slice(0, 4)).toEqual([
      expect.stringMatching(/node-check\.js:\d+$/),
      "  throw Object.assign(new Error(message), { code: 'configuration_invalid' });",
      expect.stringMatching(/^ +\^$/),
      expect.stringContaining(`Error: ${refusal('@molecule-ai/core')}`),
    ]);
    expect(node.run([node.binOf('platform'), '--dev', '--memory', '--port', '0'])).toEqual({
      status: 1,
      output: '',
      errors: expect.stringMatching(/^molecule-platform needs Node 22\.19 or newer [^\n]+\n$/),
    });
  }
});

it('there is an entry of each package in the lists', () => {
  const names = Object.keys(new OldNode('22.12').importEntries('esm'));
  for (const name of ['ai-sdk', 'core/inbound', 'langchain', 'nestjs/testing', 'net-guard', 'telemetry'])
    expect(names).toContain(`@molecule-ai/${name}`);
});
