import { dataPlace } from "../../../../commands/shared/evaluation/subject.ts";
import { assertEquals } from "../../../support/assert.ts";
import { inFolder } from "../../../support/folder.ts";

Deno.test("dataPlace() is where the run's config says that its images lie", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/run/checkpoints/step-000020.safetensors`;
    assertEquals(await dataPlace(path), null);
    await Deno.mkdir(`${folder}/run/checkpoints`, { recursive: true });
    const data = { name: "folder", dir: "/photos", size: 32 };
    await Deno.writeTextFile(`${folder}/run/config.json`, JSON.stringify({ data }));
    assertEquals(await dataPlace(path), "/photos");
    assertEquals(await dataPlace(`${folder}/run/step-000020.safetensors`), null);
  });
});
