/**
 * Splits SQL at the semicolons between statements; those in strings, quoted names, dollar quotes and comments stay.
 * Needed outside a transaction only: Postgres wraps several statements of one message into a transaction.
 */
export function splitStatements(sql: string): string[] {
  const statements: string[] = [];
  let start = 0;
  let hasCode = false;
  let at = 0;
  while (at < sql.length) {
    const skipped = endOfQuoted(sql, at);
    if (skipped !== undefined) {
      if (!sql.startsWith("--", at) && !sql.startsWith("/*", at)) hasCode = true;
      at = skipped;
    } else if (sql[at] === ";") {
      if (hasCode) statements.push(sql.slice(start, at).trim());
      [start, hasCode] = [at + 1, false];
      at += 1;
    } else {
      if (/\S/.test(sql.charAt(at))) hasCode = true;
      at += 1;
    }
  }
  if (hasCode) statements.push(sql.slice(start).trim());
  return statements;
}

// Where the comment, string, quoted name or dollar quote that begins here ends; undefined when none begins here.
function endOfQuoted(sql: string, at: number): number | undefined {
  const until = (mark: string, from: number) => {
    const found = sql.indexOf(mark, from);
    return found < 0 ? sql.length : found + mark.length;
  };
  if (sql.startsWith("--", at)) return until("\n", at);
  if (sql.startsWith("/*", at)) return endOfComment(sql, at);
  if (sql[at] === '"') return until('"', at + 1);
  if (sql[at] === "'") {
    const escapes = /(^|[^\w$])[eE]$/.test(sql.slice(Math.max(at - 2, 0), at));
    const literal = escapes ? /'(?:[^'\\]|\\[^]|'')*'?/y : /'(?:[^']|'')*'?/y;
    literal.lastIndex = at;
    return literal.test(sql) ? literal.lastIndex : sql.length;
  }
  const tag = /\$(?:[A-Za-z_]\w*)?\$/y;
  tag.lastIndex = at;
  const opening = /[\w$]/.test(sql.charAt(at - 1)) ? undefined : tag.exec(sql)?.[0];
  return opening === undefined ? undefined : until(opening, at + opening.length);
}

// Comments nest in Postgres.
function endOfComment(sql: string, at: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = at;
  let depth = 0;
  for (let mark = marks.exec(sql); mark !== null; mark = marks.exec(sql)) {
    depth += mark[0] === "/*" ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return sql.length;
}
