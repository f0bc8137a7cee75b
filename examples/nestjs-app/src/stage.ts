import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createRemoteAgent, type MessageHandler, RemoteAgentClient, silentLogger } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createPlatform, type Platform } from '@molecule-ai/platform';
import { ProgramProcess } from '@molecule-tests/harness';

/** The application in a process of its own. */
export interface RunningApplication {
  readonly process: ProgramProcess;
  request(method: string, path: string, body?: object, key?: string): Promise<Response>;
  /** Asks for the health until it has this status, and returns its body. */
  untilHealth(status: number): Promise<string>;
}

/** A platform in this process, a peer of the application, and a workspace for it. All of it ends with the stage. */
export interface Stage {
  readonly platform: Platform;
  readonly operator: OperatorClient;
  readonly applicationId: string;
  readonly databaseFile: string;
  readonly supplierId: string;
  /** Only calls. */
  readonly customer: RemoteAgentClient;
  start(): Promise<RunningApplication>;
}

/** @param ends what is to be disposed of in the end */
export async function openStage(
  ends: AsyncDisposableStack,
  argument: string,
  supplierAnswer: MessageHandler,
): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'molecule-nestjs-app-'));
  ends.defer(() => rm(folder, { recursive: true, force: true }));
  const platform = await createPlatform({
    mode: 'dev',
    server: {
      port: 0,
      // Named in the tokens of direct calls; nobody connects to it here.
      publicUrl: 'http://localhost',
      // `delegate_task` of the Python SDK is in no schema of A2A.
      contractCheck: 'responses',
    },
    data: { directory: ':memory:' },
  });
  ends.defer(() => platform.close());
  const { url: platformUrl, operatorKey } = platform;
  const operator = new OperatorClient({ platformUrl, operatorKey });
  ends.defer(() => operator.close());

  const workspace = async (name: string) => {
    const { id, authToken } = await operator.createWorkspace({ name });
    return { workspaceId: id, authToken: authToken ?? '', storage: { directory: join(folder, name) } };
  };
  const client = async (name: string) => {
    const options = await workspace(name);
    const made = new RemoteAgentClient({
      ...options,
      platformUrl,
      agentCard: { name },
      logger: silentLogger,
    });
    ends.defer(() => made.close());
    return made;
  };
  const supplier = await client('supplier');
  const agent = createRemoteAgent({ client: supplier, onMessage: supplierAnswer, concurrency: 64 });
  ends.defer(() => agent.stop());
  await agent.start();
  const customer = await client('customer');
  await customer.register();

  const application = await workspace('orders');
  const [port, key] = [await freePort(), randomBytes(12).toString('hex')];
  const url = `http://127.0.0.1:${port}`;
  const databaseFile = join(folder, 'orders.db');
  const environment = {
    MOLECULE_PLATFORM_URL: platformUrl,
    MOLECULE_WORKSPACE_ID: application.workspaceId,
    MOLECULE_WORKSPACE_TOKEN: application.authToken,
    MOLECULE_STATE_DIR: application.storage.directory,
    MOLECULE_REPORTED_URL: `${url}/a2a`,
    PORT: String(port),
    API_KEY: key,
    DATABASE_FILE: databaseFile,
    SUPPLIER_ID: supplier.workspaceId,
    HEARTBEAT_INTERVAL_MS: '1000',
    LOG_FORMAT: 'json',
  };

  const start = async (): Promise<RunningApplication> => {
    const program = fileURLToPath(new URL('./server.js', import.meta.url));
    const running = new ProgramProcess({
      name: 'application',
      program,
      arguments: [argument],
      environment,
      folder,
    });
    ends.defer(() => running.kill());
    await running.waitForLog((lines) =>
      lines.find(({ message }) => String(message).startsWith('Messages are pushed')),
    );
    const request: RunningApplication['request'] = (method, path, body, given = key) =>
      fetch(`${url}${path}`, {
        method,
        headers: { 'x-api-key': given, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    return {
      process: running,
      request,
      untilHealth: async (status) => {
        for (;;) {
          // As a load balancer asks: without a key.
          const response = await fetch(`${url}/health`);
          const text = await response.text();
          if (response.status === status) return text;
          await setTimeout(50);
        }
      },
    };
  };
  return {
    platform,
    operator,
    applicationId: application.workspaceId,
    databaseFile,
    supplierId: supplier.workspaceId,
    customer,
    start,
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
