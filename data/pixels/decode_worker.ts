/**
 * A thread of {@linkcode decodeInThreads}.
 *
 * @module
 */
import { answerMessages } from "../../support/worker_scope.ts";
import type { DecodeReply, DecodeRequest } from "./decode_threads.ts";
import { decodePicture, fitPicture } from "./pictures.ts";

answerMessages<DecodeRequest, DecodeReply>(({ at, bytes, shape }, reply) => {
  try {
    const image = Uint8Array.from(fitPicture(decodePicture(bytes), shape));
    reply({ at, image }, [image.buffer]);
  } catch (error) {
    reply({ at, why: (error as Error).message });
  }
});
