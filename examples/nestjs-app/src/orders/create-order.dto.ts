import { IsInt, IsString, Length, Max, Min } from 'class-validator';

/** The body of `POST /orders`, and the params of a task of another agent. */
export class CreateOrderDto {
  @IsString()
  @Length(1, 100)
  item: string;

  @IsInt()
  @Min(1)
  @Max(1_000)
  quantity: number;
}
