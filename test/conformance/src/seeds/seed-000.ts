import type { SeedCall } from './seed-call.ts';

/** Remote Workspaces guide, "Quick Start": the one call it spells out. */
export const QUICK_START_CREATE: SeedCall = {
  from: 'Remote Workspaces guide, Quick Start, step 1',
  program: 'curl',
  method: 'POST',
  path: '/workspaces',
  headers: { Authorization: 'Bearer {ADMIN_TOKEN}', 'Content-Type': 'application/json' },
  body: '{"name":"researcher","runtime":"external","tier":2}',
};

/** The Remote Workspaces guide's architecture drawing and its table of phases name these; the SDK makes them. */
export const PHASE_TABLE: readonly SeedCall[] = [
  {
    from: 'Remote Workspaces guide, phase 30.1, register',
    program: 'python-requests',
    method: 'POST',
    path: '/registry/register',
    headers: { Authorization: 'Bearer {ADMIN_TOKEN}' },
    body: '{"id": "{WORKSPACE_ID}", "agent_card": {"name": "researcher", "skills": ["web-search", "research"]}}',
  },
  {
    from: 'Remote Workspaces guide, phase 30.1, heartbeat',
    program: 'python-requests',
    method: 'POST',
    path: '/registry/heartbeat',
    headers: { Authorization: 'Bearer {AUTH_TOKEN}', 'X-Molecule-Org-Id': 'org-1', Origin: 'my-agent/1.0' },
    body: '{"workspace_id": "{WORKSPACE_ID}", "current_task": "idle", "active_tasks": 0, "agent_card": {"name": "researcher", "skills": ["web-search", "research"]}}',
  },
  {
    from: 'Remote Workspaces guide, phase 30.4, state',
    program: 'python-requests',
    method: 'GET',
    path: '/workspaces/{WORKSPACE_ID}/state',
    headers: { Authorization: 'Bearer {AUTH_TOKEN}' },
  },
  {
    from: 'Remote Workspaces guide, phase 30.5, a2a',
    program: 'python-requests',
    method: 'POST',
    path: '/workspaces/{PEER_ID}/a2a',
    headers: { Authorization: 'Bearer {AUTH_TOKEN}', 'X-Workspace-ID': '{WORKSPACE_ID}' },
    body: '{"jsonrpc": "2.0", "id": "1", "method": "message/send", "params": {"message": {"role": "user", "messageId": "m-1", "parts": [{"kind": "text", "text": "hello"}]}}}',
  },
  {
    from: 'Remote Workspaces guide, phase 30.6, peers',
    program: 'python-requests',
    method: 'GET',
    path: '/registry/{WORKSPACE_ID}/peers',
    headers: { Authorization: 'Bearer {AUTH_TOKEN}' },
  },
];

/** Remote Workspaces guide, `fetch_inbound(peer_id=, before_ts=)` with the values of its example. */
export const FETCH_INBOUND: SeedCall = {
  from: 'Remote Workspaces guide, fetch_inbound',
  program: 'python-requests',
  method: 'GET',
  path: '/workspaces/{WORKSPACE_ID}/activity?type=a2a_receive&peer_id={PEER_ID}&before_ts={BEFORE_TS}',
  headers: { Authorization: 'Bearer {AUTH_TOKEN}' },
};
