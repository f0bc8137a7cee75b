// #region approval
import type { AnswerHandler, MessageHandler, PeerClient } from '@molecule-ai/core';

// #endregion approval
import type { OperatorClient } from '@molecule-ai/core/operator';

// #region approval
/** Asks before it deploys. */
export const askToDeploy: MessageHandler = (message) => {
  const version = /\d+/.exec(message.text)?.[0];
  if (version === undefined) return 'Which version?';
  const text = `Deploy version ${version}?`;
  return { questions: [{ kind: 'approval', text, from: 'user', data: { version } }] };
};

/** Deploys a version when a person has approved it. */
export const deployIfApproved =
  (deploy: (version: string) => Promise<void>): AnswerHandler =>
  async (answer, { once }) => {
    if (answer.kind === 'late') return; // what this agent asked a peer was answered late
    const [approval] = answer.questions;
    if (approval?.decision !== 'approve') return 'Not deployed.';
    const { version } = approval.data as { version: string };
    await once('deploy', () => deploy(version)); // not again in another attempt
    return `Version ${version} is deployed.`;
  };
// #endregion approval

// #region text
/** Asks its sender for what is missing. */
export const askForLanguage: MessageHandler = () => ({
  questions: [{ kind: 'text', text: 'Which language?', from: 'sender' }],
});

export const translateInto =
  (translate: (text: string, language: string) => Promise<string>): AnswerHandler =>
  async (answer) => {
    if (answer.kind === 'late') return;
    const [language] = answer.questions;
    return translate(answer.original.text ?? '', language?.answer ?? '');
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
