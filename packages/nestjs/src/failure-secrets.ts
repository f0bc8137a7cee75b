import { type HandlerContext, MessageFailure } from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';

const REDACTED = '[redacted]';
/** Shorter values, and shorter rests of them, are words of ordinary texts. */
const MIN_LENGTH = 16;
const MIN_REST = 6;

/**
 * A failure whose text the sender reads, without the credentials of the agent in it: an application passes on what another library threw.
 * All other errors are given back.
 */
export async function withoutSecrets(error: unknown, { client }: HandlerContext): Promise<unknown> {
  if (!MessageFailure.isInstance(error)) return error;
  const secrets = await secretsOf(client);
  const text = secrets.reduce<string>(withoutSecret, error.textForSender);
  if (text === error.textForSender) return error;
  return new MessageFailure(text, { code: error.code, cause: error.cause ?? error });
}

/** None of a client that cannot read them, or that a test has made. */
async function secretsOf(client: HandlerContext['client']): Promise<(string | undefined)[]> {
  try {
    const port = clientPort(client);
    return await Promise.all([port.currentToken(), port.currentInboundSecret()]);
  } catch {
    return [];
  }
}

function withoutSecret(text: string, secret: string | undefined): string {
  if (secret === undefined || secret.length < MIN_LENGTH) return text;
  const clean = text.replaceAll(secret, REDACTED);
  if (!clean.endsWith('…')) return clean;
  // A long text was cut, maybe in the middle of it.
  for (let length = secret.length - 1; length >= MIN_REST; length -= 1) {
    const rest = `${secret.slice(0, length)}…`;
    if (clean.endsWith(rest)) return `${clean.slice(0, -rest.length)}${REDACTED}…`;
  }
  return clean;
}
