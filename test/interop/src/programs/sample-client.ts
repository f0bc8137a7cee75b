// The clients of docs/with-an-a2a-sdk.md and docs/streaming.md, with @a2a-js/sdk 1.3.0.
// #region client
import { type Message, Role, TaskState } from 'a2a-sdk-1.0';
import {
  ClientFactory,
  ClientFactoryOptions,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
} from 'a2a-sdk-1.0/client';

// #endregion client
const { AGENT_URL: agentUrl = '', MOLECULE_WORKSPACE_TOKEN: token = '' } = process.env;
// #region client
const fetchImpl: typeof fetch = (input, init) => {
  const headers = new Headers(init?.headers);
  headers.set('Authorization', `Bearer ${token}`);
  return fetch(input, { ...init, headers });
};
const legacyCompat = { enabled: true }; // agents of A2A 0.3 too
const factory = new ClientFactory(
  ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
    transports: [new JsonRpcTransportFactory({ fetchImpl, legacyCompat })],
    cardResolver: new DefaultAgentCardResolver({ fetchImpl, legacyCompat }),
  }),
);
const client = await factory.createFromUrl(agentUrl); // https://<platform>/workspaces/<id>/a2a

const message = {
  messageId: crypto.randomUUID(),
  role: Role.ROLE_USER,
  parts: [{ content: { $case: 'text', value: 'hello' }, metadata: undefined, filename: '', mediaType: '' }],
  contextId: '',
  taskId: '',
  metadata: undefined,
  extensions: [],
  referenceTaskIds: [],
} satisfies Message;
const reply = await client.sendMessage({
  tenant: '',
  message,
  configuration: undefined,
  metadata: undefined,
});
if ('messageId' in reply) console.log(reply.parts.map(({ content }) => content?.value).join('\n'));
else console.log(TaskState[reply.status?.state ?? 0], reply.id); // ask later: client.getTask({ tenant: '', id })
// #endregion client

const messageId = crypto.randomUUID();
// #region stream
const request = {
  tenant: '',
  message: { ...message, messageId },
  configuration: undefined,
  metadata: undefined,
};
for await (const { payload } of client.sendMessageStream(request)) {
  if (payload?.$case === 'artifactUpdate') {
    for (const { content } of payload.value.artifact?.parts ?? []) {
      if (content?.$case === 'text') process.stdout.write(content.value); // append: false begins the text anew
    }
  }
  if (payload?.$case === 'statusUpdate') console.log('', TaskState[payload.value.status?.state ?? 0]);
}
// #endregion stream
