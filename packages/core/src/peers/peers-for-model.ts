import { isJsonObject, skillName } from '@molecule-ai/protocol';
import type { PeerInfo } from './peer-info.ts';
import { fenceRepeatably } from './repeatable-fence.ts';

const MAX_NAME_LENGTH = 200;
const MAX_DESCRIPTION_LENGTH = 1_000;
const MAX_SKILLS = 20;

/** Ids and states are the platform's; anything that could carry a sentence is not. */
const ID = /^[\w.:-]{1,128}$/;
const STATE = /^[a-z_-]{1,32}$/;

/**
 * Describes peers for a model, for example in the description of a tool that calls them: a numbered list of ids, and
 * below it, in one fence, what each peer says of itself, one JSON line per peer with its number. Names and roles are cut
 * at 200 characters, descriptions at 1 000, skills at 20. Peers whose id is not one are left out. The same peers give the
 * same bytes. Add `peerTextInstructions` to the system prompt. See docs/contract/trust-boundary.md#text-for-a-model.
 */
export function peersForModel(
  peers: readonly Pick<PeerInfo, 'id' | 'name' | 'role' | 'status' | 'agentCard'>[],
): string {
  const listed = peers.filter(({ id }) => ID.test(id));
  if (listed.length === 0) return 'There are no peers.';
  const ids = listed.map(({ id, status }, index) => {
    return `${index + 1}. ${id}${STATE.test(status) ? ` (${status})` : ''}`;
  });
  const descriptions = listed.map((peer, index) => `${index + 1}. ${JSON.stringify(describe(peer))}`);
  const fenced = fenceRepeatably(descriptions.join('\n'), { origin: 'unknown' });
  return `Peers, by number and id:\n${ids.join('\n')}\nWhat they say of themselves, by the same numbers:\n${fenced}`;
}

function describe({ name, role, agentCard }: Pick<PeerInfo, 'name' | 'role' | 'agentCard'>): object {
  const { description, skills } = agentCard;
  const skillNames = (Array.isArray(skills) ? skills : [])
    .slice(0, MAX_SKILLS)
    .map((skill: unknown) => (typeof skill === 'string' || isJsonObject(skill) ? skillName(skill) : ''))
    .map((skill) => lineForModel(skill, MAX_NAME_LENGTH))
    .filter((skill) => skill !== '');
  const described = {
    name: lineForModel(name, MAX_NAME_LENGTH),
    role: lineForModel(role, MAX_NAME_LENGTH),
    description: lineForModel(description, MAX_DESCRIPTION_LENGTH),
    skills: skillNames,
  };
  return Object.fromEntries(Object.entries(described).filter(([, value]) => value.length > 0));
}

/** The text in one line of at most `maxLength` characters; `''` for anything but a string. */
export function lineForModel(text: unknown, maxLength: number): string {
  if (typeof text !== 'string') return '';
  const line = text
    .slice(0, 4 * maxLength)
    .replace(/\s+/g, ' ')
    .trim();
  return line.length <= maxLength ? line : `${line.slice(0, maxLength - 1)}…`;
}
