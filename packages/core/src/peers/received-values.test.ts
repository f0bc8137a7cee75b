import { parseActivityRow } from '@molecule-ai/protocol';
import { expect, it } from 'vitest';
import { PEER } from '../../test/agent-ids.ts';
import { readPeerInfo } from './peer-info.ts';
import { createReply, peerReplyFromData } from './peer-reply.ts';
import { receivedMessage, receivedValue } from './received-values.ts';

const ROW = { id: '7', activity_type: 'a2a_receive', method: 'message/send', source_id: PEER };

it('knows what this package made, and no copy of it', () => {
  const file = { uri: 'https://files.example/a', name: 'a' };
  const raw = {
    result: {
      parts: [
        { kind: 'text', text: 'a' },
        { kind: 'data', data: { a: { b: 1 } } },
        { kind: 'file', file },
      ],
    },
  };
  const fields = { status: 'answered', peerId: PEER, messageId: 'm', contextId: '', code: null } as const;
  const reply = createReply({ ...fields, via: 'proxy', isWrapped: false, raw });
  const data = reply.toData();
  const peer = readPeerInfo({ id: PEER, name: 'stock' });
  const row = parseActivityRow(ROW);
  const message = row && receivedMessage(row, PEER);
  expect([data, peer, message].map((value) => receivedValue(Object(value)))).toEqual([
    { kind: 'reply-data' },
    { kind: 'peer' },
    { kind: 'message' },
  ]);
  const [text, part, other] = reply.parts;
  for (const content of [text, part, part?.data, other?.file, reply.raw]) {
    expect(receivedValue(Object(content))).toEqual({ kind: 'reply-content', peerId: PEER });
  }
  const copies = [{ ...data }, { ...peer }, { ...message }, structuredClone(part), { a: 1 }];
  expect(copies.map((copy) => receivedValue(Object(copy)))).toEqual(copies.map(() => undefined));
  expect(receivedValue(peerReplyFromData(JSON.parse(JSON.stringify(data))).toData())).toEqual({
    kind: 'reply-data',
  });
});
