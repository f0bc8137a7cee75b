import { Module } from '@nestjs/common';
import { Database } from '../database.ts';
import { OrdersController } from './orders.controller.ts';
import { OrdersService } from './orders.service.ts';

@Module({ providers: [Database, OrdersService], controllers: [OrdersController], exports: [OrdersService] })
export class OrdersModule {}
