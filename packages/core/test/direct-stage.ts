import type { JsonObject } from '@molecule-ai/protocol';
import { PEER } from './agent-ids.ts';
import { AgentClientDouble, type StageOptions } from './agent-stage.ts';
import { type ArrivalStage, arrivalStage, pushOf, type Received } from './arrival-stage.ts';
import { ISSUER, TestSigner } from './peer-tokens.ts';

/** An agent that receives direct messages with tokens. */
export interface DirectStage extends ArrivalStage {
  /** Posts a message with a token of this peer for this agent. */
  direct(id: string, options?: DirectOptions): Promise<{ readonly response: Promise<Received> }>;
  /** Posts a request with a token. */
  ask(method: string, id: string, claims?: JsonObject): Promise<Received>;
}

export interface DirectOptions {
  readonly from?: string;
  /** @default `direct` */
  readonly use?: 'direct' | 'push';
  readonly text?: string;
  readonly message?: JsonObject;
  readonly metadata?: JsonObject;
  readonly holdSeconds?: number;
  readonly method?: string;
}

/** Starts an agent with `inboundAuth: 'peer-tokens'`. */
export async function directStage(
  options: StageOptions = {},
  client = new AgentClientDouble(),
): Promise<DirectStage> {
  const signer = await TestSigner.start(client.clock);
  client.issuer = ISSUER;
  client.keys = await signer.jwks();
  const stage = await arrivalStage({ ...options, inboundAuth: 'peer-tokens' }, client);
  const bearer = async (claims: JsonObject): Promise<Record<string, string>> => ({
    authorization: `Bearer ${await signer.token({ use: 'direct', ...claims })}`,
  });
  return {
    ...stage,
    direct: async (id, { from = PEER, use = 'direct', holdSeconds = 25, ...given } = {}) => {
      const headers = { ...(await bearer({ sub: from, use })), 'x-timeout': String(holdSeconds) };
      // Verified before, because that takes more than the turns of a flush.
      await stage.agent.inbound.authenticate(new Headers(headers));
      const { method = 'message/send', ...rest } = given;
      const response = stage.post({ ...pushOf(id, rest), method }, { headers });
      await client.flushPromises();
      return { response };
    },
    ask: async (method, id, claims = {}) =>
      stage.post(
        { jsonrpc: '2.0', id: 1, method, params: { id } },
        { headers: await bearer({ sub: PEER, ...claims }) },
      ),
  };
}
