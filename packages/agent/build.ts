import { bundleProgram } from "../../bundle.shared.ts";

await bundleProgram("agent");
