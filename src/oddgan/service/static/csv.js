/** The results as CSV for spreadsheets. */

/** Return the results as CSV, most anomalous first; files that could not be scored come last. */
export function csv(results, problems) {
  const explained = results.samples.some((sample) => sample.explanation?.contributions);
  const probable = results.samples.some((sample) => sample.probability != null);
  const optional = [...(probable ? ["probability"] : []), "flagged", "threshold"];
  const names = ["file", "sample", "anomaly_score", "p_value", ...optional];
  const header = [...names, ...(explained ? ["why"] : []), "error", "model"];
  const { name } = results.model;
  const judged = results.samples.map((sample) => ({
    ...sample,
    file: sample.path,
    flagged: results.isFlagged(sample) ? "True" : "False",
    threshold: Number.isFinite(results.threshold) ? results.threshold : "",
    why: why(sample),
    model: name,
  }));
  const failed = problems.flatMap(({ files, message }) =>
    files.map((file) => ({ file: file.path, error: message, model: name })),
  );
  const lines = [...judged, ...failed].map((row) => header.map((column) => cell(row[column])));
  return [header, ...lines].map((line) => line.join(",")).join("\r\n") + "\r\n";
}

/** Name the columns with the largest contributions to a row, largest first. */
export function why(sample, limit = 3) {
  const contributions = sample.explanation?.contributions ?? [];
  return contributions
    .filter(({ contribution }) => contribution > 0)
    .slice(0, limit)
    .map(({ column }) => column)
    .join("; ");
}

/**
 * Write one cell (RFC 4180). Text that a spreadsheet would read as a formula gets a leading
 * apostrophe, as OWASP advises; numbers stay numbers, also negative ones.
 */
export function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = /^[\s]*[=+\-@＝＋－＠\t\r\n]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Download a text as a file. */
export function download(name, text) {
  const mark = "\ufeff"; // Excel reads UTF-8 only with it
  const url = URL.createObjectURL(new Blob([mark, text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
