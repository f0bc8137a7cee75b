import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { nodeRefusal } from './node-refusal.ts';

it('accepts the versions that package.json asks for and no older one', () => {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const oldest = String(manifest.engines.node).replace('>=', '');
  for (const version of [`${oldest}.0`, '22.20.1', '24.0.0', '30.1.0']) {
    expect(nodeRefusal(version), version).toBeUndefined();
  }
  for (const version of ['18.20.8', '20.20.2', '22.18.0', '22.2.0']) {
    expect(nodeRefusal(version), version).toContain(
      `needs Node ${oldest} or newer and this is Node ${version}`,
    );
  }
});
