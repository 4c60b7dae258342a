// Airflow's theme on this page, and the way out of its frame. Loaded before anything is painted or can be clicked: a dark
// page never flashes white, and no link opens an Airflow within Airflow.
(() => {
  "use strict";
  const root = document.documentElement;

  /** The document of the Airflow that this page is shown in; null where it stands alone. */
  const airflow = () => {
    try {
      return window.parent !== window && window.parent.document ? window.parent.document : null;
    } catch {
      return null; // another origin's frame
    }
  };

  /** light or dark as Airflow shows it; "" where it follows the system (next-themes keeps its choice under "theme"). */
  const chosen = () => {
    const outer = airflow();
    if (outer && outer.documentElement.classList.contains("dark")) return "dark";
    if (outer && outer.documentElement.classList.contains("light")) return "light";
    try {
      const kept = localStorage.getItem("theme");
      return kept === "light" || kept === "dark" ? kept : "";
    } catch {
      return "";
    }
  };

  const apply = () => {
    if (root.dataset.theme !== chosen()) root.dataset.theme = chosen();
  };

  root.classList.add("scripted");
  if (airflow()) root.classList.add("embedded");
  apply();
  window.addEventListener("storage", apply);
  const outer = airflow();
  // The frame may not navigate its top by itself; a link that belongs to Airflow's own document may.
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[data-airflow]") : null;
    if (!link || !outer || event.defaultPrevented || event.button !== 0) return;
    event.preventDefault();
    const step = outer.createElement("a");
    step.href = link.href;
    if (event.ctrlKey || event.metaKey || event.shiftKey) step.target = "_blank";
    outer.body.append(step);
    step.click();
    step.remove();
  });
  if (outer) new MutationObserver(apply).observe(outer.documentElement, { attributes: true, attributeFilter: ["class"] });
})();
