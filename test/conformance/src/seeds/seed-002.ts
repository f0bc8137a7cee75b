import type { SeedCall } from './seed-call.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const AGENT = { Authorization: 'Bearer {AUTH_TOKEN}' };
const CALLER = { 'X-Workspace-ID': '{WORKSPACE_ID}' };

/** External Agents page, steps 1 to 6: `curl`, the first two without any credential. */
export const BY_HAND = {
  create: {
    from: 'External Agents page, step 1',
    program: 'curl',
    method: 'POST',
    path: '/workspaces',
    headers: JSON_TYPE,
    body: `{
"name": "My External Agent",
"external": true,
"url": "https://my-agent.example.com",
"tier": 2
}`,
  },
  register: {
    from: 'External Agents page, step 2',
    program: 'curl',
    method: 'POST',
    path: '/registry/register',
    headers: JSON_TYPE,
    body: `{
"workspace_id": "{WORKSPACE_ID}",
"url": "https://my-agent.example.com",
"agent_card": {
"name": "My Agent",
"description": "Research assistant",
"skills": ["research", "analysis"],
"runtime": "external"
}
}`,
  },
  heartbeat: {
    from: 'External Agents page, step 3',
    program: 'curl',
    method: 'POST',
    path: '/registry/heartbeat',
    headers: { ...JSON_TYPE, ...AGENT },
    body: `{
"workspace_id": "{WORKSPACE_ID}",
"status": "online",
"active_tasks": 0,
"current_task": "",
"error_rate": 0.0,
"uptime_seconds": 3600
}`,
  },
  send: {
    from: 'External Agents page, step 5',
    program: 'curl',
    method: 'POST',
    path: '/workspaces/{TARGET_ID}/a2a',
    headers: { ...JSON_TYPE, ...AGENT, ...CALLER },
    body: `{
"jsonrpc": "2.0",
"method": "message/send",
"params": {
"message": {
"role": "user",
"parts": [{"type": "text", "text": "Can you help with this?"}]
}
},
"id": "msg-001"
}`,
  },
  discover: {
    from: 'External Agents page, step 6, own info',
    program: 'curl',
    method: 'GET',
    path: '/registry/discover/{WORKSPACE_ID}',
    headers: { ...AGENT, ...CALLER },
  },
  peers: {
    from: 'External Agents page, step 6, peers',
    program: 'curl',
    method: 'GET',
    path: '/registry/{WORKSPACE_ID}/peers',
    headers: { ...AGENT, ...CALLER },
  },
} as const satisfies Record<string, SeedCall>;

/** External Agents page, the Python example; its agent listens on `http://my-host:5000`. */
export const IN_PYTHON = {
  create: {
    from: 'External Agents page, Python example, part 1',
    program: 'python-requests',
    method: 'POST',
    path: '/workspaces',
    headers: {},
    body: '{"name": "Python Research Agent", "external": true, "url": "http://my-host:5000", "tier": 2}',
  },
  register: {
    from: 'External Agents page, Python example, part 2',
    program: 'python-requests',
    method: 'POST',
    path: '/registry/register',
    headers: {},
    body: '{"workspace_id": "{WORKSPACE_ID}", "url": "http://my-host:5000", "agent_card": {"name": "Python Research Agent", "skills": ["research"], "runtime": "external"}}',
  },
  heartbeat: {
    from: 'External Agents page, Python example, part 3',
    program: 'python-requests',
    method: 'POST',
    path: '/registry/heartbeat',
    headers: AGENT,
    body: '{"workspace_id": "{WORKSPACE_ID}", "active_tasks": 0}',
  },
} as const satisfies Record<string, SeedCall>;

/** External Agents page, "410 Gone": the calls of its table. */
export const GONE = {
  remove: {
    from: 'External Agents page, removed status, the canonical trigger',
    program: 'curl',
    method: 'DELETE',
    path: '/workspaces/{WORKSPACE_ID}',
    headers: {},
  },
  read: {
    from: 'External Agents page, removed status, direct read',
    program: 'curl',
    method: 'GET',
    path: '/workspaces/{WORKSPACE_ID}',
    headers: {},
  },
  readRemoved: {
    from: 'External Agents page, removed status, audit read',
    program: 'curl',
    method: 'GET',
    path: '/workspaces/{WORKSPACE_ID}?include_removed=true',
    headers: {},
  },
} as const satisfies Record<string, SeedCall>;
