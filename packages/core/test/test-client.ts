import { RemoteAgentClient } from '../src/agent/remote-agent-client.ts';
import { type ClientPort, clientPort } from '../src/client/client-port.ts';
import { OperatorClient } from '../src/client/operator-client.ts';
import { MemoryTokenStore } from '../src/credentials/token-store.ts';
import type {
  OperatorClientOptions,
  RemoteAgentClientOptions,
  TokenStore,
} from '../src/settings/client-settings.ts';
import { type RecordingLogger, recordingLogger } from '../src/testing/recording-logger.ts';
import { SELF, TOKEN } from './agent-ids.ts';
import { InstantClock } from './instant-clock.ts';
import { type ScriptedResponse, ScriptedServer } from './scripted-server.ts';

/** A client and its scripted server. */
export interface ClientStage extends AsyncDisposable {
  readonly client: RemoteAgentClient;
  readonly port: ClientPort;
  readonly server: ScriptedServer;
  readonly store: MemoryTokenStore;
  readonly clock: InstantClock;
  readonly logger: RecordingLogger;
}

/** Starts a scripted server and a client that has a token and whose sleeps end immediately. */
export async function stage(
  script: ScriptedResponse | ScriptedResponse[] = [],
  options: RemoteAgentClientOptions & { token?: string | null; basePath?: string } = {},
): Promise<ClientStage> {
  const server = await ScriptedServer.start(...(Array.isArray(script) ? script : [script]));
  const clock = new InstantClock();
  const logger = recordingLogger();
  const { token = TOKEN, basePath = '', ...rest } = options;
  const store = new MemoryTokenStore(token ?? undefined);
  const client = new RemoteAgentClient({
    workspaceId: SELF,
    platformUrl: server.url + basePath,
    logger,
    ...rest,
    connection: { clock, random: () => 0.5, ...rest.connection },
    storage: { tokenStore: store, ...rest.storage },
  });
  return {
    client,
    port: clientPort(client),
    server,
    store,
    clock,
    logger,
    async [Symbol.asyncDispose]() {
      await client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

export const OPERATOR_KEY = 'operator-key-1';

/** A client of an operator and its scripted server. */
export async function operatorStage(
  script: ScriptedResponse | ScriptedResponse[] = [],
  options: OperatorClientOptions = {},
): Promise<{ client: OperatorClient; server: ScriptedServer } & AsyncDisposable> {
  const server = await ScriptedServer.start(...(Array.isArray(script) ? script : [script]));
  const client = new OperatorClient({
    platformUrl: server.url,
    operatorKey: OPERATOR_KEY,
    ...options,
    connection: { clock: new InstantClock(), random: () => 0.5, ...options.connection },
  });
  return {
    server,
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** A token store whose reads are counted; the first `failures` of them fail. */
export class CountingTokenStore extends MemoryTokenStore implements TokenStore {
  loads = 0;
  #failures: number;

  constructor(token?: string, failures = 0) {
    super(token);
    this.#failures = failures;
  }

  override async load(): Promise<string | undefined> {
    this.loads += 1;
    if (this.loads <= this.#failures) throw new Error('unreadable');
    return super.load();
  }
}
