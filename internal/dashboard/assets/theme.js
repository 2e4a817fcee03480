// Runs before the first paint, so that a chosen theme does not flash the other.
(() => {
  let theme = "auto";
  try {
    theme = localStorage.getItem("theme") ?? "auto";
  } catch {
    // No storage: the system's preference holds.
  }
  document.documentElement.dataset.theme = theme;
})();
