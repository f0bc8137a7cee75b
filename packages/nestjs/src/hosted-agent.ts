import type { RemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import type { MessageDispatcher } from './message-dispatcher.ts';
import type { MoleculeModuleOptions } from './molecule-options.ts';

/** One agent of the application and what belongs to it. A test may have replaced client and agent by objects with fewer methods. */
export interface HostedAgent {
  readonly name: string;
  readonly options: MoleculeModuleOptions;
  readonly client: RemoteAgentClient;
  readonly agent: RemoteAgent;
  readonly dispatcher: MessageDispatcher;
}
