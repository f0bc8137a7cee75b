import { isJsonObject, type JsonObject, type JsonValue } from '@molecule-ai/protocol';
import type { AnySkill } from './skill.ts';

/** The extension of A2A cards under which the schemas of skills are. */
export const SKILL_SCHEMAS = 'https://molecule.ai/a2a/skill-schemas/v1';

/** A card with the skills of an agent. What the application wrote of a skill on its card stays. */
export function withSkills(card: JsonObject, skills: readonly AnySkill[]): JsonObject {
  if (skills.length === 0) return card;
  const listed = Array.isArray(card.skills) ? card.skills : [];
  const idOf = (each: JsonValue) => (isJsonObject(each) ? (each.id ?? each.name) : each);
  const added = skills.filter(({ id }) => !listed.some((each) => idOf(each) === id));
  const schemas = skills.map(({ id, input, output }) => [id, { input: input.schema, output: output.schema }]);
  const described = JSON.parse(JSON.stringify(Object.fromEntries(schemas)));
  const capabilities = isJsonObject(card.capabilities) ? card.capabilities : {};
  const extensions = Array.isArray(capabilities.extensions) ? capabilities.extensions : [];
  const others = extensions.filter((each) => !(isJsonObject(each) && each.uri === SKILL_SCHEMAS));
  const extension = { uri: SKILL_SCHEMAS, required: false, params: { skills: described } };
  return {
    ...card,
    skills: [...listed, ...added.map((skill) => skill.card)],
    capabilities: { ...capabilities, extensions: [...others, extension] },
  };
}

/** Whether a card describes a skill as this definition does. What a card says is compared and never run. */
export function isDescribedBy(card: unknown, { id, input, output }: AnySkill): boolean {
  const { extensions } = Object(Object(card).capabilities);
  const list: unknown[] = Array.isArray(extensions) ? extensions : [];
  const described = list.find((each) => Object(each).uri === SKILL_SCHEMAS);
  const skills = Object(Object(Object(described).params).skills);
  const its: unknown = Object.hasOwn(skills, id) ? skills[id] : undefined;
  return process
    .getBuiltinModule('node:util')
    .isDeepStrictEqual(its, JSON.parse(JSON.stringify({ input: input.schema, output: output.schema })));
}
