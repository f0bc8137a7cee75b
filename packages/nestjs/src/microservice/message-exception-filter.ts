import { Catch, type ExceptionFilter } from '@nestjs/common';
import { type Observable, throwError } from 'rxjs';

/**
 * Errors of handlers of a microservice as those of `@OnMessage()` methods: an `HttpException` of 4xx reaches the sender, all others are tried
 * again. Without it Nest makes `Internal server error` of everything but an `RpcException`, also of what a `ValidationPipe` throws.
 *
 * @example
 * @UseFilters(MessageExceptionFilter) @Controller() export class TasksController {}
 */
export class MessageExceptionFilter implements ExceptionFilter {
  catch(exception: unknown): Observable<never> {
    return throwError(() => exception);
  }
}

Catch()(MessageExceptionFilter);
