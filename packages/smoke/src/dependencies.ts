/**
 * Cycles among named nodes, each as the names along it with the first repeated at the end; none exactly when there is no cycle.
 * Cycles that share a node may be reported as one.
 */
export function findCycles(dependsOn: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const stack: string[] = [];
  const visit = (name: string): void => {
    const start = stack.indexOf(name);
    if (start !== -1) {
      cycles.push([...stack.slice(start), name]);
      return;
    }
    if (done.has(name)) return;
    stack.push(name);
    for (const dependency of dependsOn.get(name) ?? []) visit(dependency);
    stack.pop();
    done.add(name);
  };
  for (const name of dependsOn.keys()) visit(name);
  return cycles;
}

/** The nodes in their own order, except that each comes after all it depends on. The graph must have no cycle. */
export function inDependencyOrder<T extends { name: string; dependsOn: string[] }>(nodes: T[]): T[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const ordered = new Set<T>();
  const add = (node: T): void => {
    if (ordered.has(node)) return;
    for (const name of node.dependsOn) add(byName.get(name)!);
    ordered.add(node);
  };
  nodes.forEach(add);
  return [...ordered];
}
