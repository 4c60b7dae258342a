// Refreshing what is live, and the link to this view. Without scripts every page still works.
(() => {
  "use strict";
  const message = document.getElementById("message");
  let isPaused = false;
  let lastRead = document.querySelector("#read time")?.dateTime ?? "";

  // --- Airflow's frame -------------------------------------------------------------------------------------------

  const outer = () => (document.documentElement.classList.contains("embedded") ? window.parent : null);

  /** The address that shows this view to a colleague: Airflow's where it mirrors ours, else our own. */
  const address = () => {
    const airflow = outer();
    // A DAG run's tab in Airflow has the run's address, whatever is shown in it.
    if (!airflow || !/\/plugin\//.test(airflow.location.pathname) || /\/dags\//.test(airflow.location.pathname)) {
      return location.href;
    }
    return airflow.location.href;
  };

  const copyButton = document.getElementById("copy");
  copyButton.hidden = false;
  copyButton.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(address());
      message.textContent = copyButton.dataset.done;
    } catch {
      // Clipboards are only for pages behind TLS: let the reader copy it by hand.
      const field = Object.assign(document.createElement("input"), { readOnly: true, value: address() });
      field.setAttribute("aria-label", copyButton.dataset.failed);
      message.replaceChildren(`${copyButton.dataset.failed} `, field);
      field.select();
    }
  });

  // --- live regions ----------------------------------------------------------------------------------------------

  const seen = new Map();
  for (const region of document.querySelectorAll("[data-live]")) seen.set(region.id, null);

  const isBusy = (region) => {
    const selection = document.getSelection();
    if (selection && !selection.isCollapsed && region.contains(selection.anchorNode)) return true;
    return Boolean(document.activeElement?.matches("input, select, textarea") && region.contains(document.activeElement));
  };

  /** How to find the focused element again after a swap: its id, or which link or summary of the region it was. */
  const focused = (region) => {
    const element = document.activeElement;
    if (!element || !region.contains(element)) return () => null;
    const selector = element.id ? `#${CSS.escape(element.id)}` : element.tagName.toLowerCase();
    const nth = [...region.querySelectorAll(selector)].indexOf(element);
    return () => region.querySelectorAll(selector)[nth] ?? null;
  };

  const swap = (region, fresh) => {
    const find = focused(region);
    const scrolled = [...region.querySelectorAll(".scroll, pre")].map((one) => [one.scrollLeft, one.scrollTop]);
    const open = [...region.querySelectorAll("details[open][id]")].map((one) => one.id);
    if (region instanceof HTMLDetailsElement) fresh.open = region.open;
    region.replaceChildren(...fresh.childNodes);
    for (const id of open) region.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
    [...region.querySelectorAll(".scroll, pre")].forEach((one, i) => scrolled[i] && one.scrollTo(...scrolled[i]));
    window.k8sTuning.completeTimes(region);
    find()?.focus({ preventScroll: true });
  };

  const regions = (page) => [...page.querySelectorAll("[data-live]")].map((region) => region.id).join(" ");

  const refresh = async () => {
    let fresh;
    try {
      const response = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (response.status === 401 || response.status === 403) {
        message.textContent = message.dataset.signedOut;
        return;
      }
      if (!response.ok) throw new Error(String(response.status));
      fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    } catch {
      message.textContent = message.dataset.lost.replace("{time}", lastRead.replace("T", " ").replace("Z", " UTC"));
      return;
    }
    if (message.textContent !== copyButton.dataset.done && !message.firstElementChild) message.textContent = "";
    if (regions(fresh) !== regions(document) && !document.activeElement?.matches("input, select")) {
      location.reload(); // the first record brings charts where there were none
      return;
    }
    for (const region of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(region.id);
      if (!next || isBusy(region)) continue;
      // Ages differ at each reading and go on by themselves: only what else differs is swapped.
      const words = next.innerHTML.replace(/(<time class="age"[^>]*>)[^<]*/g, "$1");
      if (seen.get(region.id) === words) continue;
      seen.set(region.id, words);
      swap(region, document.adoptNode(next));
    }
    lastRead = document.querySelector("#read time")?.dateTime ?? lastRead;
    if (fresh.body.dataset.refresh) document.body.dataset.refresh = fresh.body.dataset.refresh;
    document.dispatchEvent(new CustomEvent("k8s-tuning:refreshed"));
  };

  const liveButton = document.getElementById("live");
  liveButton.hidden = false;
  liveButton.addEventListener("click", () => {
    isPaused = !isPaused;
    liveButton.setAttribute("aria-pressed", String(!isPaused));
    if (!isPaused) refresh();
  });

  const wait = () => setTimeout(async () => {
    if (!isPaused && !document.hidden) await refresh();
    wait();
  }, Number(document.body.dataset.refresh || 30) * 1000);
  wait();
  document.addEventListener("visibilitychange", () => { if (!document.hidden && !isPaused) refresh(); });

  // --- arriving ----------------------------------------------------------------------------------------------------

  // A link to something inside a closed <details> opens it.
  const arrive = () => {
    const place = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let one = place; one; one = one.parentElement) if (one instanceof HTMLDetailsElement) one.open = true;
  };
  window.addEventListener("hashchange", arrive);
  arrive();
})();
