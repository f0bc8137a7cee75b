import * as z from 'zod';
import { urlText } from './field-limits.ts';
import { JsonObject, withOtherKeys } from './open-json.ts';
import { type WireBuilder, type WireType, wire } from './wire.ts';

/**
 * One skill of a card: a plain name, as the External Agents page prints it, or an object as in A2A 0.3,
 * section 5.5. Write objects; the canvas of older platforms drops plain names.
 */
export const AgentSkill = wire('AgentSkill', (w) =>
  z.union([
    z.string(),
    withOtherKeys({
      id: w.maybe(z.string()),
      name: w.maybe(z.string()),
      description: w.maybe(z.string()),
      tags: w.maybe(z.array(z.string())),
      examples: w.maybe(z.array(z.string())),
    }),
  ]),
);
export type AgentSkill = WireType<typeof AgentSkill>;

/**
 * An agent's card, stored and returned unchanged. The keys that every reader may use are typed, all others are
 * open. See docs/contract/presence.md#agent-card.
 */
export const AgentCard = wire('AgentCard', (w) =>
  withOtherKeys({
    name: w.maybe(z.string()),
    description: w.maybe(z.string()),
    version: w.maybe(z.string()),
    url: w.maybe(urlText()),
    runtime: w.maybe(z.string()),
    skills: w.maybe(z.array(w.use(AgentSkill))),
  }),
);
export type AgentCard = WireType<typeof AgentCard>;

/** Where and how an agent takes requests, as in A2A 1.0. */
const AgentInterface = wire('AgentInterface', (w) =>
  w.object({ url: urlText(), protocolBinding: z.string(), protocolVersion: z.string() }),
);

/**
 * A card that any client of A2A can read: what A2A 0.3 and 1.0 require is there. `url` is for clients of 0.3,
 * `supportedInterfaces` for those of 1.0; all other keys are the agent's.
 */
export const A2aAgentCard = wire('A2aAgentCard', (w) =>
  withOtherKeys({
    name: z.string(),
    description: z.string(),
    version: z.string(),
    url: w.maybe(urlText()),
    preferredTransport: w.maybe(z.string()),
    protocolVersion: w.maybe(z.string()),
    supportedInterfaces: w.maybe(z.array(w.use(AgentInterface))),
    capabilities: JsonObject,
    defaultInputModes: z.array(z.string()),
    defaultOutputModes: z.array(z.string()),
    skills: z.array(
      withOtherKeys({
        id: z.string(),
        name: z.string(),
        description: z.string(),
        tags: z.array(z.string()),
      }),
    ),
  }),
);
export type A2aAgentCard = WireType<typeof A2aAgentCard>;

/**
 * A card inside a response, null when there is none. A tolerant reader drops a key that it cannot read instead of
 * rejecting the whole list: one malformed peer must not hide the others.
 */
export function cardInResponse(w: WireBuilder): z.ZodNullable<typeof AgentCard.strict> {
  if (w.mode === 'strict') return AgentCard.strict.nullable();
  const text = z.string().optional().catch(undefined);
  const card = withOtherKeys({
    name: text,
    description: text,
    version: text,
    url: text,
    runtime: text,
    skills: z.array(AgentSkill.tolerant).optional().catch(undefined),
  });
  return card.nullable().catch(null) as z.ZodType as z.ZodNullable<typeof AgentCard.strict>;
}

/** The name of a skill, whichever spelling: the text itself, else `name`, else `id`, else `''`. */
export function skillName(skill: AgentSkill | JsonObject): string {
  if (typeof skill === 'string') return skill;
  const named = [skill.name, skill.id].find((text) => typeof text === 'string' && text !== '');
  return typeof named === 'string' ? named : '';
}
