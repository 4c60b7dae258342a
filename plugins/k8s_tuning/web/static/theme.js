// Airflow's theme on this page. Loaded before anything is painted, so that a dark page never flashes white.
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
  if (outer) new MutationObserver(apply).observe(outer.documentElement, { attributes: true, attributeFilter: ["class"] });
})();
