import type { WorkspaceConnection } from '@molecule-ai/protocol';
import type { AgentAddress } from '../directory/agent-address.rules.ts';
import { PYTHON_AGENT, PYTHON_PUSH_AGENT } from './python-agent.ts';

export interface ConnectionInput {
  readonly workspaceId: string;
  readonly name: string;
  readonly platformUrl: string;
  readonly token: string;
  /** Where the agent was created to be reached; the samples keep it. */
  readonly address: AgentAddress;
  /** The organisation that each request has to name; null for none. */
  readonly orgId: string | undefined;
}

/** How to connect the agent, with code samples; the token is returned only here. */
export function describeConnection(input: ConnectionInput): WorkspaceConnection {
  const { workspaceId, platformUrl, token } = input;
  return {
    workspace_id: workspaceId,
    platform_url: platformUrl,
    auth_token: token,
    registry_endpoint: `${platformUrl}/registry/register`,
    heartbeat_endpoint: `${platformUrl}/registry/heartbeat`,
    curl_register_template: curlSample(input),
    python_snippet: pythonSample(input),
    typescript_snippet: typescriptSample(input),
  };
}

function registration({ workspaceId, name, address }: ConnectionInput) {
  const { url, deliveryMode } = address;
  return {
    id: workspaceId,
    workspace_id: workspaceId,
    delivery_mode: deliveryMode,
    ...(url === null ? {} : { url }),
    agent_card: { name },
  };
}

function curlSample(input: ConnectionInput): string {
  const { platformUrl, token, orgId } = input;
  const body = registration(input);
  return [
    `curl -X POST ${shellQuoted(`${platformUrl}/registry/register`)} \\`,
    `  -H ${shellQuoted(`Authorization: Bearer ${token}`)} \\`,
    ...(orgId === undefined ? [] : [`  -H ${shellQuoted(`X-Molecule-Org-Id: ${orgId}`)} \\`]),
    "  -H 'Content-Type: application/json' \\",
    `  -d ${shellQuoted(JSON.stringify(body))}`,
  ].join('\n');
}

/** A JSON text is a Python text as well. */
function pythonSample(input: ConnectionInput): string {
  const { workspaceId, platformUrl, token, orgId, address } = input;
  const isPush = address.deliveryMode === 'push';
  const headers = {
    'Content-Type': 'application/json',
    ...(orgId === undefined ? {} : { 'X-Molecule-Org-Id': orgId }),
  };
  const purpose = isPush
    ? 'Registers the agent whose server is at its URL, and keeps it online.'
    : 'An agent that answers its messages.';
  return `# ${purpose} It needs Python 3.8 or newer and no packages.
import http.client
import json
import sys
${isPush ? '' : 'import threading\n'}import time
import urllib.error
import urllib.request

PLATFORM = ${JSON.stringify(platformUrl)}
WORKSPACE = ${JSON.stringify(workspaceId)}
TOKEN = ${JSON.stringify(token)}
AGENT = ${JSON.stringify(registration(input))}
HEADERS = ${JSON.stringify(headers)}
${isPush ? PYTHON_PUSH_AGENT : PYTHON_AGENT}`;
}

function typescriptSample({
  workspaceId,
  name,
  platformUrl,
  token,
  orgId,
  address,
}: ConnectionInput): string {
  const isPush = address.deliveryMode === 'push' && address.url !== null;
  return [
    "import { RemoteAgentClient } from '@molecule-ai/core';",
    '',
    'const client = new RemoteAgentClient({',
    `  workspaceId: ${JSON.stringify(workspaceId)},`,
    `  platformUrl: ${JSON.stringify(platformUrl)},`,
    `  authToken: ${JSON.stringify(token)},`,
    ...(orgId === undefined ? [] : [`  orgId: ${JSON.stringify(orgId)},`]),
    `  agentCard: { name: ${JSON.stringify(name)} },`,
    ...(isPush ? [`  reportedUrl: ${JSON.stringify(address.url)},`] : []),
    '});',
    'await client.register();',
    "console.log('registered');",
    isPush
      ? '// The server at reportedUrl answers the messages.\nawait client.runHeartbeatLoop();'
      : // biome-ignore lint/suspicious/noTemplateCurlyInString: the sample itself contains the template
        'await client.runAgentLoop(async (message) => `echo: ${message.text}`);',
  ].join('\n');
}

/** One word of a POSIX shell. */
function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
