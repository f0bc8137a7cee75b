// #region approval
import type { MessageHandler, PeerClient } from '@molecule-ai/core';

// #endregion approval
import type { OperatorClient } from '@molecule-ai/core/operator';

// #region approval
/** Deploys a version when a person has approved it. */
export const deployer =
  (deploy: (version: string) => Promise<void>): MessageHandler =>
  async (message, { once }) => {
    const [approval] = message.answers;
    if (approval === undefined) {
      const version = /\d+/.exec(message.text)?.[0];
      if (version === undefined) return 'Which version?';
      const id = `deploy-${version}-${message.id}`; // comes back with the answer
      return {
        text: '',
        questions: [{ id, kind: 'approval', text: `Deploy version ${version}?`, from: 'user' }],
      };
    }
    if (approval.decision !== 'approve') return 'Not deployed.';
    const [, version = ''] = approval.questionId.split('-');
    await once('deploy', () => deploy(version)); // not again in another attempt
    return `Version ${version} is deployed.`;
  };
// #endregion approval

// #region text
/** Asks its sender for what is missing. */
export const translator =
  (translate: (text: string, language: string) => Promise<string>): MessageHandler =>
  async (message, { client }) => {
    const idFor = (row: string) => `language-${row}`;
    const [answer] = message.answers;
    if (answer === undefined) {
      const id = idFor(message.id);
      return { text: '', questions: [{ id, kind: 'text', text: 'Which language?', from: 'sender' }] };
    }
    // The conversation has the message that raised the question.
    const { rows } = await client.listActivity({ conversationId: message.conversationId });
    const asked = rows.find(({ id }) => idFor(id) === answer.questionId);
    return translate(asked?.text ?? '', answer.text);
  };
// #endregion text

// #region sender
/** Asks a peer, and answers what it asks back. */
export async function askWithLanguage(client: PeerClient, peerId: string, language: string) {
  const reply = await client.callPeer(peerId, 'Good morning');
  const own = reply.questions.filter(({ kind, from }) => kind === 'text' && from === 'sender');
  if (own.length === 0) return reply; // answered, or somebody else has to say something
  return client.callPeer(peerId, language, { answers: own.map(({ id }) => ({ questionId: id })) });
}
// #endregion sender

// #region operator
/** Shows a person what an agent asks, and decides. */
export async function decideAll(
  operator: OperatorClient,
  workspaceId: string,
  decision: 'approve' | 'reject',
) {
  for (const question of await operator.listQuestions(workspaceId, { state: 'open' })) {
    console.log(`${question.workspaceId} asks: ${question.text}`); // text of the agent: never as HTML
    if (question.kind === 'approval') await operator.answerQuestion(workspaceId, question.id, { decision });
  }
}
// #endregion operator
