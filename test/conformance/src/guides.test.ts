import { createRemoteAgent } from '@molecule-ai/core';
import { expect } from 'vitest';
import { blocksOf } from './harness/documents.ts';
import { textAt } from './harness/http.ts';
import { createMember } from './harness/members.ts';
import { areInstalled, shell } from './harness/programs.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

// One database is enough: the pages name none.
onEachDatabase('commands of the guides', { onDisk: true }, (environment) => {
  verifies('documents.questions-curl', async () => {
    if (!areInstalled('curl')) return;
    const platform = await environment.platform();
    const member = await createMember(platform);
    const agent = createRemoteAgent({
      client: environment.client(platform, member),
      onMessage: ({ answers: [approval] }) => {
        if (approval !== undefined) return `${approval.decision}: ${approval.text}`;
        return { text: '', questions: [{ kind: 'approval', text: 'Deploy?', from: 'user' }] };
      },
    });
    environment.onCleanup(() => agent.stop());
    await agent.start();
    const operator = environment.operator(platform);
    const asked = await operator.sendMessage(member.id, 'Deploy.');
    expect(asked.status).toBe('input-required');
    const [list = '', answer = ''] = blocksOf('docs/questions.md', 'Who answers');
    const env = {
      MOLECULE_PLATFORM_URL: platform.url,
      WORKSPACE_ID: member.id,
      MOLECULE_OPERATOR_KEY: platform.operatorKey,
    };
    const listed = JSON.parse(await shell(environment, list, { env }));
    expect(textAt(listed, 'questions', 0, 'text')).toBe('Deploy?');
    const id = textAt(listed, 'questions', 0, 'id');
    await shell(environment, answer.replace('<id of the question>', id), { env });
    const { text } = await operator.waitForAnswer(member.id, asked.messageId);
    expect(text).toBe('approve: After six.');
  });
});
