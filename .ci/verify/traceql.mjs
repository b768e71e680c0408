// Parse TraceQL with Grafana's own grammar: a JSON list of queries in, of each the places of its errors out.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { parser } = createRequire(process.argv[2])("@grafana/lezer-traceql");
const errors = (query) => {
  const found = [];
  parser.parse(query).iterate({ enter: (node) => { if (node.type.isError) found.push(node.from); } });
  return found;
};
console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(errors)));
