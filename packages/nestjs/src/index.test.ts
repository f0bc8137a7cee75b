import { expect, it } from 'vitest';
import * as nestjs from './index.ts';
import * as microservice from './microservice.ts';
import * as testing from './testing.ts';

it('exports exactly these names', () => {
  expect(Object.keys(nestjs).sort()).toEqual([
    'Answer',
    'InjectAgent',
    'InjectMolecule',
    'InjectMoleculeClient',
    'Message',
    'MessageContext',
    'MessageData',
    'MessageParams',
    'MessageText',
    'MoleculeHealthIndicator',
    'MoleculeModule',
    'MoleculeService',
    'OnAgentEvent',
    'OnAnswer',
    'OnMessage',
    'OnPeerMessage',
    'OnTask',
    'OnUserMessage',
    'Peer',
    'PeerReplyError',
    'PeerTextInterceptor',
    'Signal',
    'Skill',
    'StripA2aBoundaryPipe',
    'UntrustedText',
    'getAgentToken',
    'getMoleculeClientToken',
    'getMoleculeOptionsToken',
    'getMoleculeServiceToken',
    'nestLogger',
  ]);
});

it('exports exactly these names for microservices', () => {
  expect(Object.keys(microservice).sort()).toEqual([
    'ANY_MESSAGE',
    'MOLECULE_TRANSPORT',
    'MessageExceptionFilter',
    'MoleculeClientProxy',
    'MoleculeRpcContext',
    'MoleculeRpcException',
    'MoleculeStrategy',
  ]);
});

it('exports exactly these names for tests', () => {
  expect(Object.keys(testing).sort()).toEqual(['MoleculeTesting', 'MoleculeTestingModule']);
});
