import { fileURLToPath } from "node:url";

/** The model that ships: beside the folder of the sources, and of the bundle. */
export const shippedModel = fileURLToPath(new URL("../model/model.json", import.meta.url));
