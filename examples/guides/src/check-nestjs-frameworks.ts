import 'reflect-metadata';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { RemoteAgent } from '@molecule-ai/core';
import { getAgentToken, MoleculeModule } from '@molecule-ai/nestjs';
import type { ModelScript } from '@molecule-tests/harness';
import { ScriptedLanguageModel } from '@molecule-tests/harness/ai-sdk';
import { ScriptedChatModel } from '@molecule-tests/harness/langchain';
import { Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Researcher, Writer } from './nestjs-frameworks.ts';
import type { Stage } from './stage.ts';

/** Applications of Nest whose providers run an agent of LangChain and one of the AI SDK. */
export async function checkNestFrameworks(stage: Stage): Promise<void> {
  const lab = await stage.agent('lab-of-providers', () => '990 of 1000 pass.');
  const asking: ModelScript = (messages) =>
    messages.at(-1)?.role === 'tool'
      ? 'The lab says that we can.'
      : { name: 'call_peer', args: { peer_id: lab.id, text: 'Can we ship?' } };
  const providers = [
    ['researcher', Researcher, new ScriptedChatModel(asking)],
    ['writer', Writer, new ScriptedLanguageModel(asking)],
  ] as const;
  for (const [name, provider, model] of providers) {
    const id = await startApplication(stage, name, provider, model);
    const reply = await stage.operator.sendMessage(id, 'Can we ship?');
    assert.equal(reply.text, 'The lab says that we can.');
    assert.match(model.read, /answered:\n<peer-text-[0-9a-f]{32} /);
    const pieces: string[] = [];
    for await (const piece of lab.client.streamPeer(id, 'Can we ship?')) pieces.push(piece);
    assert.ok(pieces.length > 1);
    assert.equal(pieces.join(''), reply.text);
  }
  console.log('✓ Nest: providers run agents of LangChain and of the AI SDK, which ask a peer and stream');
}

async function startApplication(stage: Stage, name: string, provider: Type, model: object): Promise<string> {
  const { id } = await stage.member(`nest-${name}`);
  const storage = { directory: join(stage.folder, id) };
  const options = { platformUrl: stage.platform.url, workspaceId: id, storage, agentCard: { name } };
  class Root {}
  Module({
    imports: [MoleculeModule.forRoot({ client: options })],
    providers: [provider, { provide: 'MODEL', useValue: model }],
  })(Root);
  const app = await NestFactory.createApplicationContext(Root, { logger: false, abortOnError: false });
  stage.onEnd(() => app.close());
  const agent = app.get<RemoteAgent>(getAgentToken());
  if (agent.state !== 'running') await new Promise<void>((resolve) => agent.on('started', resolve));
  return id;
}
