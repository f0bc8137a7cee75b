import { z } from 'zod';
import { type JsonObject, withOtherKeys } from './open-json.ts';
import { type WireBuilder, type WireType, wire } from './wire.ts';

/**
 * One skill of a card. Both spellings occur: the plain name (seed 002) and the object (product facts D.1).
 * Write objects; the canvas of older platforms drops plain names.
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
 * An agent's card, kept and passed on whole. The keys every reader may use are typed, all others are open.
 * Source: seed 002, product facts D.1.
 */
export const AgentCard = wire('AgentCard', (w) =>
  withOtherKeys({
    name: w.maybe(z.string()),
    description: w.maybe(z.string()),
    version: w.maybe(z.string()),
    url: w.maybe(z.string()),
    runtime: w.maybe(z.string()),
    skills: w.maybe(z.array(w.use(AgentSkill))),
  }),
);
export type AgentCard = WireType<typeof AgentCard>;

/**
 * A card inside an answer, null when there is none. A tolerant reader drops a key it cannot read instead of
 * refusing the whole list: one odd peer must not hide the others.
 */
export function cardInAnswer(w: WireBuilder): z.ZodNullable<typeof AgentCard.strict> {
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
