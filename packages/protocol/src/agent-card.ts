import { z } from 'zod';
import { urlText } from './field-limits.ts';
import { type JsonObject, withOtherKeys } from './open-json.ts';
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
