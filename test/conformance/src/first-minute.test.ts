import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';
import { stepsOf } from './harness/documents.ts';
import { areInstalled } from './harness/programs.ts';
import { Reader } from './harness/reader.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const PACKAGES = fileURLToPath(new URL('../../../packages/', import.meta.url));
const INSTALL = 'npm install @molecule-ai/core @molecule-ai/platform\n';
/** The packages of this repository as they are built, in place of published ones. */
const LINK = `mkdir -p node_modules/@molecule-ai node_modules/.bin
ln -s ${PACKAGES}core ${PACKAGES}platform node_modules/@molecule-ai
ln -s ../@molecule-ai/platform/dist/main.js node_modules/.bin/molecule-platform
`;

vi.setConfig({ testTimeout: 60_000 });

onEachDatabase('the first minute', (environment) => {
  verifies('documents.first-minute-of-a-clone', async ({ onTestFailed }) => {
    if (!areInstalled('curl')) return;
    const reader = new Reader(environment, 'http://127.0.0.1:1/');
    onTestFailed(() => void process.stderr.write(reader.transcript()));
    reader.useNode(dirname(process.execPath));
    const steps = stepsOf('README.md', 'Sixty seconds').map((step) =>
      step.kind === 'file' ? step : { ...step, code: step.code.replace(INSTALL, LINK) },
    );
    expect(JSON.stringify(steps)).toContain('ln -s');
    await reader.follow(steps);
    await reader.interrupt();
  });
});
