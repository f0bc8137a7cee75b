import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RemoteAgentClient, type RemoteAgentClientOptions } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { type ScriptedAgent, type ScriptedAgentOptions, startScriptedAgent } from '@molecule-tests/harness';
import { afterEach, beforeEach, describe } from 'vitest';
import { DATABASES, type DatabaseKind } from './databases.ts';
import { Http } from './http.ts';
import {
  type KillablePlatform,
  type KillablePlatformOptions,
  startKillablePlatform,
} from './killable-platform.ts';
import { expectNothingOpen, openHandles } from './open-handles.ts';
import { type RunningPlatform, startPlatform, type TestPlatformOptions } from './running-platform.ts';

export interface EachDatabaseOptions {
  /** The rows of the database outlive the platform, for tests that restart it. @default false */
  readonly onDisk?: boolean;
}

type Suite = (environment: TestEnvironment) => void;

/** Declares the same tests for each database. Each test starts with an empty environment. */
export function onEachDatabase(title: string, suite: Suite): void;
export function onEachDatabase(title: string, options: EachDatabaseOptions, suite: Suite): void;
export function onEachDatabase(title: string, ...rest: [Suite] | [EachDatabaseOptions, Suite]): void {
  const [options, suite] = rest.length === 1 ? [{}, rest[0]] : rest;
  describe.each(DATABASES)(`${title} on $name`, (database) => {
    const environment = new TestEnvironment(database, options);
    beforeEach(() => environment.begin());
    afterEach(() => environment.end());
    suite(environment);
  });
}

/** Starts what a test needs. All of it ends with the test, and nothing may stay open. */
export class TestEnvironment {
  readonly database: DatabaseKind;
  readonly #onDisk: boolean;
  #http = new Http();
  #handlesBefore = 0;
  readonly #cleanups: (() => void | Promise<void>)[] = [];

  constructor(database: DatabaseKind, { onDisk = false }: EachDatabaseOptions = {}) {
    this.database = database;
    this.#onDisk = onDisk;
  }

  /** Starts a platform on an empty database of this kind. */
  async platform(options: TestPlatformOptions = {}): Promise<RunningPlatform> {
    const database = this.database.prepare(this.#onDisk);
    this.onCleanup(() => database.dispose());
    const platform = await startPlatform(options, database, this.#http);
    this.onCleanup(() => platform.stop());
    return platform;
  }

  /** Starts a platform in a process of its own, on an empty database on disk. */
  async platformProcess(options?: KillablePlatformOptions): Promise<KillablePlatform> {
    const platform = await startKillablePlatform(this.folder(), this.#http, options);
    this.onCleanup(() => platform.stop());
    return platform;
  }

  async scriptedAgent(options: ScriptedAgentOptions): Promise<ScriptedAgent> {
    const agent = await startScriptedAgent(options);
    this.onCleanup(() => agent.stop());
    return agent;
  }

  /** An agent's client; without a token, and with a state folder of its own, unless `options` say otherwise. */
  client(
    platform: { readonly url: string },
    agent: { readonly id: string; readonly token?: string },
    options: RemoteAgentClientOptions = {},
  ): RemoteAgentClient {
    const client = new RemoteAgentClient({
      platformUrl: platform.url,
      workspaceId: agent.id,
      authToken: agent.token,
      ...options,
      storage: { directory: this.folder(), ...options.storage },
    });
    this.onCleanup(() => client.close());
    return client;
  }

  operator(platform: { readonly url: string; readonly operatorKey: string }): OperatorClient {
    const client = new OperatorClient({ platformUrl: platform.url, operatorKey: platform.operatorKey });
    this.onCleanup(() => client.close());
    return client;
  }

  /** An empty folder. */
  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'molecule-conformance-'));
    this.onCleanup(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }

  /** Runs `cleanup` after the test, before that of anything started earlier. */
  onCleanup(cleanup: () => void | Promise<void>): void {
    this.#cleanups.push(cleanup);
  }

  /** Waits until `measure` returns the same number in 500 consecutive turns of the event loop. */
  async untilStable(measure: () => number): Promise<number> {
    let last = measure();
    for (let same = 0; same < 500; same += 1) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      const now = measure();
      if (now !== last) same = 0;
      last = now;
    }
    return last;
  }

  begin(): void {
    this.#http = new Http();
    this.#handlesBefore = openHandles().length;
  }

  /** Runs every cleanup in reverse order, even if one fails, and checks that nothing stays open. */
  async end(): Promise<void> {
    const failures: unknown[] = [];
    for (const cleanup of this.#cleanups.splice(0).reverse()) {
      await Promise.resolve()
        .then(cleanup)
        .catch((error: unknown) => failures.push(error));
    }
    await this.#http.close();
    for (const response of this.#http.uncoded)
      failures.push(new Error(`no code of the closed list: ${response}`));
    if (failures.length > 0) throw new AggregateError(failures, 'a cleanup failed');
    await expectNothingOpen(this.#handlesBefore);
  }
}
