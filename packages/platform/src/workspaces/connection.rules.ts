import type { WorkspaceConnection } from '@molecule-ai/protocol';

export interface ConnectionInput {
  readonly workspaceId: string;
  readonly name: string;
  readonly platformUrl: string;
  readonly token: string;
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

function curlSample({ workspaceId, name, platformUrl, token }: ConnectionInput): string {
  const body = { id: workspaceId, workspace_id: workspaceId, delivery_mode: 'poll', agent_card: { name } };
  return [
    `curl -X POST ${shellQuoted(`${platformUrl}/registry/register`)} \\`,
    `  -H ${shellQuoted(`Authorization: Bearer ${token}`)} \\`,
    "  -H 'Content-Type: application/json' \\",
    `  -d ${shellQuoted(JSON.stringify(body))}`,
  ].join('\n');
}

function pythonSample({ workspaceId, name, platformUrl, token }: ConnectionInput): string {
  return [
    'from molecule_agent import RemoteAgentClient',
    '',
    'client = RemoteAgentClient(',
    `    workspace_id=${JSON.stringify(workspaceId)},`,
    `    platform_url=${JSON.stringify(platformUrl)},`,
    `    auth_token=${JSON.stringify(token)},`,
    `    agent_card={"name": ${JSON.stringify(name)}},`,
    ')',
    'client.register()',
    'client.run_heartbeat_loop()',
  ].join('\n');
}

function typescriptSample({ workspaceId, name, platformUrl, token }: ConnectionInput): string {
  return [
    "import { RemoteAgentClient } from '@molecule-ai/core';",
    '',
    'const client = new RemoteAgentClient({',
    `  workspaceId: ${JSON.stringify(workspaceId)},`,
    `  platformUrl: ${JSON.stringify(platformUrl)},`,
    `  authToken: ${JSON.stringify(token)},`,
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
