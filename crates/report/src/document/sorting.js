for (const table of document.querySelectorAll("table")) {
  const rows = table.tBodies[0];
  const headers = [...table.tHead.rows[0].cells];
  const number = (text) => {
    const found = text.replace(/−/g, "-").replace(/,/g, "").match(/^-?\d+(\.\d+)?/);
    return found ? parseFloat(found[0]) : NaN;
  };
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const up = header.getAttribute("aria-sort") === "descending";
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", up ? "ascending" : "descending");
      const keyed = [...rows.rows].map((row) => {
        const text = row.cells[column].textContent.trim();
        return { row, text, value: number(text) };
      });
      const numeric = keyed.some((one) => !isNaN(one.value));
      keyed.sort((a, b) => {
        if (!numeric) return up ? a.text.localeCompare(b.text) : b.text.localeCompare(a.text);
        // What has no number stays at the end either way.
        if (isNaN(a.value) || isNaN(b.value)) return isNaN(a.value) - isNaN(b.value);
        return up ? a.value - b.value : b.value - a.value;
      });
      rows.append(...keyed.map((one) => one.row));
    });
  });
}
