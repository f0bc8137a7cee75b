/**
 * An agent in a process of its own, for tests that kill it. Its settings come as JSON in the first argument; it
 * tells over IPC what it does.
 */
import { createRemoteAgent, PollDelivery, RemoteAgentClient } from '@molecule-ai/core';
import { type AgentProgramReport, type AgentProgramSettings, WARM_UP } from './killable-agent.ts';

const settings = JSON.parse(process.argv[2] ?? '{}') as AgentProgramSettings;
const tell = (report: AgentProgramReport) => void process.send?.(report);

const client = new RemoteAgentClient({
  platformUrl: settings.platformUrl,
  workspaceId: settings.workspaceId,
  authToken: settings.token,
  stateDirectory: settings.stateDirectory,
});
const agent = createRemoteAgent({
  client,
  delivery: settings.delivery === 'poll' ? new PollDelivery({ intervalMs: 1_000 }) : 'long-poll',
  onMessage: async (message, context) => {
    if (message.text === WARM_UP) return 'warm';
    tell({ kind: 'handling', text: message.text, attempt: context.attempt });
    if (settings.script === 'hang') await new Promise(() => {});
    await context.reply(`echo: ${message.text}`);
    tell({ kind: 'replied', text: message.text });
    if (settings.script === 'reply-then-hang') await new Promise(() => {});
  },
});
await agent.start();
tell({ kind: 'started' });
