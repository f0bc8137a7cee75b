import type { WorkspaceConnection } from '@molecule-ai/protocol';
import { PYTHON_AGENT } from './python-agent.ts';

export interface ConnectionInput {
  readonly workspaceId: string;
  readonly name: string;
  readonly platformUrl: string;
  readonly token: string;
  /** The organisation that each request has to name; null for none. */
  readonly orgId: string | null;
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

function curlSample({ workspaceId, name, platformUrl, token, orgId }: ConnectionInput): string {
  const body = { id: workspaceId, workspace_id: workspaceId, delivery_mode: 'poll', agent_card: { name } };
  return [
    `curl -X POST ${shellQuoted(`${platformUrl}/registry/register`)} \\`,
    `  -H ${shellQuoted(`Authorization: Bearer ${token}`)} \\`,
    ...(orgId === null ? [] : [`  -H ${shellQuoted(`X-Molecule-Org-Id: ${orgId}`)} \\`]),
    "  -H 'Content-Type: application/json' \\",
    `  -d ${shellQuoted(JSON.stringify(body))}`,
  ].join('\n');
}

/** A JSON text is a Python text as well. */
function pythonSample({ workspaceId, name, platformUrl, token, orgId }: ConnectionInput): string {
  const headers = {
    'Content-Type': 'application/json',
    ...(orgId === null ? {} : { 'X-Molecule-Org-Id': orgId }),
  };
  return `# An agent that answers its messages. It needs Python 3.8 or newer and no packages.
import http.client
import json
import sys
import threading
import time
import urllib.error
import urllib.request

PLATFORM = ${JSON.stringify(platformUrl)}
WORKSPACE = ${JSON.stringify(workspaceId)}
TOKEN = ${JSON.stringify(token)}
NAME = ${JSON.stringify(name)}
HEADERS = ${JSON.stringify(headers)}
${PYTHON_AGENT}`;
}

function typescriptSample({ workspaceId, name, platformUrl, token, orgId }: ConnectionInput): string {
  return [
    "import { RemoteAgentClient } from '@molecule-ai/core';",
    '',
    'const client = new RemoteAgentClient({',
    `  workspaceId: ${JSON.stringify(workspaceId)},`,
    `  platformUrl: ${JSON.stringify(platformUrl)},`,
    `  authToken: ${JSON.stringify(token)},`,
    ...(orgId === null ? [] : [`  orgId: ${JSON.stringify(orgId)},`]),
    `  agentCard: { name: ${JSON.stringify(name)} },`,
    '});',
    'await client.register();',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the sample itself contains the template
    'await client.runAgentLoop(async (message) => `echo: ${message.text}`);',
  ].join('\n');
}

/** One word of a POSIX shell. */
function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
