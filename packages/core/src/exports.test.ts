import { expect, it } from 'vitest';
import * as kit from './adapter-kit.ts';
import * as inbound from './inbound.ts';
import * as agent from './index.ts';
import * as operator from './operator.ts';
import * as testing from './testing.ts';

it('the agent entry exports exactly these names', () => {
  expect(Object.keys(agent).sort()).toEqual([
    'A2AServer',
    'AccessDeniedError',
    'ApiError',
    'ConfigurationError',
    'ConnectionError',
    'CursorLostError',
    'FileInboundStore',
    'FileTokenStore',
    'LongPollDelivery',
    'MOLECULE_ERROR_CODES',
    'MemoryInboundStore',
    'MemoryTokenStore',
    'MessageFailure',
    'MoleculeError',
    'PageTooLargeError',
    'PollDelivery',
    'RemoteAgentClient',
    'StreamRestartedError',
    'TimeoutError',
    'WorkspaceRemovedError',
    'createRemoteAgent',
    'currentMessage',
    'defineSkill',
    'deriveMessageId',
    'fencePeerText',
    'handleSkill',
    'listDeadLetters',
    'makeIdempotencyKey',
    'messageForModel',
    'parseActivityRow',
    'peerReplyFromData',
    'peerTextInstructions',
    'peersForModel',
    'plainPeerText',
    'silentLogger',
    'stripA2aBoundary',
    'toNodeListener',
    'wrapA2aBoundary',
  ]);
});

it('the inbound entry exports exactly these names', () => {
  expect(Object.keys(inbound).sort()).toEqual(['createInboundHandler']);
});

it('the operator entry exports exactly these names', () => {
  expect(Object.keys(operator).sort()).toEqual(['OperatorClient']);
});

it('the testing entry exports exactly these names', () => {
  expect(Object.keys(testing).sort()).toEqual([
    'chaos',
    'expectAnswered',
    'expectFenced',
    'expectNoUnfencedPeerText',
    'expectStatus',
    'moleculeMatchers',
    'recordingLogger',
    'scriptedPeer',
    'temporaryState',
  ]);
});

it('the entry for adapters exports exactly these names', () => {
  expect(Object.keys(kit).sort()).toEqual([
    'InboundHandlerShape',
    'PeerCalls',
    'PeerToolsShape',
    'agentHandler',
    'bySkill',
    'clientPort',
    'clientProblem',
    'createPlainText',
    'currentConversation',
    'fenceForeignText',
    'findClientPort',
    'inConversation',
    'isPeerToolName',
    'mapTexts',
    'outcomeOfReply',
    'ownWords',
    'peerIdProblem',
    'peerTools',
    'receivedValue',
    'repeatableCallOptions',
    'shape',
    'skillTool',
  ]);
});
