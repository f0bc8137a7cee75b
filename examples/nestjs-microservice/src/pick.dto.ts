import { IsInt, IsString, Length, Max, Min } from 'class-validator';

/** The params of a task. */
export class PickDto {
  @IsString()
  @Length(1, 100)
  item: string;

  @IsInt()
  @Min(1)
  @Max(100)
  quantity: number;
}
