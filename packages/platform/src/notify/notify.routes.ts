import { routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { mount } from '../http/mount.ts';
import { type NotifyService, parseNotify } from './notify.service.ts';

/** Accepted in every state of the workspace but removed. */
export function mountNotifyRoutes(app: FastifyInstance, notify: NotifyService): void {
  mount(app, routes.notify, { body: parseNotify }, async ({ params, body }) => {
    const { activityId, kind } = await notify.notify(params.id, body);
    return {
      status: 'sent',
      activity_id: activityId,
      ...(kind === 'repeat' ? { duplicate: true as const } : {}),
      ...(kind === 'ignored' ? { ignored: true as const } : {}),
    };
  });
}
