export { parseModel } from "./model-file.ts";
export { simulatedSteering } from "./simulated-steering.ts";
