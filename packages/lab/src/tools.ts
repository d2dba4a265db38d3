// Development only, until the toolchain is here.
export function toolsDirectory(): string {
  return "/tmp/warm/bin";
}
export async function ensureKube(): Promise<string> {
  return "/tmp/warm/bin/kube";
}
