import type { A2aAgentCard } from './agent-card.ts';
import { isJsonObject, type JsonObject, type JsonValue, textOf } from './open-json.ts';

/** What is known of an agent beside its card. */
export interface CardSubject {
  readonly name: string;
  readonly role: string | null;
  /** Whether requests of A2A 0.3 and 1.0 are taken, whatever the card says. */
  readonly takesBothVersions: boolean;
  /** Where clients send their requests. */
  readonly url: string;
}

/** What would make clients go past the platform, or believe that the card is as its agent signed it. */
const OF_THE_AGENT = [
  'url',
  'preferredTransport',
  'protocolVersion',
  'additionalInterfaces',
  'supportedInterfaces',
  'supportsAuthenticatedExtendedCard',
  'signatures',
] as const;

/** What the platform offers, whatever the agent does. */
const OFFERED = { streaming: true, pushNotifications: false, extendedAgentCard: false } as const;
const VERSIONS = ['1.0', '0.3'] as const;
type Version = (typeof VERSIONS)[number];

/**
 * The card of an agent for clients of A2A: its own words, with the address to which they send, and with what A2A requires
 * where it lacks that.
 */
export function toA2aCard(
  given: JsonObject,
  { name, role, takesBothVersions, url }: CardSubject,
): A2aAgentCard {
  const card = { ...given };
  for (const key of OF_THE_AGENT) delete card[key];
  const versions = takesBothVersions ? VERSIONS : versionsOf(given);
  const { capabilities } = given;
  return {
    ...card,
    name: textOf(given.name) || name,
    description: textOf(given.description) || (role ?? ''),
    version: textOf(given.version) || '0.0.0',
    ...(versions.includes('0.3') ? { url, preferredTransport: 'JSONRPC', protocolVersion: '0.3.0' } : {}),
    ...(versions.includes('1.0')
      ? { supportedInterfaces: versions.map((one) => interfaceOf(url, one)) }
      : {}),
    capabilities: { ...(isJsonObject(capabilities) ? capabilities : {}), ...OFFERED },
    defaultInputModes: modesOf(given.defaultInputModes),
    defaultOutputModes: modesOf(given.defaultOutputModes),
    skills: Array.isArray(given.skills) ? given.skills.map(toSkill) : [],
  };
}

function interfaceOf(url: string, protocolVersion: Version) {
  return { url, protocolBinding: 'JSONRPC', protocolVersion };
}

/**
 * The versions that an agent with a server takes: requests are passed on to it as they come. A card that names no
 * interface of A2A is that of an agent that reads the message and no method.
 */
function versionsOf({
  supportedInterfaces,
  url,
  protocolVersion,
  capabilities,
}: JsonObject): readonly Version[] {
  if (Array.isArray(supportedInterfaces)) {
    const named = supportedInterfaces
      .filter(isJsonObject)
      .map((one) => Number.parseFloat(textOf(one.protocolVersion)));
    const found = VERSIONS.filter((version) => named.some((one) => one >= 1 === (version === '1.0')));
    if (found.length > 0) return found;
  }
  const isOfA2a = [url, protocolVersion, capabilities].some((value) => value !== undefined && value !== null);
  return isOfA2a ? ['0.3'] : VERSIONS;
}

function modesOf(value: JsonValue | undefined): string[] {
  const modes = textsOf(value);
  return modes.length === 0 ? ['text/plain'] : modes;
}

/** Skills may be plain names. */
function toSkill(given: JsonValue): A2aAgentCard['skills'][number] {
  const skill = isJsonObject(given) ? given : { name: given };
  const name = textOf(skill.name) || textOf(skill.id);
  return {
    ...skill,
    id: textOf(skill.id) || name,
    name,
    description: textOf(skill.description),
    tags: textsOf(skill.tags),
  };
}

function textsOf(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
