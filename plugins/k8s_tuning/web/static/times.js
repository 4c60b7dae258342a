// Times in the viewer's zone beside UTC, and ages that go on.
(() => {
  "use strict";
  const language = document.documentElement.lang || "en";
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const local = new Intl.DateTimeFormat(language, {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    hourCycle: "h23", timeZoneName: "short",
  });
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  /** Seconds in words as the server writes them: one unit below an hour, two above. */
  const length = (seconds) => {
    const parts = [];
    let rest = Math.max(0, Math.floor(seconds));
    for (const [unit, size] of units) {
      const count = Math.floor(rest / size);
      rest %= size;
      if (count || (unit === "second" && !parts.length)) {
        parts.push(new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" }).format(count));
      } else if (parts.length) break;
    }
    return parts.slice(0, seconds < 3600 ? 1 : 2).join(" ");
  };

  const isUtc = (date) => date.getTimezoneOffset() === 0 && /^(Etc\/)?(UTC|GMT|Zulu|Universal)$/.test(zone);

  /** 2025-11-16 19:00:00 GMT+9: the same order in every language, so that it lines up with UTC. */
  const stamp = (date) => {
    const part = Object.fromEntries(local.formatToParts(date).map(({ type, value }) => [type, value]));
    // Some languages write 9:05:07 as 9:5:7.
    const [month, day, hour, minute, second] = ["month", "day", "hour", "minute", "second"].map((name) => part[name].padStart(2, "0"));
    return `${part.year}-${month}-${day} ${hour}:${minute}:${second} ${part.timeZoneName}`;
  };

  /** Completes every <time> below `place`. */
  const complete = (place) => {
    for (const element of place.querySelectorAll("time.when:not([data-complete])")) {
      const date = new Date(element.dateTime);
      element.dataset.complete = "";
      if (Number.isNaN(date.getTime()) || isUtc(date)) continue;
      const beside = document.createElement("span");
      beside.className = "local";
      beside.textContent = stamp(date);
      element.append(" ", beside);
    }
    age(place);
  };

  const age = (place) => {
    for (const element of place.querySelectorAll("time.age")) {
      const seconds = (Date.now() - Date.parse(element.dateTime)) / 1000;
      // A clock that is behind the server's would make it "-3 sec ago": the server's word stands.
      if (seconds >= 0) {
        const words = document.body.dataset.ago.replace("{age}", length(seconds));
        if (element.textContent !== words) element.textContent = words;
      }
    }
  };

  window.k8sTuning = { ...window.k8sTuning, completeTimes: complete };
  complete(document);
  setInterval(() => { if (!document.hidden) age(document); }, 5000);
})();
