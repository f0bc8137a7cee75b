import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checksOf } from './checks.ts';
import { cardOf } from './expectations.ts';
import type { Organisation } from './organisation.ts';
import { type Agent, type Client, versionOf } from './participants.ts';
import { type Exchange, startRecorder } from './recorder.ts';

const DATA = new URL('../../conformance/data/', import.meta.url);
const RECORDED = ['message', 'task', 'question'] as const;

/**
 * Records what each client and the agent of the same SDK exchange through the platform into the data of the conformance
 * tests, which replay it without the SDKs.
 */
export async function record(
  organisation: Organisation,
  clients: readonly Client[],
  agents: readonly Agent[],
): Promise<void> {
  for (const client of clients) {
    const agent = agents.find(({ name }) => name === client.name);
    if (agent === undefined) throw new Error(`no agent of ${client.name}`);
    const [before, behind] = [await startRecorder(organisation.origin), await startRecorder(agent.origin)];
    const member = await organisation.addPushAgent(`${behind.url}/a2a`, agent.card);
    const target = `${before.url}/workspaces/${member.id}/a2a`;
    const pairing = { client, agent: { ...agent, url: target }, version: versionOf(client, agent) };
    const card = JSON.stringify(await cardOf(pairing)).replaceAll(organisation.origin, before.url);
    const checks = checksOf({ ...pairing, card: JSON.parse(card) as object });
    for (const name of RECORDED) await checks[name]?.();
    const file = new URL(`interop-${client.name.replaceAll(' ', '-')}.json`, DATA);
    const sent = before.exchanges.filter(isMessage);
    const exchanges = behind.exchanges.filter(isMessage).map((pushed, index) => ({
      request: { headers: sent[index]?.headers, body: sent[index]?.request },
      push: { headers: pushed.headers, body: pushed.request, response: pushed.response },
      response: sent[index]?.response,
    }));
    writeFileSync(fileURLToPath(file), `${JSON.stringify({ client: client.name, exchanges }, null, 2)}\n`);
    before.close();
    behind.close();
  }
}

function isMessage({ request }: Exchange): boolean {
  const { method } = request as { readonly method?: unknown };
  return method === 'message/send' || method === 'SendMessage';
}
