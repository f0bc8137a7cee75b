import { IsString } from 'class-validator';

/** A class that tests import as a type, so that it is not there at run time. */
export class WordDto {
  @IsString()
  word!: string;
}
