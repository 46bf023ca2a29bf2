// Expressions of the filter language, built from what the filter form asks for. See docs/reference/filters.md.

/** The questions that a column can be asked: [name, text, how many values]. */
export function questionsOf(column) {
  // Numbers in lists are drawn as a distribution, from which no single values can be picked.
  const questions = QUESTIONS[kindOf(column)];
  return column.list && column.kind === "number" ? questions.filter(([name]) => name !== "among") : questions;
}

/** What kind of questions a column's values can be asked; null for those that filters cannot ask. */
export function kindOf(column) {
  return column.list && column.kind ? "list" : column.kind;
}

const QUESTIONS = {
  text: [
    ["among", "is one of these values", 0],
    ["contains", "contains", 1],
    ["is", "is exactly", 1],
    ["is_not", "is not", 1],
    ["starts", "starts with", 1],
    ["present", "is present", 0],
    ["missing", "is missing", 0],
  ],
  number: [
    ["least", "is at least", 1],
    ["most", "is at most", 1],
    ["between", "is between", 2],
    ["is", "is exactly", 1],
    ["present", "is present", 0],
    ["missing", "is missing", 0],
  ],
  flag: [
    ["true", "is true", 0],
    ["false", "is false", 0],
    ["missing", "is missing", 0],
  ],
  list: [
    ["among", "contains one of these values", 0],
    ["contains", "contains the value", 1],
    ["present", "is present", 0],
    ["missing", "is missing", 0],
  ],
};

export function expression(column, question, values) {
  const name = quoteName(column.name);
  const kind = kindOf(column);
  const literal = (value) => (column.kind === "text" ? quoteText(value) : value.trim());
  const build = {
    contains: () => `${kind === "list" ? "has" : "contains"}(${name}, ${literal(values[0])})`,
    starts: () => `starts_with(${name}, ${literal(values[0])})`,
    is: () => `${name} = ${literal(values[0])}`,
    is_not: () => `${name} != ${literal(values[0])}`,
    least: () => `${name} >= ${literal(values[0])}`,
    most: () => `${name} <= ${literal(values[0])}`,
    between: () => `${name} BETWEEN ${literal(values[0])} AND ${literal(values[1])}`,
    among: () => `${name} IN (${values.map(literal).join(", ")})`,
    present: () => `${name} IS NOT NULL`,
    missing: () => `${name} IS NULL`,
    true: () => `${name} = true`,
    false: () => `${name} = false`,
  };
  return build[question]();
}

// Plain names stay readable; any that could be a word of the language is quoted.
const PLAIN = /^(contig|position|id|ref|alt|qual|filter|(?!select\.|not\.)[a-z_]\w*\.(?!select$|not$)[a-z_]\w*)$/i;

function quoteName(name) {
  return PLAIN.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

function quoteText(text) {
  return `'${text.replaceAll("'", "''")}'`;
}
