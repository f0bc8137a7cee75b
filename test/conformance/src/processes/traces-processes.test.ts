import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { LogFile, ProgramProcess } from '@molecule-tests/harness';
import { expect, vi } from 'vitest';
import { asUser, lineagesOf, recordOf, type SpanRecord } from '../harness/lineages.ts';
import { createMember, type Member } from '../harness/members.ts';
import { recordTelemetry } from '../harness/telemetry.ts';
import { onEachDatabase, type TestEnvironment } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

const harness = (file: string) => fileURLToPath(new URL(`../harness/${file}`, import.meta.url));
const AGENT = harness('tracing-agent-program.ts');
const RECORDER = pathToFileURL(harness('record-spans-program.ts')).href;

vi.setConfig({ testTimeout: 60_000 });

/** The spans of processes, each named by its process. */
class SpanFiles {
  readonly #folder: string;
  readonly #names: string[] = [];

  constructor(environment: TestEnvironment) {
    this.#folder = environment.folder();
  }

  /** Makes a process record its spans. */
  environmentOf(name: string): Readonly<Record<string, string>> {
    this.#names.push(name);
    return { NODE_OPTIONS: `--import ${RECORDER}`, SPANS_FILE: this.#fileOf(name) };
  }

  spans(): readonly SpanRecord[] {
    return this.#names.flatMap((process) => {
      if (!existsSync(this.#fileOf(process))) return [];
      const spans = new LogFile(this.#fileOf(process)).entries as unknown as SpanRecord[];
      return spans.map((span) => ({ ...span, name: `${process} ${span.name}` }));
    });
  }

  #fileOf(name: string): string {
    return join(this.#folder, `${name}.jsonl`);
  }
}

onEachDatabase('traces over processes', { onDisk: true }, (environment) => {
  verifies(
    'tracing.across-processes',
    'of a platform and three agents, each in a process of its own',
    async () => {
      const files = new SpanFiles(environment);
      const platform = await environment.platformProcess({
        environment: {
          ...files.environmentOf('platform'),
          EXTERNAL_PLATFORM_URL: 'https://molecule.example.com',
        },
      });
      const startAgent = async (name: string, { id, token }: Member, given: Record<string, string>) => {
        const folder = environment.folder();
        const program = new ProgramProcess({
          name,
          program: AGENT,
          folder,
          environment: {
            ...files.environmentOf(name),
            MOLECULE_PLATFORM_URL: platform.url,
            MOLECULE_WORKSPACE_ID: id,
            MOLECULE_WORKSPACE_TOKEN: token,
            MOLECULE_STATE_DIR: folder,
            ...given,
          },
        });
        environment.onCleanup(async () => void (await program.stop()));
        await program.waitForEvent('online');
      };
      const members = await Promise.all(
        ['pushed', 'polling', 'called'].map((name) => createMember(platform, { name })),
      );
      const [pushed, polling, called] = members as [Member, Member, Member];
      await startAgent('called', called, { SERVES: 'yes' });
      await startAgent('polling', polling, { NEXT: called.id });
      await startAgent('pushed', pushed, { SERVES: 'yes', NEXT: polling.id, VIA: 'proxy' });

      const telemetry = recordTelemetry(environment);
      const reply = await asUser(() => environment.operator(platform).sendMessage(pushed.id, 'go'));
      expect(reply.text).toBe('proxy, direct, done');

      const first = 'user > send_message > platform accept';
      const second = `${first} > platform push > pushed handle > pushed call_peer > platform accept`;
      const expected = [
        'user',
        'user > send_message',
        first,
        `${first} > platform push`,
        `${first} > platform push > pushed handle`,
        `${first} > platform push > pushed handle > pushed call_peer`,
        `${first} > platform push > platform outcome`,
        second,
        `${second} > platform outcome`,
        `${second} > polling handle`,
        `${second} > polling handle > polling reply`,
        `${second} > polling handle > polling reply > platform accept`,
        `${second} > polling handle > polling call_peer`,
        `${second} > polling handle > polling call_peer > called handle`,
      ].sort();
      const lineages = () => lineagesOf([...telemetry.spans().map(recordOf), ...files.spans()]);
      await expect.poll(lineages, { timeout: 10_000 }).toEqual(expected);
    },
  );
});
