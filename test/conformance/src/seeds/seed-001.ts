import type { SeedCall } from './seed-call.ts';

const ADMIN = { Authorization: 'Bearer {ADMIN_TOKEN}' };
const AGENT = { Authorization: 'Bearer {AUTH_TOKEN}' };
const JSON_TYPE = { 'Content-Type': 'application/json' };

/** Register tutorial, "Step-by-step registration". */
export const STEP_BY_STEP = {
  create: {
    from: 'register tutorial, step 1',
    program: 'curl',
    method: 'POST',
    path: '/workspaces',
    headers: { ...ADMIN, ...JSON_TYPE },
    body: '{ "name": "CI Agent", "runtime": "external", "external": true, "url": "https://your-agent.example.com" }',
  },
  register: {
    from: 'register tutorial, step 2',
    program: 'curl',
    method: 'POST',
    path: '/registry/register',
    headers: { ...ADMIN, ...JSON_TYPE },
    body: '{ "id": "{WORKSPACE_ID}", "url": "https://your-agent.example.com", "agent_card": { "name": "CI Agent", "runtime": "external", "version": "1.0" } }',
  },
  heartbeat: {
    from: 'register tutorial, step 4',
    program: 'python-requests',
    method: 'POST',
    path: '/registry/heartbeat',
    headers: AGENT,
    body: '{"workspace_id": "{WORKSPACE_ID}"}',
  },
  a2a: {
    from: 'register tutorial, step 5',
    program: 'curl',
    method: 'POST',
    path: '/a2a',
    headers: { ...AGENT, ...JSON_TYPE, 'X-Workspace-ID': '{WORKSPACE_ID}' },
    body: '{ "jsonrpc": "2.0", "id": 1, "method": "message/send", "params": { "message": { "role": "user", "parts": [{"kind": "text", "text": "Hello from a remote agent"}] } } }',
  },
} as const satisfies Record<string, SeedCall>;

/** Register tutorial, "Agent code: minimal Python example". */
export const MINIMAL_PYTHON = {
  create: {
    from: 'register tutorial, minimal Python, step 1',
    program: 'python-requests',
    method: 'POST',
    path: '/workspaces',
    headers: ADMIN,
    body: '{"name": "CI Agent", "runtime": "external", "external": true, "url": "https://your-agent.example.com"}',
  },
  register: {
    from: 'register tutorial, minimal Python, step 2',
    program: 'python-requests',
    method: 'POST',
    path: '/registry/register',
    headers: ADMIN,
    body: '{"id": "{WORKSPACE_ID}", "url": "https://your-agent.example.com", "agent_card": {"name": "CI Agent", "runtime": "external"}}',
  },
  heartbeat: {
    from: 'register tutorial, minimal Python, step 4',
    program: 'python-requests',
    method: 'POST',
    path: '/registry/heartbeat',
    headers: AGENT,
    body: '{"workspace_id": "{WORKSPACE_ID}"}',
  },
} as const satisfies Record<string, SeedCall>;

/** Register tutorial, "Revoking and re-registering". */
export const REVOKING = {
  remove: {
    from: 'register tutorial, revoking, step 1',
    program: 'curl',
    method: 'DELETE',
    path: '/workspaces/{WORKSPACE_ID}',
    headers: ADMIN,
  },
  revokeTokens: {
    from: 'register tutorial, revoking without deleting',
    program: 'curl',
    method: 'DELETE',
    path: '/workspaces/{WORKSPACE_ID}/tokens',
    headers: ADMIN,
  },
} as const satisfies Record<string, SeedCall>;
