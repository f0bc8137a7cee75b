import { Budget, SetBudgetRequest } from '../budget.ts';
import {
  DeleteWorkspaceAnswer,
  DeleteWorkspaceQuery,
  PauseAnswer,
  ResumeAnswer,
  WorkspaceState,
} from '../lifecycle.ts';
import {
  ListTokensQuery,
  MintTokenAnswer,
  MintTokenRequest,
  RevokeTokenAnswer,
  TokenList,
} from '../tokens.ts';
import {
  GetWorkspaceQuery,
  PatchWorkspaceAnswer,
  PatchWorkspaceRequest,
  WorkspaceDetail,
  WorkspaceList,
} from '../workspace.ts';
import { CreateWorkspaceAnswer, CreateWorkspaceRequest } from '../workspace-create.ts';
import { route } from './route.ts';

/** Workspaces, their lifecycle, tokens and budget (wire contract 3.1 to 3.8 and 3.27). */
export const workspaceRoutes = {
  createWorkspace: route(
    {
      method: 'POST',
      path: '/workspaces',
      auth: 'operator',
      request: CreateWorkspaceRequest,
      responses: { 201: CreateWorkspaceAnswer },
    },
    ['unsafe_url', 'url_required', 'invalid_parent', 'invalid_secret', 'secrets_unavailable'],
  ),
  listWorkspaces: route({
    method: 'GET',
    path: '/workspaces',
    auth: 'operator',
    responses: { 200: WorkspaceList },
  }),
  getWorkspace: route(
    {
      method: 'GET',
      path: '/workspaces/:id',
      auth: 'workspace',
      query: GetWorkspaceQuery,
      responses: { 200: WorkspaceDetail },
    },
    ['access_denied'],
  ),
  patchWorkspace: route(
    {
      method: 'PATCH',
      path: '/workspaces/:id',
      auth: 'workspace',
      request: PatchWorkspaceRequest,
      responses: { 200: PatchWorkspaceAnswer },
    },
    ['unsafe_url', 'url_required', 'invalid_parent'],
  ),
  deleteWorkspace: route(
    {
      method: 'DELETE',
      path: '/workspaces/:id',
      auth: 'operator',
      query: DeleteWorkspaceQuery,
      responses: { 200: DeleteWorkspaceAnswer },
    },
    ['confirmation_required', 'invalid_workspace_id', 'workspace_not_found', 'workspace_removed'],
  ),
  pauseWorkspace: route(
    {
      method: 'POST',
      path: '/workspaces/:id/pause',
      auth: 'workspace',
      responses: { 200: PauseAnswer },
    },
    ['already_paused'],
  ),
  resumeWorkspace: route(
    {
      method: 'POST',
      path: '/workspaces/:id/resume',
      auth: 'workspace',
      responses: { 200: ResumeAnswer },
    },
    ['not_paused', 'parent_paused'],
  ),
  getWorkspaceState: route({
    method: 'GET',
    path: '/workspaces/:id/state',
    auth: 'workspace',
    responses: { 200: WorkspaceState },
  }),
  listTokens: route({
    method: 'GET',
    path: '/workspaces/:id/tokens',
    auth: 'workspace',
    query: ListTokensQuery,
    responses: { 200: TokenList },
  }),
  mintToken: route(
    {
      method: 'POST',
      path: '/workspaces/:id/tokens',
      auth: 'workspace',
      request: MintTokenRequest,
      responses: { 201: MintTokenAnswer },
    },
    ['token_limit'],
  ),
  mintTokenAsAdmin: route(
    {
      method: 'POST',
      path: '/admin/workspaces/:id/tokens',
      auth: 'operator',
      request: MintTokenRequest,
      responses: { 201: MintTokenAnswer },
    },
    ['token_limit', 'invalid_workspace_id', 'workspace_not_found', 'workspace_removed'],
  ),
  revokeToken: route(
    {
      method: 'DELETE',
      path: '/workspaces/:id/tokens/:tokenId',
      auth: 'workspace',
      responses: { 200: RevokeTokenAnswer },
    },
    ['token_not_found'],
  ),
  revokeAllTokens: route({
    method: 'DELETE',
    path: '/workspaces/:id/tokens',
    auth: 'workspace',
    responses: { 200: RevokeTokenAnswer },
  }),
  getBudget: route({
    method: 'GET',
    path: '/workspaces/:id/budget',
    auth: 'workspace',
    responses: { 200: Budget },
  }),
  setBudget: route(
    {
      method: 'PATCH',
      path: '/workspaces/:id/budget',
      auth: 'operator',
      request: SetBudgetRequest,
      responses: { 200: Budget },
    },
    ['invalid_workspace_id', 'workspace_not_found', 'workspace_removed'],
  ),
} as const;
