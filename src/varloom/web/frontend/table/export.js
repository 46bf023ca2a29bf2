// Export links: exactly the rows that the filters leave, in the order of the table.
import { address } from "./api.js";
import { asked, joinNames, joined } from "./query.js";

export function startExport({ base, query, shown }) {
  const menu = document.getElementById("export-menu");
  const refresh = () => {
    const { filters, sort } = query.state;
    const all = menu.querySelector("[name=export-columns]:checked").value === "all";
    for (const link of menu.querySelectorAll("[data-format]")) {
      link.href = address(`${base}/export`, {
        format: link.dataset.format,
        ...asked(query),
        filter: joined(filters),
        sort,
        columns: all ? "" : joinNames(shown()),
      });
    }
  };
  menu.addEventListener("change", refresh);
  query.listen(refresh);
  refresh();
}
