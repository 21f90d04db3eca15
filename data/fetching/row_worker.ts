/**
 * The thread of {@linkcode RowReader}.
 *
 * @module
 */
import { answerMessages } from "../../support/worker_scope.ts";
import { readRows, type RowFile, type RowReply, type RowRequest } from "./stored_rows.ts";

let place: RowFile | undefined, file: Deno.FsFile | undefined;

answerMessages<RowRequest, RowReply>((request, reply) => {
  if ("file" in request) return void (place = request.file);
  const { id, rows } = request;
  try {
    file ??= Deno.openSync(place!.path);
    const bytes = readRows(file, place!, rows);
    reply({ id, bytes }, [bytes.buffer]);
  } catch (error) {
    reply({ id, why: (error as Error).message });
  }
});
