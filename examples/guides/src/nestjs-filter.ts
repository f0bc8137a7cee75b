import { MoleculeError } from '@molecule-ai/core';
import { type ArgumentsHost, Catch, HttpException, HttpStatus } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';

/** Errors of calls to peers as HTTP statuses; `@UseFilters(MoleculeErrorFilter)` above a controller. */
@Catch(MoleculeError)
export class MoleculeErrorFilter extends BaseExceptionFilter {
  override catch(error: MoleculeError, host: ArgumentsHost): void {
    if (host.getType<string>() === 'molecule') throw error;
    const status = STATUS[error.code] ?? HttpStatus.INTERNAL_SERVER_ERROR;
    super.catch(new HttpException({ statusCode: status, code: error.code }, status), host);
  }
}

const STATUS: Partial<Record<MoleculeError['code'], HttpStatus>> = {
  invalid_argument: HttpStatus.BAD_REQUEST,
  request_rejected: HttpStatus.BAD_REQUEST,
  access_denied: HttpStatus.FORBIDDEN,
  not_found: HttpStatus.NOT_FOUND,
  workspace_removed: HttpStatus.GONE,
  rate_limited: HttpStatus.TOO_MANY_REQUESTS,
  connection_failed: HttpStatus.SERVICE_UNAVAILABLE,
  platform_unavailable: HttpStatus.SERVICE_UNAVAILABLE,
  timed_out: HttpStatus.GATEWAY_TIMEOUT,
};
