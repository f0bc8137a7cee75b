import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

/** What clients of the REST routes read of errors. It returns nothing for messages, whose errors stay as they are. */
@Catch(HttpException)
export class ProblemFilter implements ExceptionFilter<HttpException> {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(exception: HttpException, host: ArgumentsHost): void {
    if (host.getType<string>() === 'molecule') return;
    const status = exception.getStatus();
    // The list of a ValidationPipe, or the checks of Terminus.
    const { message, details }: { message?: unknown; details?: unknown } = Object(exception.getResponse());
    const problem = {
      status,
      title: exception.message,
      details: Array.isArray(message) ? message : (details ?? null),
    };
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), problem, status);
  }
}
