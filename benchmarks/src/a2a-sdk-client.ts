import { type AgentCard, Role } from '@a2a-js/sdk';
import { type Client, ClientFactory } from '@a2a-js/sdk/client';

/** The client of the A2A SDK for a server that checks no credential. */
export function publishedClient(url: string): Promise<Client> {
  return new ClientFactory().createFromAgentCard(cardOf(url));
}

/** A message with a new id. */
export function requestOfSdk(text: string) {
  const part = { content: { $case: 'text' as const, value: text }, metadata: undefined };
  const message = {
    messageId: crypto.randomUUID(),
    role: Role.ROLE_USER,
    parts: [{ ...part, filename: '', mediaType: '' }],
    contextId: '',
    taskId: '',
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  };
  return { tenant: '', message, configuration: undefined, metadata: undefined };
}

function cardOf(url: string): AgentCard {
  return {
    name: 'peer',
    description: 'answers',
    supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', tenant: '', protocolVersion: '1.0' }],
    provider: undefined,
    version: '1',
    capabilities: { streaming: true, pushNotifications: false, extensions: [], extendedAgentCard: false },
    securitySchemes: {},
    securityRequirements: [],
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [],
    signatures: [],
  };
}
