import { ActivityList, ReportActivityAnswer, ReportActivityRequest } from '../activity.ts';
import { AckAnswer, AckRequest, ActivityQuery } from '../activity-query.ts';
import {
  CancelDelegationAnswer,
  DelegateAnswer,
  DelegateRequest,
  DelegationList,
  DelegationRow,
  RecordDelegationAnswer,
  RecordDelegationRequest,
  UpdateDelegationRequest,
} from '../delegation.ts';
import type { ErrorCode } from '../error-codes.ts';
import { A2aRequest } from '../message.ts';
import {
  A2aAnswer,
  GetMessageQuery,
  MessageRecord,
  OwnMessageQuery,
  QueuedAnswer,
} from '../message-answers.ts';
import { DownloadQuery, NotifyAnswer, NotifyRequest, UploadAnswer } from '../notify.ts';
import { route } from './route.ts';

const SENDING: readonly ErrorCode[] = [
  'access_denied',
  'invalid_workspace_id',
  'workspace_not_found',
  'invalid_message',
  'message_id_conflict',
  'message_not_found',
  'budget_exceeded',
  'inbox_full',
  'unsafe_url',
  'agent_unreachable',
  'agent_error',
  'agent_answer_invalid',
  'agent_answer_too_large',
  'agent_timeout',
  'agent_busy',
  'workspace_unavailable',
  'answer_expired',
];

const DELEGATING: readonly ErrorCode[] = [
  'access_denied',
  'invalid_delegation',
  'self_delegation',
  'idempotency_conflict',
  'budget_exceeded',
  'inbox_full',
];

/** Messages, the activity feed and delegations (wire contract 3.19 to 3.24). */
export const messageRoutes = {
  sendMessage: route(
    {
      method: 'POST',
      path: '/workspaces/:id/a2a',
      auth: 'caller',
      request: A2aRequest,
      responses: { 200: A2aAnswer, 202: QueuedAnswer },
    },
    SENDING,
  ),
  sendOwnMessage: route(
    {
      method: 'POST',
      path: '/a2a',
      auth: 'caller',
      query: OwnMessageQuery,
      request: A2aRequest,
      responses: { 200: A2aAnswer, 202: QueuedAnswer },
    },
    SENDING,
  ),
  getMessage: route(
    {
      method: 'GET',
      path: '/workspaces/:id/messages/:messageId',
      auth: 'workspace',
      query: GetMessageQuery,
      responses: { 200: MessageRecord },
    },
    ['message_not_found', 'answer_expired'],
  ),
  listActivity: route(
    {
      method: 'GET',
      path: '/workspaces/:id/activity',
      auth: 'workspace',
      query: ActivityQuery,
      responses: { 200: ActivityList },
    },
    ['cursor_not_found'],
  ),
  reportActivity: route(
    {
      method: 'POST',
      path: '/workspaces/:id/activity',
      auth: 'workspace',
      request: ReportActivityRequest,
      responses: { 200: ReportActivityAnswer },
    },
    ['source_mismatch'],
  ),
  acknowledgeActivity: route(
    {
      method: 'POST',
      path: '/workspaces/:id/activity/ack',
      auth: 'workspace',
      request: AckRequest,
      responses: { 200: AckAnswer },
    },
    ['activity_not_found', 'cursor_not_found'],
  ),
  notify: route(
    {
      method: 'POST',
      path: '/workspaces/:id/notify',
      auth: 'workspace',
      request: NotifyRequest,
      responses: { 200: NotifyAnswer },
    },
    ['idempotency_conflict', 'message_not_found'],
  ),
  uploadFiles: route(
    {
      method: 'POST',
      path: '/workspaces/:id/chat/uploads',
      auth: 'workspace',
      responses: { 200: UploadAnswer },
    },
    ['upload_too_large'],
  ),
  downloadFile: route(
    {
      method: 'GET',
      path: '/workspaces/:id/chat/download',
      auth: 'workspace',
      query: DownloadQuery,
      responses: { 200: { media: '*/*' } },
    },
    ['upload_not_found', 'access_denied'],
  ),
  delegate: route(
    {
      method: 'POST',
      path: '/workspaces/:id/delegate',
      auth: 'caller',
      request: DelegateRequest,
      responses: { 200: DelegateAnswer, 202: DelegateAnswer },
    },
    [...DELEGATING, 'invalid_workspace_id', 'workspace_not_found'],
  ),
  listDelegations: route({
    method: 'GET',
    path: '/workspaces/:id/delegations',
    auth: 'workspace',
    responses: { 200: DelegationList },
  }),
  getDelegation: route(
    {
      method: 'GET',
      path: '/workspaces/:id/delegations/:delegationId',
      auth: 'workspace',
      responses: { 200: DelegationRow },
    },
    ['delegation_not_found'],
  ),
  cancelDelegation: route(
    {
      method: 'POST',
      path: '/workspaces/:id/delegations/:delegationId/cancel',
      auth: 'workspace',
      responses: { 200: CancelDelegationAnswer },
    },
    ['delegation_not_found', 'delegation_finished'],
  ),
  recordDelegation: route(
    {
      method: 'POST',
      path: '/workspaces/:id/delegations/record',
      auth: 'workspace',
      request: RecordDelegationRequest,
      responses: { 202: RecordDelegationAnswer },
    },
    DELEGATING,
  ),
  updateDelegation: route(
    {
      method: 'POST',
      path: '/workspaces/:id/delegations/:delegationId/update',
      auth: 'workspace',
      request: UpdateDelegationRequest,
      responses: { 200: CancelDelegationAnswer },
    },
    ['delegation_not_found', 'delegation_finished'],
  ),
} as const;
