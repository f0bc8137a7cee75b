const reply = { status: 'answered', text: 'Yes.' };

export async function check(): Promise<void> {
  expect(reply).toBeAnswered('Yes.');
  expect(reply).toBeAnswered(/^Y/);
  expect(reply).toHaveStatus('failed', 'away');
  expect('text').not.toBeFenced();
  expect(['prompt']).toHaveNoUnfencedPeerText('advice', reply.text);
  await expect(Promise.resolve(reply)).resolves.toBeAnswered();
  // @ts-expect-error: there is no such matcher
  expect(reply).toBeAnswerd();
  // @ts-expect-error: a status is required
  expect(reply).toHaveStatus();
}
