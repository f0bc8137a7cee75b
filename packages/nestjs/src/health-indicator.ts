import { type AgentHealth, ConfigurationError } from '@molecule-ai/core';
import { shape } from '@molecule-ai/core/adapter-kit';
import type { ModulesContainer } from '@nestjs/core';
import type { HostedAgent } from './hosted-agent.ts';
import { agentLabel, disabledBy, UNNAMED } from './molecule-options.ts';

/** As the health checks of Terminus take it. */
export type MoleculeHealthResult = Record<string, MoleculeHealthStatus>;

/** Whether all is well with an agent; `details` are those of `agent.health()`, without texts of others. */
export interface MoleculeHealthStatus {
  readonly status: 'up' | 'down';
  readonly state?: AgentHealth['state'];
  readonly presence?: AgentHealth['presence'];
  readonly delivery?: string;
  readonly degradedReasons?: readonly string[];
  readonly lastHeartbeatAt?: string | null;
  readonly lastInboundAt?: string | null;
  readonly inFlight?: number;
  readonly deadLetters?: number;
  /** Why the agent has ended, such as `unauthorized` or `workspace_in_use`; `null` before. */
  readonly endReason?: string | null;
  /** Of several agents, each by its name; that of the agent without a name is `default`. */
  readonly agents?: Readonly<Record<string, MoleculeHealthStatus>>;
}

class HealthShape {
  /** The name of the agent. @default all agents of the application, of which one that is down is enough */
  agent = shape.given<string>();
}

export interface MoleculeHealthOptions extends shape.OptionsOf<HealthShape> {}

const OPTIONS = shape.optionsSchema(new HealthShape());

/**
 * Health of the agents for `@nestjs/terminus` 10, 11 and 12, or for a controller of your own: down when an agent does not run, has lost the
 * platform, or sends heartbeats and receives nothing. A paused agent is up. It makes no request.
 *
 * @example
 * check() { return this.health.check([() => this.molecule.isHealthy('molecule')]); }
 */
export class MoleculeHealthIndicator {
  readonly #agents: readonly HostedAgent[];
  readonly #modules: ModulesContainer;

  constructor(agents: readonly HostedAgent[], modules: ModulesContainer) {
    this.#agents = agents;
    this.#modules = modules;
  }

  /**
   * For the list of a health check of Terminus.
   * @throws with Terminus 10 what it takes for a check that failed; with later versions and without it, the result says so.
   */
  async isHealthy(key = 'molecule', options: MoleculeHealthOptions = {}): Promise<MoleculeHealthResult> {
    const result = this.check(key, options);
    if (result[key]?.status === 'up' || !this.#isTerminus10()) return result;
    // What `HealthCheckError` of Terminus 10 is recognised by; later versions do not have the class.
    throw Object.assign(new Error('An agent is not well.'), { isHealthCheckError: true, causes: result });
  }

  /** The same without Terminus: never throws for an agent that is down. */
  check(key = 'molecule', options: MoleculeHealthOptions = {}): MoleculeHealthResult {
    const { agent } = shape.parseOptions('The check of an agent', OPTIONS, Object(options));
    const chosen = this.#agents.filter(({ name }) => agent === undefined || name === agent);
    const [only] = chosen;
    if (only === undefined) {
      throw new ConfigurationError(
        `There is no ${agentLabel(agent ?? '').replace(/^the /, '')} whose health could be checked.`,
        {
          hint: "Name an agent of the application, such as { agent: 'support' } for forRoot({ name: 'support' }).",
        },
      );
    }
    if (chosen.length === 1) return { [key]: statusOf(only) };
    const entries = chosen.map((each) => [each.name || UNNAMED, statusOf(each)] as const);
    const isDown = entries.some(([, { status }]) => status === 'down');
    return { [key]: { status: isDown ? 'down' : 'up', agents: Object.fromEntries(entries) } };
  }

  /** By the providers of its module: only later versions have a service for indicators. */
  #isTerminus10(): boolean {
    const terminus = [...this.#modules.values()].find(({ name }) => name === 'TerminusModule');
    if (terminus === undefined) return false;
    const names = [...terminus.providers.keys()].map((token) =>
      typeof token === 'function' ? token.name : '',
    );
    return !names.includes('HealthIndicatorService');
  }
}

function statusOf({ agent, options }: HostedAgent): MoleculeHealthStatus {
  if (disabledBy(options) !== undefined) return { status: 'up', state: 'stopped' };
  // A double of a test may have no health.
  if (typeof agent.health !== 'function') return { status: 'up' };
  const {
    ok,
    state,
    presence,
    delivery,
    degradedReasons,
    lastHeartbeatAt,
    lastInboundAt,
    inFlight,
    deadLetters,
    endReason,
  } = agent.health();
  return {
    status: ok ? 'up' : 'down',
    state,
    presence,
    delivery,
    degradedReasons,
    lastHeartbeatAt,
    lastInboundAt,
    inFlight,
    deadLetters,
    endReason,
  };
}
