import { MoleculeService } from '@molecule-ai/nestjs';
import { Body, Controller, Get, HttpCode, Param, ParseUUIDPipe, Post, Query, Sse } from '@nestjs/common';
import { IsString, Length } from 'class-validator';
import { map, type Observable } from 'rxjs';

class QuestionDto {
  @IsString()
  @Length(1, 1_000)
  text: string;
}

/** REST routes that ask other agents. What these wrote is data for people here; a model would read `reply.forModel()`. */
@Controller('suppliers')
export class SuppliersController {
  constructor(private readonly molecule: MoleculeService) {}

  @Get()
  async list(): Promise<{ id: string; name: string; status: string }[]> {
    const peers = await this.molecule.peers();
    return peers.map(({ id, name, status }) => ({ id, name, status }));
  }

  @Post(':id/questions')
  @HttpCode(200)
  async ask(
    @Param('id', ParseUUIDPipe) id: string,
    @Body() question: QuestionDto,
  ): Promise<{ status: string; text: string }> {
    const { status, text } = await this.molecule.call(id, question.text, { timeoutMs: 20_000 });
    return { status, text };
  }

  /** The answer while it is made. To close the connection cancels the question. */
  @Sse(':id/answers')
  stream(
    @Param('id', ParseUUIDPipe) id: string,
    @Query() question: QuestionDto,
  ): Observable<{ data: string }> {
    return this.molecule.observe(id, question.text).pipe(map((data) => ({ data })));
  }
}
