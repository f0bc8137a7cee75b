import crypto, { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { PlatformContext } from '../context.ts';
import { isDevOperator, isForeignPage } from './dev-operator.ts';
import type { CredentialSource, Identity, RateOwner } from './principal.ts';

/** Name of the cookie that `POST /session` sets. */
export const SESSION_COOKIE = 'molecule_session';

const BEARER = 'Bearer ';

/** Who calls, and whose requests the rate limiter counts this one with. */
interface Identified {
  readonly identity: Identity;
  readonly rateOwner: RateOwner;
}

/** Identifies the caller of a request. Throws only when the credential store cannot be read. */
export interface Authenticator {
  identify(request: FastifyRequest): Promise<Identified>;
  /** Constant-time comparison with the operator key. */
  isOperatorKey(candidate: string): boolean;
}

export function createAuthenticator(
  context: PlatformContext,
  operatorKey: string,
  source: CredentialSource,
): Authenticator {
  const { settings } = context;
  const operatorHash = sha256(operatorKey);
  const isOperatorHash = (candidate: Buffer) => timingSafeEqual(candidate, operatorHash);
  const corsOrigins = new Set(settings.corsOrigins.map((origin) => origin.toLowerCase()));

  const isFromDevOperator = (request: FastifyRequest, headers: IncomingHttpHeaders) => {
    const { remoteAddress, localPort: port = 0 } = request.socket;
    const { httpVersion } = request.raw;
    return settings.mode === 'dev' && isDevOperator({ remoteAddress, httpVersion, headers, port });
  };

  const unknownCredential = (request: FastifyRequest): Identified => {
    const isOptional = isFromDevOperator(request, { ...request.headers, authorization: undefined });
    return { identity: { kind: 'unknown-credential', isOptional }, rateOwner: addressOf(request) };
  };

  const identifyBearer = async (token: string, request: FastifyRequest): Promise<Identified> => {
    const digest = sha256(token);
    const hash = digest.toString('hex');
    if (isOperatorHash(digest)) return operatorBy('operator-key', hash);
    const holder = token === '' ? undefined : await source.findToken(hash);
    if (holder === undefined) return unknownCredential(request);
    return { identity: holder, rateOwner: { kind: 'workspace', id: holder.workspaceId } };
  };

  const isOwnPage = (request: FastifyRequest) =>
    !isForeignPage(request.headers, (origin) => {
      const host = (request.headers.host ?? '').toLowerCase();
      if (origin === `http://${host}` || origin === `https://${host}`) return true;
      return corsOrigins.has(origin) || origin === new URL(context.publicUrl()).origin;
    });

  const identify: Authenticator['identify'] = async (request) => {
    const authorization = request.headers.authorization;
    if (authorization !== undefined) {
      if (authorization.startsWith(BEARER)) {
        return identifyBearer(authorization.slice(BEARER.length).trim(), request);
      }
      return unknownCredential(request);
    }
    const cookie = request.cookies[SESSION_COOKIE];
    if (cookie !== undefined && isOwnPage(request)) {
      const hash = sha256Hex(cookie);
      if (await source.findSession(hash)) return operatorBy('session', hash);
    }
    if (isFromDevOperator(request, request.headers)) {
      return { identity: { kind: 'operator', via: 'dev' }, rateOwner: addressOf(request) };
    }
    return { identity: { kind: 'anonymous' }, rateOwner: addressOf(request) };
  };
  return { identify, isOperatorKey: (candidate) => isOperatorHash(sha256(candidate)) };
}

function operatorBy(via: 'operator-key' | 'session', credentialHash: string): Identified {
  return { identity: { kind: 'operator', via }, rateOwner: { kind: 'operator', id: credentialHash } };
}

function addressOf({ ip }: FastifyRequest): RateOwner {
  return { kind: 'address', id: ip };
}

/** Lower-case hex SHA-256, the only form in which a token or a session is stored. */
export function sha256Hex(text: string): string {
  return sha256(text).toString('hex');
}

function sha256(text: string): Buffer {
  return crypto.hash('sha256', text, 'buffer');
}
