import { createHash, timingSafeEqual } from 'node:crypto';
import {
  type CanActivate,
  type ExecutionContext,
  Injectable,
  SetMetadata,
  UnauthorizedException,
} from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Reflector } from '@nestjs/core';
import type { Environment } from './environment.ts';

const IS_PUBLIC = 'isPublic';
/** For routes without a key. */
export const Public = () => SetMetadata(IS_PUBLIC, true);

/** The guard of all REST routes. The first line is new: messages are no requests, and have senders that the platform knows. */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly config: ConfigService<Environment, true>,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    if (context.getType<string>() === 'molecule') return true;
    if (this.reflector.getAllAndOverride(IS_PUBLIC, [context.getHandler(), context.getClass()])) return true;
    const given = context.switchToHttp().getRequest().headers['x-api-key'];
    const isKey = timingSafeEqual(hash(given), hash(this.config.get('API_KEY', { infer: true })));
    if (!isKey) throw new UnauthorizedException('The header x-api-key is missing or wrong');
    return true;
  }
}

function hash(key: unknown): Buffer {
  return createHash('sha256').update(String(key)).digest();
}
