import type { AgentCard, Capability, DeliveryMode } from '@molecule-ai/protocol';
import type { Logger } from '../logging/logger.ts';
import type { Clock } from '../time/clock.ts';
import type { ClientContext } from './client-context.ts';

/** Who a client is, and what it knows without a request. */
export class ClientIdentity {
  readonly #context: ClientContext;
  /** The words of which {@link #capabilities} is a copy. */
  #copied: ReadonlySet<Capability> | undefined;
  #capabilities: ReadonlySet<Capability> = new Set();

  constructor(context: ClientContext) {
    this.#context = context;
  }

  /** Lower case. */
  get workspaceId(): string {
    return this.#context.settings.workspaceId;
  }

  /** Without trailing slash. */
  get platformUrl(): string {
    return this.#context.settings.platformUrl;
  }

  get deliveryMode(): DeliveryMode {
    return this.#context.settings.deliveryMode;
  }

  /** The URL under which the platform reaches this agent; `null` when it polls. */
  get reportedUrl(): string | null {
    return this.#context.settings.reportedUrl;
  }

  /** The agent's card, as it was given or last updated. */
  get agentCard(): AgentCard {
    return this.#context.profile.card;
  }

  /** The folder of the agent's private files; absolute. */
  get stateDirectory(): string {
    return this.#context.settings.stateDirectory;
  }

  /** Redacts credentials. */
  get logger(): Logger {
    return this.#context.logger;
  }

  get clock(): Clock {
    return this.#context.settings.clock;
  }

  /** What the platform offers, as its latest response named it; empty before the first one, and for older platforms. */
  get capabilities(): ReadonlySet<Capability> {
    const { words } = this.#context.transport.capabilities;
    if (this.#copied !== words) {
      this.#copied = words;
      // The clients of one platform share the set.
      this.#capabilities = new Set(words);
    }
    return this.#capabilities;
  }
}
