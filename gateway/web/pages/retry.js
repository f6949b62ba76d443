// On an error page with Retry-After: counts down, and loads the page again when the time is over and the tab is visible.

const link = document.querySelector("a[data-retry-after]");
const timer = document.querySelector("[role=timer]");
const end = performance.now() + 1000 * Number(link.dataset.retryAfter);
const template = timer.textContent;
const format = new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit: "second", unitDisplay: "long" });

function update() {
  const seconds = Math.ceil((end - performance.now()) / 1000);
  timer.textContent = template.replace("{time}", format.format(Math.max(0, seconds)));
  if (seconds > 0 || document.hidden) return;
  clearInterval(interval);
  location.reload();
}

link.addEventListener("click", (event) => {
  event.preventDefault();
  location.reload();
});
timer.hidden = false;
const interval = setInterval(update, 500);
update();
