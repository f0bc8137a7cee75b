import { Body, Controller, Get, Param, ParseIntPipe, Post } from '@nestjs/common';
import { CreateOrderDto } from './create-order.dto.ts';
import { type Order, OrdersService } from './orders.service.ts';

@Controller('orders')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Post()
  create(@Body() order: CreateOrderDto): Order {
    return this.orders.place(order);
  }

  @Get()
  list(): Order[] {
    return this.orders.latest(100);
  }

  @Get(':id')
  find(@Param('id', ParseIntPipe) id: number): Order {
    return this.orders.find(id);
  }
}
