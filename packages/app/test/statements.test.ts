import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitStatements } from "../src/migrations/statements.ts";

describe("splitStatements", () => {
  it.each([
    ["SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]],
    ["SELECT ';''; '; SELECT 2", ["SELECT ';''; '", "SELECT 2"]],
    [String.raw`SELECT E'\';'; SELECT 2`, [String.raw`SELECT E'\';'`, "SELECT 2"]],
    [String.raw`SELECT '\'; SELECT 2`, [String.raw`SELECT '\'`, "SELECT 2"]],
    ['SELECT 1 AS "a;b"; SELECT 2', ['SELECT 1 AS "a;b"', "SELECT 2"]],
    ["DO $$ BEGIN; END $$; SELECT 2", ["DO $$ BEGIN; END $$", "SELECT 2"]],
    ["SELECT $a$ ; $$ ; $a$; SELECT 2", ["SELECT $a$ ; $$ ; $a$", "SELECT 2"]],
    ["SELECT 1 /* ; /* ; */ ; */ + 1; SELECT 2", ["SELECT 1 /* ; /* ; */ ; */ + 1", "SELECT 2"]],
    ["-- only; a comment\n;; \n", []],
  ])("splits %j", (sql, statements) => {
    expect(splitStatements(sql)).toEqual(statements);
  });

  it("finds again the statements that were joined", () => {
    const piece = fc.constantFrom(
      "a",
      "1",
      " ",
      "'x;y'",
      "''''",
      '"q;"',
      "$$b;$$",
      "$t$;$t$",
      "/* ; */",
      "-- ;\n",
      "E'\\';'",
    );
    const statement = fc.array(piece).map((pieces) => `SELECT ${pieces.join(" ")} x`);
    fc.assert(
      fc.property(fc.array(statement), (statements) => {
        expect(splitStatements(statements.join(";\n"))).toEqual(statements);
      }),
    );
  });
});
